"""From a folder of recordings to a config: what is found, chosen, said and written."""

import csv
from itertools import count
from pathlib import Path

import pytest
import yaml

import corpus_data
from corpus_data import put, put_table
from stratavox.corpus.user_table import read
from stratavox.errors import StratavoxError
from stratavox.init import sniff, write
from stratavox.init.command import start
from stratavox.init.from_annotations import of_annotations
from stratavox.init.look import MAX_HEADERS, look
from stratavox.plan import plan_of

CALLS = count()


def tone(seconds):
    """A tone of its own: clips with the same audio would be kept on one side of each split."""
    return corpus_data.tone(500 + next(CALLS), seconds)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The user's working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def begun(folder, capsys, name=None, **options):
    """The dataset's entry in the config that `start` writes, and what it printed."""
    options = {"out": None, "force": False} | options
    start(Path(folder), **options)
    name = name or write.name_of(Path(folder).name, "my_calls")
    text = Path(options["out"] or f"{name}.yaml").read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    assert config["run"]["datasets"] == list(config["datasets"])
    return config["datasets"][config["run"]["datasets"][0]], capsys.readouterr().out


def only_task(entry):
    (task,) = entry["tasks"].values()
    return task


def a_table(folder, rows, columns=("file", "call", "bird"), name="calls.csv", with_files=True):
    """A folder with a table of `rows` and the files its first column names."""
    if with_files:
        for row in rows:
            put(folder, row[0], tone(seconds=0.02))
    return put_table(folder, [list(columns), *rows], name)


def calls(n=40):
    """Rows of two calls by five birds."""
    return [[f"a/{k:02d}.wav", f"call {k % 2}", f"bird {k // 2 % 5}"] for k in range(n)]


# ---- real tables, as a new user would point at them ----


@pytest.mark.parametrize(
    ("name", "clips", "group", "shards"),
    [
        ("zebra_finch_calls", 91, "group", 1),
        ("catmeows", 440, "individual", 1),
        ("spoken_digits", 1200, "individual", 3),
        ("bengalese_finch_syllables", 2936, "group", 6),
    ],
)
def test_real_folders(shared, here, capsys, name, clips, group, shards):
    folder = shared / "data" / name
    before = sorted(path.stat().st_mtime_ns for path in folder.rglob("*"))
    entry, printed = begun(folder, capsys)
    assert (entry["table"], entry["file"], entry["shards"]) == ("metadata.csv", "path", shards)
    assert "start" not in entry, "onset_s and offset_s are places in the uncut songs"
    task = only_task(entry)
    assert (task["target"], task["group"]) == ("label", group)
    assert f"'path' names the files: {clips} of {clips} rows (100%)" in printed
    assert f"{clips} of {clips} rows can be used" in printed
    assert "\nlabel: label (" in printed and f"\ngroup: {group} (" in printed
    assert sorted(path.stat().st_mtime_ns for path in folder.rglob("*")) == before
    # what a run would do with the file, read back from disk
    plan = plan_of(Path(f"{name}.yaml").read_text(encoding="utf-8"), here)
    assert plan.tasks(name) == ["label"]
    assert [e for e in plan.encoders if e.startswith("beats")][0] == "beats"
    assert {"logmel", "duration_level"} < set(plan.encoders)


def test_a_bird_that_is_the_label_is_not_its_own_group(shared, here, capsys):
    _, printed = begun(shared / "data/zebra_finch_calls", capsys)
    assert "individual is the label itself under another name" in printed
    # the only bird of a single day cannot be tested, and that is said before the run
    assert "left out: 'YelOra2575': 20 clips, fewer than 2 groups (group)" in printed
    assert "71 clips of 3 classes in 14 groups" in printed


def test_syllables_of_single_birds_are_grouped_by_song(shared, here, capsys):
    _, printed = begun(shared / "data/bengalese_finch_syllables", capsys)
    assert "holding out individual would leave 0 of 38 classes" in printed
    assert "'onset_s' and 'offset_s' are not used as bounds: 2936 of 2936" in printed


def test_session_numbers_that_recur_between_cats_are_pointed_out(shared, here, capsys):
    begun(shared / "data/catmeows", capsys)
    text = Path("catmeows.yaml").read_text(encoding="utf-8")
    assert "# recording: [individual, session]" in text
    assert "its values recur with several of individual" in " ".join(text.split()).replace("# ", "")


# ---- a folder with a table ----


def test_what_is_printed_is_what_is_written(here, capsys):
    a_table(here / "data", calls())
    entry, printed = begun("data", capsys)
    assert entry["path"] == "data"
    assert entry["file"] == "file"
    assert only_task(entry) == {
        **{"target": "call", "group": "bird"},
        **{"min_clips": 10, "min_groups": 2, "role": "target"},
    }
    assert "label: call (" in printed and "group: bird (" in printed
    assert "40 clips of 2 classes in 5 groups: call 0 (20), call 1 (20)" in printed
    assert "--configfile data.yaml --cores all" in printed
    assert sorted(path.name for path in here.iterdir()) == ["data", "data.yaml", "results"]


def test_files_below_the_folder_move_path_there(here, capsys):
    rows = calls()
    for name, *_ in rows:
        put(here / "data/wav", name, tone(seconds=0.02))
    a_table(here / "data", rows, with_files=False)
    entry, _ = begun("data", capsys)
    assert (entry["path"], entry["table"]) == ("data/wav", "../calls.csv")


def test_of_two_columns_that_name_files_the_fuller_is_used_and_both_are_named(here, capsys):
    rows = [[*row, row[0]] for row in calls()]
    rows[0][3] = "gone.wav"
    a_table(here / "data", [[r[3], r[1], r[2], r[0]] for r in rows], ("raw", "call", "bird", "cut"))
    put(here / "data", rows[0][0], tone(seconds=0.02))
    (here / "data/gone.wav").unlink()
    entry, printed = begun("data", capsys)
    assert entry["file"] == "cut"
    assert "'raw' also names files: 39 of 40 rows" in printed
    assert "raw does so too" in Path("data.yaml").read_text()


def test_segments_of_long_files(here, capsys):
    rows = []
    for k in range(40):
        put(here / "data", f"{k % 4}.wav", tone(seconds=12))
        rows.append([f"{k % 4}.wav", k // 4, k // 4 + 0.5, f"call {k % 2}", f"bird {k % 4 // 2}x"])
    for row in rows:
        row[4] = f"bird {rows.index(row) % 5}"
    put_table(here / "data", [["sound", "Begin (s)", "End (s)", "call", "bird"], *rows])
    entry, printed = begun("data", capsys)
    assert (entry["start"], entry["end"]) == ("Begin (s)", "End (s)")
    assert "40 of 40 rows can be used" in printed


def test_rows_that_share_files_without_bounds_are_pointed_at(here, capsys):
    a_table(here / "data", [*calls(), ["a/00.wav", "call 0", "bird 0"]])
    _, printed = begun("data", capsys)
    assert "1 rows name a file that another row also names" in printed
    assert "repeats row 2" in printed


def test_too_many_lost_rows_are_reported_before_the_run(here, capsys):
    a_table(here / "data", calls(60))
    for k in range(5):
        (here / f"data/a/{k:02d}.wav").unlink()
    _, printed = begun("data", capsys)
    assert "55 of 60 rows (92%) name a recording" in printed
    assert "the run would stop, as more than 5% of the rows are lost" in printed


def test_names_with_spaces_and_umlauts(here, capsys):
    rows = [[f"Käfig 1/Ruf {k}: ä, #.wav", f"Ruf, {k % 2}", f"b{k % 5}"] for k in range(40)]
    a_table(here / "Möwen 2024", rows, ("Datei: Name", "label #1", "Bird ID"), "Tabelle é.csv")
    entry, _ = begun("Möwen 2024", capsys, "M_wen_2024")
    assert (entry["path"], entry["table"]) == ("Möwen 2024", "Tabelle é.csv")
    assert entry["file"] == "Datei: Name"
    task = only_task(entry)
    assert (task["target"], task["group"]) == ("label #1", "Bird ID")


def test_no_group_is_written_as_null_with_what_it_costs(here, capsys):
    a_table(here / "data", [row[:2] for row in calls()], ("file", "call"))
    entry, printed = begun("data", capsys)
    assert only_task(entry)["group"] is None
    for text in (printed, Path("data.yaml").read_text()):
        assert "group unknown" in text and "no interval is" in text


def test_few_groups_get_fewer_folds(here, capsys):
    rows = [[f"{k:02d}.wav", f"call {k % 2}", f"bird {k // 2 % 3}"] for k in range(36)]
    a_table(here / "data", rows)
    entry, printed = begun("data", capsys)
    assert entry["probes"] == {"folds": 3, "inner_folds": 2}
    assert "3 outer and 2 inner folds" in printed


def test_a_group_that_would_lose_most_classes_is_not_used(here, capsys):
    # two of eight calls are given by several birds, the others by one each; all on several days
    rows = [
        [f"{k:03d}.wav", f"call {k % 8}", f"bird {k % 5 if k % 8 < 2 else k % 8}", f"{k // 16}"]
        for k in range(96)
    ]
    a_table(here / "data", rows, ("file", "call", "bird", "day"))
    entry, printed = begun("data", capsys)
    assert only_task(entry)["group"] == "day"
    assert "holding out bird would leave 2 of 8 classes" in printed
    assert "or bird: 8 values" in printed


def test_other_tasks_in_comments_are_usable_as_they_stand(here, capsys):
    rows = [[*row, "mic A" if k % 4 < 2 else "mic B"] for k, row in enumerate(calls())]
    a_table(here / "data", rows, ("file", "call", "bird", "microphone"))
    begun("data", capsys)
    text = Path("data.yaml").read_text()
    line = next(line for line in text.splitlines() if "# microphone: {" in line)
    plan = plan_of(text.replace(line, line.replace("# ", "")), here)
    assert plan.tasks("data") == ["call", "microphone"]
    assert plan.targets("data") == ["call"]


@pytest.mark.parametrize(
    ("content", "printed"),
    [
        (
            "\ufefffile;call,bird\na.wav;x,1\nb.wav;y,2\n",
            "may be separated by commas .* or semicol",
        ),
        (
            "file,start,end\na.wav,0,5,1,5\nb.wav,1,5,2\n",
            "commas are both between its cells and in",
        ),
        ("file,call\n", "an empty table"),
    ],
)
def test_a_table_that_cannot_be_read_is_not_passed_over(here, content, printed):
    put(here / "data/x", "a.wav")
    put(here / "data/y", "b.wav")
    (here / "data/calls.csv").write_text(content, encoding="utf-8")
    with pytest.raises(StratavoxError, match=rf"calls\.csv: .*{printed}"):
        start(Path("data"), None, False)


def test_a_table_that_names_no_file_is_reported_as_unused(here, capsys):
    classes(here / "data")
    put_table(here / "data", [["id", "call"], ["s0", "x"], ["s1", "y"]])
    entry, printed = begun("data", capsys)
    assert "no column of metadata.csv names recordings such as 'alarm call/0.WAV'" in printed
    assert entry["table"] == "../data_clips.csv"


def test_a_table_beside_the_recordings_folder_is_used(here, capsys):
    for name, *_ in calls():
        put(here / "recordings", name, tone(seconds=0.02))
    a_table(here, calls(), with_files=False)
    entry, _ = begun(".", capsys, here.name, out=Path("mine.yaml"))
    assert (entry["path"], entry["table"]) == ("recordings", "../calls.csv")


def test_a_byte_order_mark_does_no_harm(here, capsys):
    table = a_table(here / "data", calls())
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes())
    assert begun("data", capsys)[0]["file"] == "file"


def test_without_a_label_the_reason_against_each_column_is_given(here):
    rows = [[f"{k}.wav", "song", f"bird {k % 5}", f"n{k}"] for k in range(20)]
    a_table(here / "data", rows, ("file", "call", "bird", "clip_no"))
    with pytest.raises(StratavoxError) as error:
        start(Path("data"), None, False)
    for part in (
        "call: constant (song)",
        "bird: the most frequent values have bird 0 (4)",
        "clip_no: another",
    ):
        assert part in str(error.value)
    assert not Path("data.yaml").exists()


# ---- folders that name classes ----


def classes(folder, kinds=("song", "alarm call"), each=12):
    for kind in kinds:
        for k in range(each):
            put(folder / kind, f"{k}.WAV", tone(seconds=0.02))


def test_sub_folders_become_a_table_beside_the_config(here, capsys):
    classes(here / "data/audio")
    put(here / "data", "stray.wav", tone(seconds=0.02))
    before = sorted((here / "data").rglob("*"))
    entry, printed = begun("data", capsys, out=Path("runs/mine.yaml"))
    assert sorted((here / "data").rglob("*")) == before, "nothing is written into the data"
    assert entry["table"] == "../runs/mine_clips.csv"
    with open("runs/mine_clips.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} == {"song", "alarm call"}
    assert len(rows) == 24 and all((here / "data" / row["file"]).is_file() for row in rows)
    assert read(Path("runs/mine_clips.csv")).columns.keys() == {"file", "label"}
    assert "1 recordings in no sub-folder are left out" in printed
    assert only_task(entry)["group"] is None


def test_deeper_sub_folders_are_columns_each(here, capsys):
    for bird in range(5):
        classes(here / f"data/b{bird}", each=3)
    entry, printed = begun("data", capsys)
    assert only_task(entry)["target"] in ("folder_1", "folder_2")
    assert "a guess by its values alone" in printed


def test_recordings_without_labels_say_what_to_do(here):
    put(here / "data", "a.wav")
    with pytest.raises(StratavoxError, match=r"no labels for them.*\n  file,label,indiv"):
        start(Path("data"), None, False)


# ---- annotation files ----

RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tAnnotation\n"
TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 0.1
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "call"
        xmin = 0
        xmax = 0.1
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.04
            text = "peep"
        intervals [2]:
            xmin = 0.04
            xmax = 0.05
            text = ""
        intervals [3]:
            xmin = 0.05
            xmax = 0.1
            text = "trill"
"""
ANNOTATIONS = {
    "raven": f"{RAVEN}1\tW\t1\t0.01\t0.04\t100\tpeep\n2\tW\t1\t0.05\t0.09\t100\ttrill\n",
    "audacity": "0.01\t0.04\tpeep\n\\\t100\t2000\n0.05\t0.09\ttrill\n",
    "textgrid": TEXTGRID,
}
ENDINGS = {"raven": ".Table.1.txt", "audacity": ".txt", "textgrid": ".TextGrid"}


def annotated(folder, kind):
    """Twelve recordings, each with a peep and a trill."""
    for k in range(12):
        put(folder / f"site {k % 2}", f"rec {k}.wav", tone(seconds=0.1))
        code = "utf-16" if kind == "textgrid" else "utf-8"
        file = folder / f"site {k % 2}/rec {k}{ENDINGS[kind]}"
        file.write_text(ANNOTATIONS[kind], encoding=code)
    (folder / "README.txt").write_text("recorded in May\n")


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("raven", {"files": "**/*.Table.1.txt", "label": "Annotation"}),
        ("audacity", {"files": "**/*.txt", "label": "label"}),
        ("textgrid", {"files": "**/*.TextGrid", "label": "label", "tier": "call"}),
    ],
)
def test_annotation_files_are_known_by_their_content(here, kind, entry):
    annotated(here / "data", kind)
    contents = look(Path("data"))
    assert {k: len(names) for k, names in contents.annotations.items()} == {kind: 12}
    source = of_annotations(contents)
    assert source.entry == {"path": "data", "annotations": {"format": kind} | entry}
    (label,) = (column for column in source.columns if column.name == entry["label"])
    assert label.values == {"peep": 12, "trill": 12}
    assert "12 named as a recording is" in source.messages[0]


@pytest.mark.parametrize("kind", ["raven", "audacity", "textgrid"])
def test_annotated_recordings_pass_the_check(here, capsys, kind):
    annotated(here / "data", kind)
    (here / "data/README.txt").unlink()
    entry, printed = begun("data", capsys)
    assert "24 of 24 rows can be used" in printed
    assert "24 clips of 2 classes in 12 groups: peep (12), trill (12)" in printed
    assert only_task(entry)["group"] == "file"


def test_two_views_of_a_selection_are_one_clip_of_the_file_that_it_names(here):
    put(here / "data", "a.wav")
    rows = [
        f"{k}\t{view}\t1\t{k}\t{k + 1}\t100\t{('peep', 'trill')[k % 2]}\t{'ab'[k % 2]}.wav\t{k}"
        for k in range(20)
        for view in ("Waveform 1", "Spectrogram 1")
    ]
    text = RAVEN.replace("\n", "\tBegin File\tFile Offset (s)\n") + "\n".join(rows) + "\n"
    (here / "data/all.selections.txt").write_text(text)
    columns = {column.name: column for column in of_annotations(look(Path("data"))).columns}
    assert columns["Annotation"].values == {"peep": 10, "trill": 10}
    assert columns["file"].values == {"a.wav": 10, "b.wav": 10}


def test_prose_is_no_annotation(here):
    for text in ("recorded in May\n", "", "1\t0\tend before start\n", "a\tb\n"):
        Path("x.txt").write_text(text)
        assert sniff.kind_of(Path("x.txt")) is None


# ---- what there is to be read at all ----


def test_folder_missing_empty_and_without_audio(here):
    with pytest.raises(StratavoxError, match="nowhere: no such folder"):
        look(Path("nowhere"))
    Path("data").mkdir()
    with pytest.raises(StratavoxError, match="data: no recordings; .* The folder is empty"):
        look(Path("data"))
    Path("data/x.pdf").write_text("x")
    with pytest.raises(StratavoxError, match=r"Found: \.pdf \(1\)"):
        look(Path("data"))
    Path("data/x.m4a").write_text("x")
    with pytest.raises(StratavoxError, match=r"x\.m4a: .*, or convert the file to WAV"):
        look(Path("data"))
    Path("data/x.wav").write_text("x")
    with pytest.raises(StratavoxError, match=r"none of its 2 recordings .* x\.m4a: \.m4a files"):
        look(Path("data"))


def test_a_bad_file_is_named_and_hidden_ones_are_none(here, capsys):
    a_table(here / "data", calls())
    put(here / "data", "a/._00.wav")
    (here / "data/a/bad.FLAC").write_text("no audio")
    _, printed = begun("data", capsys)
    assert "41 recordings: .wav (40), .flac (1)" in printed
    assert "a/bad.FLAC: not audio that can be read" in printed


def test_headers_of_very_many_files_are_sampled(here, monkeypatch):
    monkeypatch.setattr("stratavox.init.look.MAX_HEADERS", 10)
    classes(here / "data", each=12)
    contents = look(Path("data"))
    assert len(contents.recordings) == 24 and len(contents.headers) == 8
    assert MAX_HEADERS > 10


def test_a_config_that_is_there_is_kept(here, capsys):
    a_table(here / "data", calls())
    Path("data.yaml").write_text("mine")
    with pytest.raises(StratavoxError, match=r"data\.yaml: exists already; .* --out, or --force"):
        start(Path("data"), None, False)
    assert Path("data.yaml").read_text() == "mine"
    assert begun("data", capsys, force=True)[0]["file"] == "file"


def test_recordings_of_bats_get_a_proposal_of_slow_motion(here, capsys):
    a_table(Path("calls"), calls())
    _, printed = begun("calls", capsys)
    assert "speed" not in printed + Path("calls.yaml").read_text()
    fast, names = Path("bats"), [row[0] for row in calls()]
    for name in names:
        put(fast, name, tone(seconds=0.02), rate=256_000)
    a_table(fast, calls(), with_files=False)
    entry, printed = begun("bats", capsys)
    unsure = printed.partition("not sure of")[2]
    assert "look: 40 recordings are at up to 256000 Hz" in unsure and "speed: 0.1" in unsure
    text = Path("bats.yaml").read_text()
    assert "speed" not in entry and text.count("# speed: 0.1\n") == 1
    # the proposal is a line that can be used as it stands
    proposed = text.replace("    # speed: 0.1\n", "    speed: 0.1\n")
    assert plan_of(proposed, Path()).described_rate("bats") == 160_000


@pytest.mark.parametrize(
    ("clips", "shards"), [(1, 1), (500, 1), (501, 2), (32000, 64), (10**6, 64)]
)
def test_shards(clips, shards):
    assert write.shards(clips) == shards


@pytest.mark.parametrize("value", ["yes", "1", "2024-01-01", "a: b", "#x", "../x y", "é", "a,b"])
def test_texts_come_back_from_yaml(value):
    assert yaml.safe_load(f"{{key: {write.scalar(value)}}}") == {"key": value}


def test_tables_named_as_recordings_are_named_with_the_key_for_them(here):
    for k in range(12):
        put(here / "data", f"BAT{k}.wav", tone(0.05))
        put_table(here / "data", [["start_time", "end_time", "class"]] + [["0", "1", "x"]] * 3)
        (here / "data/metadata.csv").rename(here / f"data/BAT{k}.wav.csv")
    with pytest.raises(StratavoxError, match="but no labels for them") as error:
        start(Path("data"), None, False)
    assert "look: BAT0.wav.csv and 11 more are named as recordings are" in str(error.value)
    assert "annotations: {format: csv, start: ..., end: ..., label: ...}" in str(error.value)
