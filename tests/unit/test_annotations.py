"""Annotation files: which boxes, of which recording, and what is refused, left out and counted."""

from pathlib import Path

import pytest

import stage_jobs
from annotation_files import RAVEN, annotated, put_lines, put_raven, put_text, textgrid
from corpus_data import put, put_table, to_manifest, tone
from stratavox.corpus import manifest
from stratavox.corpus.labels import label_columns, label_digest
from stratavox.corpus.scan import scan
from stratavox.errors import StratavoxError
from stratavox.plan import Plan
from stratavox.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder with two recordings of 4 s."""
    monkeypatch.chdir(tmp_path)
    for hz, name in enumerate(("a.wav", "sub/b.WAV"), start=1):
        put(tmp_path / "data", name, tone(500 * hz, seconds=4))
    return tmp_path / "data"


def scanned(data, form="raven", **entry):
    wanted = annotated(form, **entry)
    return scan(wanted, data.parent, data.parent / "scan.parquet").to_pylist()


def cells(data, form="raven", **entry) -> list[dict]:
    return label_columns(annotated(form, **entry), data.parent).to_pylist()


def kept(rows: list[dict]) -> list[str]:
    return [row["clip_id"] for row in rows if row["reason"] is None]


def reasons(rows: list[dict]) -> dict[str, str]:
    return {row["file"]: row["reason"] for row in rows if row["reason"]}


def test_a_selection_is_one_box_and_the_spectrograms_row_of_it(data):
    put_raven(data, "a.Table.1.selections.txt", [("0.5", "1.0", "owl"), ("2", "3.25", "jay")])
    assert kept(scanned(data)) == ["a.wav@0.500000-1.000000", "a.wav@2.000000-3.250000"]
    first, second, bare = cells(data)
    assert first == {
        "row": 1,
        "file": "a.wav",
        "start_s": "0.5",
        "end_s": "1.0",
        "low_hz": "500.000",
        "high_hz": "4000.000",
        "annotation": "a.Table.1.selections.txt",
        "annotation_row": "3",
        "overlaps": "no",
        "Selection": "1",
        "View": "Spectrogram 1",
        "Channel": "1",
        "Species": "owl",
    }
    assert (second["annotation_row"], second["Species"]) == ("5", "jay")
    assert bare["file"] == "sub/b.WAV"


def test_tables_pasted_together_keep_all_their_selections(data):
    lines = [[*RAVEN, "Species"]]
    # numbers repeat, and the first was saved with its waveform alone
    for start, view in enumerate(("Waveform 1", "Spectrogram 1", "Spectrogram 1")):
        lines.append([1, view, 1, start, start + 0.5, 0, 4000, "owl"])
    put_lines(data, "a.txt", lines)
    assert len(kept(scanned(data))) == 3


def spanning(data, with_offset=True, path="Begin Path"):
    """One table over both recordings, of 4 s each, as Raven counts; the paths are Windows's."""
    columns = [path, *(["File Offset (s)"] if with_offset else [])]
    boxes = []
    for name, offset, begin in (("a.wav", 1.5, 1.5), ("b.flac", 0.25, 4.25)):
        offsets = [offset] if with_offset else []
        file = rf"D:\songs\{name}" if path == "Begin Path" else name
        boxes.append((begin, begin + 0.5, file, *offsets, "owl"))
    put_raven(data, "all.txt", boxes, columns)


@pytest.mark.parametrize("path", ["Begin Path", "Begin File"])
def test_a_table_of_several_sound_files_counts_from_each_ones_start(data, path):
    # b was FLAC when it was annotated
    spanning(data, path=path)
    assert kept(scanned(data)) == ["a.wav@1.500000-2.000000", "sub/b.WAV@0.250000-0.750000"]
    assert reasons(scanned(data)) == {}


def test_several_sound_files_without_offsets_are_refused(data):
    spanning(data, with_offset=False)
    message = r"all\.txt: .* in a\.wav, b\.flac, .* no column 'File Offset \(s\)'"
    with pytest.raises(StratavoxError, match=message):
        scanned(data)


def test_times_that_may_count_from_another_files_start_are_refused(data):
    # saved with both files open, all selections in the second
    put(data, "a2.wav")
    put_raven(data, "a2.Table.1.selections.txt", [("4.5", "5", "a.wav", "owl")], ["Begin File"])
    with pytest.raises(StratavoxError, match=r"a2\.Table.* in a\.wav, but the table is not of one"):
        scanned(data)
    (data / "a2.Table.1.selections.txt").unlink()
    put_raven(data, "a.Table.1.selections.txt", [("1", "2", "a.wav", "owl")], ["Begin File"])
    assert kept(scanned(data)) == ["a.wav@1.000000-2.000000"]


def test_cells_that_are_no_times_reject_their_boxes_alone(data):
    boxes = [("early", "2", "1", "owl"), ("1,5", "2", "x", "owl"), ("1", "2", "1", "owl")]
    put_raven(data, "a.txt", boxes, ["File Offset (s)"])
    rows = scanned(data)
    assert all("not all are numbers of seconds" in row["reason"] for row in rows[:2])
    put_raven(data, "a.txt", [("1;5", "2", "owl"), ("3", "2", "owl"), ("1", "2", "owl")])
    table_rows = [row["reason"] for row in scanned(data)[:3]]
    assert table_rows == [
        "start '1;5' is not a number of seconds",
        "start 3 is not before end 2",
        None,
    ]


@pytest.mark.parametrize("label", ["row", "file"])
def test_a_label_cannot_take_the_name_of_another_column(data, label):
    put_lines(data, "a.txt", [["1", "2", "owl"]])
    with pytest.raises(StratavoxError, match=f"a.txt: the column name '{label}' is taken"):
        scanned(data, "audacity", label=label)


def test_offsets_that_differ_without_file_names_are_refused(data):
    put_raven(data, "a.txt", [("4.25", "4.5", "0.25", "owl")], ["File Offset (s)"])
    with pytest.raises(StratavoxError, match=r"a\.txt: row 2: .* 0\.25, .* no column 'Begin File'"):
        scanned(data)


def test_a_selection_that_ends_in_another_file_is_rejected_alone(data):
    columns = ["Begin File", "End File", "File Offset (s)"]
    boxes = [("3.9", "4.1", "a.wav", "b.WAV", "3.9", "owl"), ("1", "2", "a.wav", "a.wav", "1", "x")]
    put_raven(data, "a.txt", boxes, columns)
    rows = scanned(data)
    assert rows[0]["reason"] == "begins in 'a.wav' and ends in 'b.WAV'"
    assert kept(rows) == ["a.wav@1.000000-2.000000"]


def test_an_unknown_sound_file_rejects_its_boxes_alone(data):
    boxes = [("1", "2", "gone.wav", "1", "owl"), ("2", "3", "a.wav", "2", "owl")]
    put_raven(data, "all.txt", boxes, ["Begin File", "File Offset (s)"])
    rows = scanned(data)
    assert rows[0]["reason"] == "no recording below the folder is called 'gone.wav'"
    assert kept(rows) == ["a.wav@2.000000-3.000000"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([["Selection", "Begin Time (s)"], [1, 0]], r"no column 'End Time \(s\)', .* Selection, "),
        ([RAVEN, [1, "Spectrogram 1", 1, 0, 1, 0, 1]], "no column 'Species' .*annotations.label"),
        ([[*RAVEN, "Species", "overlaps"], [*range(9)]], "a.txt: the column name 'overlaps'"),
        ([], "a.txt: an empty table"),
    ],
)
def test_a_raven_table_that_cannot_be_used_is_refused_by_name(data, lines, message):
    put_lines(data, "a.txt", lines)
    with pytest.raises(StratavoxError, match=message):
        scanned(data)


@pytest.mark.parametrize("form", ["raven", "audacity", "textgrid", "csv"])
def test_what_is_not_utf_8_is_refused(data, form):
    wanted = annotated(form, files="*.csv", **({"start": "s", "end": "e"} if form == "csv" else {}))
    put_text(data, "a.csv", "M\xf6we\t1", "latin-1")
    with pytest.raises(
        StratavoxError, match=r"a\.csv: not UTF-8 \(byte 0xf6 at position 1\); save"
    ):
        scan(wanted, data.parent, data.parent / "scan.parquet")


def test_a_byte_order_mark_and_quotes_are_no_part_of_ravens_cells(data):
    line = '1\tSpectrogram 1\t1\t0\t1\t0\t1\t"Käuz" chen\n'
    put_text(data, "a.txt", "\t".join([*RAVEN, "Species"]) + "\n" + line, "utf-8-sig")
    assert cells(data)[0]["Species"] == '"Käuz" chen'


def test_audacity_labels_with_tabs_frequencies_points_and_without_text(data):
    lines = [["0.5", "1.0", "owl", "far"], ["\\", "-1.000000", "6334.5"], [], ["2", "2", "point"]]
    put_lines(data, "a.txt", [*lines, ["3.0", "3.5", ""], ["3.5", "3.75"]])
    rows = scanned(data, "audacity")
    starts = ["a.wav@0.500000-1.000000", "a.wav@3.000000-3.500000", "a.wav@3.500000-3.750000"]
    assert kept(rows) == starts
    assert rows[1]["reason"].startswith("shorter than min_s")
    table_rows = cells(data, "audacity")
    assert [row["Species"] for row in table_rows[:4]] == ["owl\tfar", "point", "", ""]
    assert [row["annotation_row"] for row in table_rows[:4]] == ["1", "4", "5", "6"]
    assert [(row["low_hz"], row["high_hz"]) for row in table_rows[:2]] == [("", "6334.5"), ("", "")]


def test_audacity_lines_that_are_no_labels(data):
    put_lines(data, "a.txt", [["0.5", "owl"], ["1", "2", "jay"]])
    assert reasons(scanned(data, "audacity"))["a.wav"] == "end 'owl' is not a number of seconds"
    put_lines(data, "a.txt", [["\\", "100", "200"], ["1", "2", "jay"]])
    with pytest.raises(StratavoxError, match=r"a\.txt: line 1: frequencies without a label"):
        scanned(data, "audacity")


GRID = {"calls": [("0.5", "1", 'say "hm"'), ("1", "1.5", "item [2]")], "noise": [("2", "3", "x")]}


@pytest.mark.parametrize("long", [True, False])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_textgrids_in_both_forms_and_all_encodings(data, long, encoding):
    put_text(data, "a.TextGrid", textgrid(GRID, 4, long), encoding)
    rows = scanned(data, "textgrid", tier="calls")
    assert kept(rows) == ["a.wav@0.500000-1.000000", "a.wav@1.000000-1.500000"]
    table_rows = cells(data, "textgrid", tier="calls")[:2]
    assert [row["Species"] for row in table_rows] == ['say "hm"', "item [2]"]
    # the first interval is the empty one before
    assert [row["annotation_row"] for row in table_rows] == ["2", "3"]


@pytest.mark.parametrize(
    ("text", "tier", "message"),
    [
        (
            textgrid(GRID, 4, True),
            None,
            "one interval tier is needed, found 2; .* 'calls', 'noise'",
        ),
        (
            textgrid(GRID, 4, True),
            "songs",
            "one interval tier 'songs', found 0; .*: 'calls', 'noise'",
        ),
        (textgrid(GRID, 4, False)[:-9], "calls", "not a whole TextGrid .* the end of the file"),
        ("once upon a time", "calls", "not a whole TextGrid"),
        ('"ooTextFile"\n"PitchTier"\n', "calls", "no TextGrid"),
    ],
)
def test_a_textgrid_that_cannot_be_used_is_refused(data, text, tier, message):
    put_text(data, "a.TextGrid", text)
    entry = {} if tier is None else {"tier": tier}
    with pytest.raises(StratavoxError, match=rf"a\.TextGrid: .*{message}"):
        scanned(data, "textgrid", **entry)


def test_the_only_interval_tier_needs_no_name_and_points_are_passed_over(data):
    points = '"TextTier"\n"bell"\n0\n4\n1\n2.5\n"ding"\n'
    text = textgrid({"calls": GRID["calls"]}, 4, False).replace("<exists>\n1\n", "<exists>\n2\n")
    put_text(data, "a.TextGrid", text + points)
    assert len(kept(scanned(data, "textgrid"))) == 2


CSV = {"start": "on", "end": "off"}


def test_csv_tables_beside_their_recordings(data):
    header = ["on", "off", "low_hz", "Species", "bird"]
    put_table(data, [header, ["0", "1", "900", "owl", "7"], ["1", "2", "owl"]], "a.csv")
    put_table(data / "sub", [["on", "off", "Species"]], "b.csv")  # looked at, and nothing heard
    rows = scanned(data, "csv", **CSV)
    assert kept(rows) == ["a.wav@0.000000-1.000000"]
    assert [row["reason"] for row in rows[1:]] == ["3 cells, but the header has 5"]
    assert (cells(data, "csv", **CSV)[0]["low_hz"], cells(data, "csv", **CSV)[0]["bird"]) == (
        "900",
        "7",
    )


def test_one_csv_for_all_recordings_is_refused_for_the_keys_of_a_table(data):
    put_table(data, [["file", "on", "off", "Species"], ["a.wav", "0", "1", "owl"]], "all.csv")
    with pytest.raises(StratavoxError, match="called 'all'.* keys table, file, start and end"):
        scanned(data, "csv", **CSV)


def test_a_csv_without_a_column_is_refused(data):
    put_table(data, [["on", "stop", "Species"], ["0", "1", "owl"]], "a.csv")
    with pytest.raises(StratavoxError, match=r"a\.csv: .* 'off' \(config key 'annotations.end'\)"):
        scanned(data, "csv", **CSV)


@pytest.mark.parametrize(
    ("annotation", "recordings", "belongs"),
    [
        ("a.Table.1.selections.txt", [], "a.wav"),
        ("a.wav.txt", [], "a.wav"),
        ("b.txt", [], "sub/b.WAV"),  # the only one of its name
        ("sub/a.txt", ["sub/a.flac"], "sub/a.flac"),  # the one beside it
        ("2023.05.12.Table.1.txt", ["2023.wav", "2023.05.12.wav"], "2023.05.12.wav"),
    ],
)
def test_which_recording_an_annotation_belongs_to(data, annotation, recordings, belongs):
    for name in recordings:
        put(data, name, tone(seconds=4))
    put_raven(data, annotation, [("1", "2", "owl")])
    assert kept(scanned(data)) == [f"{belongs}@1.000000-2.000000"]


def test_an_annotation_without_a_recording_counts_as_bad(data):
    put_raven(data, "a.txt", [("1", "2", "owl")])
    put_text(data, "README.txt", "recorded in May")
    put(data, "sub/c.wav")
    put(data, "sub/c.flac")
    put_raven(data, "sub/c.txt", [("0.1", "0.2", "owl")])
    wanted = annotated(max_bad=1.0)
    _, _, hygiene = to_manifest(data.parent, wanted)
    assert hygiene["rejected"][0] == {
        "row": "1 of README.txt",
        "file": "",
        "reason": "no recording below the folder is called 'README'",
    }
    both = "'c' fits 2 recordings, 'sub/c.flac' and 'sub/c.wav'; name the pairs"
    assert both in hygiene["rejected"][1]["reason"]
    with pytest.raises(StratavoxError, match=r"2 of 3 rows cannot .*\n  row 1 of README.txt: ''"):
        to_manifest(data.parent, wanted | {"max_bad": 0.5})


def test_two_folders_that_claim_one_recording_are_refused(data):
    put_raven(data, "2022/a.txt", [("1", "2", "owl")])
    put_raven(data, "2023/a.txt", [("1", "2", "owl")])
    with pytest.raises(StratavoxError, match=r"2022/a\.txt and 2023/a\.txt .*'annotations\.list'"):
        scanned(data)


def test_a_list_of_pairs(data):
    put_raven(data, "notes/first.txt", [("1", "2", "owl")])
    put_raven(data, "notes/second.txt", [("2", "3", "jay")])
    pairs = [["recording", "annotation"], ["./a.wav", "notes/first.txt"]]
    pairs += [["sub/b.WAV", "notes/second.txt"], ["gone.wav", "notes/first.txt"]]
    put_table(data, [*pairs, ["a.wav", "notes/third.txt"]], "pairs.csv")
    rows = scanned(data, list="pairs.csv")
    assert kept(rows) == ["a.wav@1.000000-2.000000", "sub/b.WAV@2.000000-3.000000"]
    assert reasons(rows) == {
        "gone.wav": "missing file",
        "a.wav": "its annotation file cannot be read (No such file or directory)",
    }


def test_a_list_gives_a_table_of_several_sound_files_no_single_recording(data):
    spanning(data)
    put_table(data, [["recording", "annotation"], ["a.wav", "all.txt"]], "pairs.csv")
    with pytest.raises(StratavoxError, match=r"all\.txt: the list .* in 2 \(.*a\.wav, .*b\.flac"):
        scanned(data, list="pairs.csv")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"files": "*.tsv"}, r"no annotation file below it matches '\*\.tsv'; correct"),
        ({"files": "/etc/*.txt"}, "'/etc/\\*.txt' is no pattern below"),
        ({"files": "**x/*.txt"}, "no annotation file|is no pattern below"),
        ({"list": "pairs.csv"}, r"pairs\.csv: no such table"),
        ({}, r"its annotation files are all empty"),
    ],
)
def test_nothing_to_read_is_an_error(data, entry, message):
    put_raven(data, "a.txt", [])
    with pytest.raises(StratavoxError, match=message):
        scanned(data, **entry)


def test_hidden_files_are_no_annotations(data):
    put_raven(data, "a.txt", [("1", "2", "owl")])
    (data / "._a.txt").write_bytes(b"\x00\x05\x16\x07\xff")
    (data / ".trash").mkdir()
    put(data / ".trash", "z.wav")
    assert reasons(scanned(data)) == {"sub/b.WAV": "no annotation file belongs to it"}


def test_overlapping_boxes_are_kept_and_flagged_and_touching_ones_are_not(data):
    boxes = [("0", "3"), ("0.5", "1"), ("1.5", "2"), ("3", "3.5"), ("3.6", "3.7"), ("3.65", "3.8")]
    put_raven(data, "a.txt", [(*box, "owl") for box in boxes])
    put_raven(data, "sub/b.txt", [("0", "3", "owl")])
    table_rows = {row["start_s"]: row["overlaps"] for row in cells(data) if row["file"] == "a.wav"}
    assert table_rows == {
        "0": "yes",
        "0.5": "yes",
        "1.5": "yes",
        "3": "no",
        "3.6": "yes",
        "3.65": "yes",
    }
    _, _, hygiene = to_manifest(data.parent, annotated())
    assert (hygiene["overlapping"], hygiene["clips"]) == (5, 7)


def test_what_is_too_short_does_not_make_a_box_overlap(data):
    put_lines(data, "a.txt", [["1", "2", "owl"], ["1.5", "1.51", "here"]])
    assert [row["overlaps"] for row in cells(data, "audacity")[:2]] == ["no", ""]


def test_short_boxes_and_bare_recordings_are_counted_and_cost_nothing(data):
    put_raven(data, "a.txt", [("1", "2", "owl"), ("2", "2.05", "owl"), ("3", "3.049", "owl")])
    _, labels, hygiene = to_manifest(data.parent, annotated(min_s=0.05) | {"max_bad": 0.0})
    assert (hygiene["rows"], hygiene["clips"], hygiene["rejected"]) == (3, 2, [])
    assert hygiene["too_short"] == 1
    assert (hygiene["unannotated"], hygiene["unannotated_first"]) == (1, ["sub/b.WAV"])
    assert labels["start_s"].to_pylist() == ["1", "2"]


def test_ten_bare_recordings_are_listed_and_all_counted(data):
    put_raven(data, "a.txt", [("1", "2", "owl")])
    for number in range(12):
        put(data, f"bare{number:02d}.wav")
    _, _, hygiene = to_manifest(data.parent, annotated())
    assert hygiene["unannotated"] == 13
    assert hygiene["unannotated_first"] == [f"bare{number:02d}.wav" for number in range(10)]


def test_one_clip_boxed_twice_is_merged_unless_its_labels_differ(data):
    put_raven(data, "a.Table.1.selections.txt", [("1", "2", "owl"), ("2", "3", "owl")])
    put_raven(data, "a.Table.2.selections.txt", [("2", "3", "jay"), ("1", "2", "owl")])
    one, two = "a.Table.1.selections.txt", "a.Table.2.selections.txt"
    message = (
        f"rows 5 of {one}, 3 of {two} give one clip different values of Species ('jay', 'owl')"
    )
    table_rows = [row["reason"] for row in scanned(data)[:4]]
    assert table_rows == [None, message, message, f"repeats row 3 of {one}"]


def test_labels_change_the_label_digest_and_nothing_else(data):
    digests = []
    for label in ("owl", "jay"):
        put_raven(data, "a.txt", [("1", "2", label)])
        table_rows = scan(annotated(), data.parent, data.parent / "scan.parquet")
        labels = label_columns(annotated(), data.parent)
        digests.append((table_rows, label_digest(table_rows, labels, ["Species"])))
    assert digests[0][0].equals(digests[1][0])
    assert digests[0][1] != digests[1][1]


@pytest.mark.parametrize("change", ["label", "recording"])
def test_what_changed_since_the_scan_stops_the_stage(data, change):
    put_raven(data, "a.txt", [("1", "2", "owl")])
    to_manifest(data.parent, annotated())
    if change == "label":
        put_raven(data, "a.txt", [("1", "2", "jay")])
    else:
        put(data, "0.wav")
    parts = [data.parent / "inspect/part-000.parquet"]
    with pytest.raises(StratavoxError, match=r"data/\*\*/\*\.txt: changed since it was scanned"):
        manifest.make(annotated(), data.parent / "scan.parquet", parts, data.parent)


def planned(data, target="Species", **entry) -> dict[str, str]:
    """The keys of the stages that read annotations, and of one that reads audio alone."""
    config = stage_jobs.default_config()
    task = {"target": target, "group": None}
    annotations = {"format": "raven", "label": "Species"} | entry
    songs = {"source": "folder", "path": "data", "annotations": annotations, "shards": 1}
    config["datasets"] = {"songs": songs | {"tasks": {"species": task}}}
    config["run"] = {"datasets": ["songs"], "encoders": ["logmel"]}
    assert Settings(Plan(config, data.parent)).tables("songs")["annotations"]
    files = {
        "inspect": "results/corpus/songs/inspect/part-000.parquet",
        "manifest": "results/corpus/songs/labels.parquet",
        "folds": "results/folds/songs/species.parquet",
    }
    return stage_jobs.keys(config, data.parent, files)


def test_what_reruns_when_annotations_change(data):
    put_raven(data, "a.txt", [("1", "2", "owl"), ("2", "3", "jay")])
    before = planned(data)
    assert planned(data) == before
    put(data, "bare.wav")
    bare = planned(data)
    assert {name for name in bare if bare[name] != before[name]} == {"manifest"}
    put_raven(data, "a.txt", [("1", "2", "owl"), ("2", "3", "owl")])
    relabelled = planned(data)
    assert {name for name in bare if bare[name] != relabelled[name]} == {"manifest", "folds"}
    put_raven(data, "a.txt", [("1", "2", "owl"), ("2", "3.5", "owl")])
    moved = planned(data)
    assert all(moved[name] != relabelled[name] for name in moved)


def test_a_task_asks_for_a_column_that_the_annotations_lack(data):
    put(data, "20230512_063000.wav")
    put_raven(data, "20230512_063000.txt", [("0.1", "0.3", "owl")])
    planned(data, target="recorded_on")
    message = (
        r"tasks.species.target: no column 'bird' in data/.*; columns: .*, Species, recorded_at"
    )
    with pytest.raises(StratavoxError, match=message):
        planned(data, target="bird")
