"""Labels and groups as people have them: none, splits, ranks, guesses, sets, names, copies."""

import csv
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import yaml

from annotation_files import put_text, textgrid
from corpus_data import put, put_table, settings, to_manifest, tone
from stratavox import tables
from stratavox.config import default
from stratavox.corpus import names
from stratavox.corpus.labels import label_columns
from stratavox.corpus.scan import scan
from stratavox.errors import StratavoxError
from stratavox.init import from_names
from stratavox.init.columns import Column
from stratavox.init.command import start
from stratavox.init.recognise import recognise
from stratavox.plan import plan_of
from stratavox.probe import folds
from stratavox.probe.repeats import repeats

FOLDS = {
    **{"dataset": "d", "task": "t", "target": "call", "group": None, "recording": []},
    **{"min_clips": 5, "min_groups": 2, "folds": 4, "inner_folds": 2, "repeats": 3, "seed": 0},
    "max_clips": None,
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def filled(here, rows, header=("file", "call", "bird")):
    """The folder `data` with a table, and a sound of its own for each file."""
    put_table(here / "data", [list(header), *rows])
    for k, file in enumerate(dict.fromkeys(row[0] for row in rows)):
        put(here / "data", file, tone(400 + 7 * k, 0.1))


def begun(folder, capsys):
    """The entry that init writes, and what it prints."""
    start(Path(folder), None, False)
    config = yaml.safe_load(Path(f"{folder}.yaml").read_text(encoding="utf-8"))
    return config["datasets"][folder], capsys.readouterr().out


def task_of(entry):
    (task,) = entry["tasks"].values()
    return task["target"], task["group"]


# ---- no label ----


def birds_of_r():
    """60 rows: every fourth call is not known, every fifth bird neither."""
    calls, birds = ("song", "NA", "call", "trill"), ("b1", "b2", "b3", "b4", " na ")
    return [[f"{k:02d}.wav", calls[k % 4], birds[k % 5]] for k in range(60)]


def test_na_is_no_class_and_no_bird(here, capsys):
    filled(here, birds_of_r())
    entry, printed = begun("data", capsys)
    assert "look: call: NA (15) read as no value" in printed
    assert "look: bird: na (12) read as no value" in printed
    assert "36 clips of 3 classes in 4 groups" in printed
    assert "left out: 15 clips without a label" in printed
    assert "left out: 9 clips without a group" in printed
    assert entry["missing"] == default("dataset", "missing")
    _, labels, hygiene = to_manifest(here, settings(missing=entry["missing"]))
    assert sorted(set(labels["call"].to_pylist())) == ["", "call", "song", "trill"]
    assert hygiene["missing"] == {"call": {"NA": 15}, "bird": {"na": 12}}


@pytest.mark.parametrize("mark", ["NA", "n/a", "NaN", "None", "NULL", "?", "Unknown", "unid", "-"])
def test_every_mark_is_an_empty_cell_and_a_list_of_ones_own_keeps_it(here, mark):
    filled(here, [["a.wav", mark, "b"], ["b.wav", f" {mark} ", "b"], ["c.wav", "song", "b"]])
    marks = default("dataset", "missing")
    kept = label_columns(settings(missing=marks), here)
    assert kept["call"].to_pylist() == ["", "", "song"]
    own = label_columns(settings(missing=["x"]), here)
    assert own["call"].to_pylist() == [mark, mark, "song"]


def test_a_label_that_may_mean_none_is_pointed_at(capsys):
    columns, _, messages = recognise([Column("call", ["song", "unknown bird"] * 12)])
    assert set(columns[0].values) == {"song", "unknown bird"}
    assert any("'unknown bird' may mean that there is no label" in line for line in messages)


def test_spellings_in_unicode_and_white_space_are_one_class_and_case_is_a_look(here, capsys):
    composed = "Ñandú"
    ways = (composed, unicodedata.normalize("NFD", composed), "tero ", "tero", "Tero")
    filled(here, [[f"{k:02d}.wav", ways[k % 5], f"b{k % 4}"] for k in range(60)])
    _, printed = begun("data", capsys)
    assert "60 clips of 3 classes" in printed
    assert f"{composed!r} (2 ways)" in printed and "'tero' (2 ways)" in printed
    assert "look: labels that differ in case, white space or order alone" in printed
    assert "[['Tero', 'tero']]" in printed
    _, labels, hygiene = to_manifest(here, settings())
    assert sorted(set(labels["call"].to_pylist())) == ["Tero", "tero", composed]
    assert hygiene["spellings"]["call"]["tero"] == ["tero", "tero "]


# ---- splits, ranks, guesses, sets ----


@pytest.mark.parametrize("layout", ["{split}/{kind}", "{kind}/{split}"])
def test_folders_of_splits_are_no_classes(here, capsys, layout):
    for k in range(48):
        folder = layout.format(split=("Train", "valid", "test")[k % 3], kind=("hum", "hoot")[k % 2])
        put(here / "data", f"{folder}/{k}.wav", tone(300 + 9 * k, 0.1))
    entry, printed = begun("data", capsys)
    kind = layout.split("/").index("{kind}") + 1
    assert task_of(entry) == (f"folder_{kind}", None)
    assert f"look: folder_{3 - kind} names splits (Train, test, valid)" in printed
    assert "48 clips of 2 classes" in printed


def test_a_column_of_splits_is_neither_label_nor_group():
    column = Column("group", ["train", "dev", "test", "train"] * 10)
    assert column.useless == "splits of the data (dev, test, train), neither label nor group"


def cells(*values, each=12):
    return [value for value in values for _ in range(each)]


def test_the_finest_rank_is_the_label_and_a_class_of_calls_is_no_rank(here, capsys):
    n = 48
    table = {
        "file": [f"{k:02d}.wav" for k in range(n)],
        "class": cells("Mammalia", "Aves", each=24),
        "family": cells("Felidae", "Felidae", "Corvidae", "Corvidae"),
        "species": cells("Lynx lynx", "Felis catus", "Pica pica", "Corvus corax"),
        "observer": [f"o{k % 6}" for k in range(n)],
    }
    filled(here, list(zip(*table.values(), strict=True)), tuple(table))
    entry, printed = begun("data", capsys)
    assert task_of(entry) == ("species", "observer")
    assert "class: ignored: a taxonomic rank beside species" in printed
    calls = [Column("class", cells("song", "call")), Column("species", cells("a", "b"))]
    assert [c.useless for c in recognise(calls)[0]] == [None, None]


def test_a_species_code_is_no_bird():
    assert Column("Species eBird Code", cells("amecro", "norcar")).kind == "label"


def test_xeno_cantos_columns_are_known(here, capsys):
    header = ("file", "gen", "sp", "en", "rec", "loc", "date")
    rows = [
        [f"XC{k}.wav", ("Parus", "Sitta")[k % 2], ("major", "europaea")[k % 2]]
        + [("Great Tit", "Nuthatch")[k % 2], f"R{k % 7}", f"place {k % 9}", f"2020-05-{k % 5 + 1}"]
        for k in range(63)
    ]
    filled(here, rows, header)
    entry, printed = begun("data", capsys)
    assert task_of(entry) == ("en", "rec")
    assert "  or date: 5 values" in printed and "  or loc: 9 values" in printed


def test_a_persons_label_is_preferred_to_a_programs(here, capsys):
    rows = [
        [f"{k}.wav", f"cluster{k % 3}", ("Myodau", "Nyclei")[k % 2], f"n{k % 4}"] for k in range(48)
    ]
    filled(here, rows, ("IN FILE", "TOP1MATCH", "MANUAL ID", "night"))
    entry, printed = begun("data", capsys)
    assert task_of(entry)[0] == "MANUAL ID"
    assert "TOP1MATCH is a program's guess; MANUAL ID is a person's label" in printed


@pytest.mark.parametrize(
    ("name", "more", "sentence"),
    [
        ("AUTO ID", [], "look: AUTO ID is a program's guess, and no column holds a person's"),
        ("Common name", ["Confidence"], "look: Confidence is the score of a program's detections"),
    ],
)
def test_a_guess_alone_is_never_a_silent_label(here, capsys, name, more, sentence):
    rows = [
        [f"{k}.wav", ("wren", "tit")[k % 2], *[f"0.{k % 7 + 1}" for _ in more]] for k in range(48)
    ]
    filled(here, rows, ("file", name, *more))
    entry, printed = begun("data", capsys)
    assert task_of(entry)[0] == name and sentence in printed


def test_several_labels_of_a_cell_are_a_set(here, capsys):
    ways = ("jay", "owl", "owl; jay", "jay;owl ")
    filled(here, [[f"{k}.wav", ways[k % 4], f"b{k // 2 % 5}"] for k in range(60)])
    entry, printed = begun("data", capsys)
    assert entry["sets"] == {"call": ";"}
    assert "look: call: some cells hold several labels" in printed
    assert "60 clips of 3 classes" in printed and "jay;owl (30)" in printed
    _, labels, _ = to_manifest(here, settings(sets=entry["sets"]))
    assert sorted(set(labels["call"].to_pylist())) == ["jay", "jay;owl", "owl"]


def test_names_with_a_comma_are_no_set():
    columns, entry, _ = recognise([Column("who", cells("Smith, Ann", "Jones, Bo", "Li, Cy"))])
    assert "sets" not in entry and len(columns[0].values) == 3


# ---- groups ----


def test_the_file_or_the_day_of_a_table_with_bounds_is_the_group(here, capsys):
    rows = []
    for k in range(8):
        file = f"ARU_2024060{k // 2 + 1}_0{k % 2}0000.wav"
        put(here / "data", file, tone(500 + 31 * k, 12))
        rows += [[file, n, n + 1, ("hoot", "hiss")[n % 2]] for n in range(6)]
    put_table(here / "data", [["Filename", "Start", "End", "call"], *rows])
    entry, printed = begun("data", capsys)
    assert task_of(entry) == ("call", "recorded_on")
    assert "  or Filename: 8 values, 6 clips each" in printed
    assert "48 clips of 2 classes in 4 groups" in printed


def test_a_tier_of_callers_is_a_column_of_each_box(here, capsys):
    for k in range(6):
        put(here / "data", f"r{k}.wav", tone(450 + 40 * k, 10))
        call = [(n, n + 0.5, ("chuck", "peep")[n % 2]) for n in range(8)]
        caller = [(0, 3.2, "Ada"), (3.2, 6.4, "Bo"), (7.4, 10, f"Cy{k}")]
        text = textgrid({"call": call, "caller": caller}, 10, long=True)
        put_text(here / "data", f"r{k}.TextGrid", text)
    entry, printed = begun("data", capsys)
    assert task_of(entry) == ("label", "caller")
    entry["annotations"]["min_s"] = 0.02
    labels = label_columns({"path": "data", "table": "x", **entry}, here).to_pylist()
    assert [row["caller"] for row in labels[:8]] == ["Ada"] * 3 + ["Bo"] * 4 + ["Cy0"]


# ---- the same audio twice ----


def copies(here, group=False):
    """40 files; the first six are there twice, as WAV and FLAC, under the other label."""
    header, rows = ["file", "call", "bird"], []
    for k in range(40):
        sound = tone(300 + 17 * k, 0.2)
        put(here / "data", f"{k:02d}.wav", sound, subtype="PCM_16")
        rows.append([f"{k:02d}.wav", ("song", "call")[k % 2], f"b{k % 10}"])
        if k < 6:
            samples, rate = sf.read(here / f"data/{k:02d}.wav", dtype="int16")
            sf.write(here / f"data/copy{k}.flac", samples, rate)
            rows.append([f"copy{k}.flac", ("call", "song")[k % 2], f"b{k if group else k % 10}"])
    put_table(here / "data", [header, *rows])
    clips, labels, hygiene = to_manifest(here, settings())
    return clips, labels, hygiene


def sides(table):
    """(regime, repeat, clip) -> fold."""
    columns = (table[name].to_pylist() for name in ("regime", "repeat", "clip_id", "fold"))
    return {key: fold for *key, fold in zip(*columns, strict=True) for key in [tuple(key)]}


def test_copies_under_two_labels_are_counted_and_never_parted(here):
    clips, labels, hygiene = copies(here)
    assert hygiene["identical_audio"]["sets"] == 6 and hygiene["identical_audio"]["clips"] == 12
    assert hygiene["identical_audio"]["differing"] == {"call": 6}
    chosen, summary = folds.choose_clips(labels, FOLDS, clips)
    assert [sorted(same) for same in summary["identical_across_labels"]] == [
        [f"{k:02d}.wav", f"copy{k}.flac"] for k in range(6)
    ]
    table, regimes, _ = folds.assign(chosen, FOLDS)
    assert regimes == ["random"]
    fold = sides(table)
    for repeat in range(3):
        for k in range(6):
            key = ("random", repeat)
            assert fold[(*key, f"{k:02d}.wav")] == fold[(*key, f"copy{k}.flac")]
    # the inner folds and the permutations keep them together too
    ids = chosen["clip_id"].tolist()
    for repeat in repeats(table, ids):
        assert repeat.apart is not None and len(set(repeat.apart)) == 40
    # without the sounds they would have been parted somewhere
    free = sides(folds.assign(folds.choose_clips(labels, FOLDS)[0], FOLDS)[0])
    assert any(
        free[("random", r, f"{k:02d}.wav")] != free[("random", r, f"copy{k}.flac")]
        for r in range(3)
        for k in range(6)
    )


def test_groups_that_share_audio_are_one_for_the_folds(here):
    clips, labels, _ = copies(here)
    place = labels["clip_id"].to_pylist().index("copy0.flac")
    birds = labels["bird"].to_pylist()
    birds[place] = "b9"  # the sound of b0
    labels = labels.set_column(labels.column_names.index("bird"), "bird", [birds])
    chosen, summary = folds.choose_clips(labels, FOLDS | {"group": "bird"}, clips)
    assert summary["identical_across_groups"] == [["00.wav", "copy0.flac"]]
    assert summary["groups"] == 9
    for regime in ("grouped", "random"):
        fold = sides(folds.assign(chosen, FOLDS | {"group": "bird"})[0])
        assert fold[(regime, 0, "00.wav")] == fold[(regime, 0, "copy0.flac")]
    with pytest.raises(StratavoxError, match="link 10 groups into 9, fewer than the 10 folds"):
        folds.choose_clips(labels, FOLDS | {"group": "bird", "folds": 10}, clips)


def test_digital_silence_is_no_copy(here):
    for name in ("a", "b"):
        put(here / "data", f"{name}.wav", np.zeros(1600, "f4"))
    put_table(here / "data", [["file", "call"], ["a.wav", "x"], ["b.wav", "y"]])
    clips, _, hygiene = to_manifest(here, settings())
    assert clips["audio_sha256"].to_pylist() == [None, None]
    assert hygiene["identical_audio"]["sets"] == 0


def test_init_points_at_copies(here, capsys):
    for k in range(24):
        for kind in ("robin", "wren")[: 2 if k < 4 else 1]:
            put(here / "data", f"{kind}/XC{k}.wav", tone(300 + 17 * k, 0.2))
    for k in range(24, 40):
        put(here / "data", f"wren/XC{k}.wav", tone(300 + 17 * k, 0.2))
    _, printed = begun("data", capsys)
    assert "look: 4 sets of clips with one sound have different labels" in printed
    assert "robin/XC0.wav and wren/XC0.wav" in printed


# ---- rows of one clip ----


def plan(tasks, **entry):
    """The plan of a dataset with a table of windows."""
    base = {"source": "folder", "path": "data", "table": "metadata.csv", "file": "file"}
    dataset = base | {"start": "on", "end": "off", "shards": 1, "tasks": tasks} | entry
    run = {"datasets": ["d"], "encoders": ["duration_level"]}
    return plan_of(yaml.safe_dump({"run": run, "datasets": {"d": dataset}}), Path())


def test_rows_that_agree_in_what_tasks_use_are_one_clip(here):
    put(here / "data", "a.wav", tone(seconds=9))
    rows = [["a.wav", n, n + 1, ("jay", "owl")[n % 2], w] for n in range(8) for w in ("Ann", "Bo")]
    rows += [["a.wav", 8, 9, "jay", "Ann"], ["a.wav", 8, 9, "owl", "Bo"]]
    put_table(here / "data", [["file", "on", "off", "species", "annotator"], *rows])
    task = {"species": {"target": "species", "group": None}}
    plan(task)
    reasons = tables.read_table(here / "results/corpus/d/scan.parquet")["reason"].to_pylist()
    assert [r is None for r in reasons[:16]] == [True, False] * 8
    assert reasons[1] == "repeats row 2"
    assert reasons[16] == ("rows 18, 19 give one clip different values of species ('jay', 'owl')")
    # a task that uses the annotator makes them different again
    plan(task | {"who": {"target": "annotator", "group": None}})
    reasons = tables.read_table(here / "results/corpus/d/scan.parquet")["reason"].to_pylist()
    assert reasons[0] == "rows 2, 3 give one clip different values of annotator ('Ann', 'Bo')"


# ---- names that hold the labels ----


@pytest.mark.parametrize(
    ("text", "file", "fields"),
    [
        ("{bird}_{rec}.{take}", "x/F01_R7.2.wav", {"bird": "F01", "rec": "R7", "take": "2"}),
        ("{site}/{bird}_{day}", "A/north/b1_0405.WAV", {"site": "north", "bird": "b1"}),
        ("{code} - {name} - {latin}", "XC1 - Great Tit - Parus major.mp3", {"name": "Great Tit"}),
        (r"(?P<call>[a-z]+)(?P<take>\d+)", "trill07.wav", {"call": "trill", "take": "07"}),
        ("{bird}_{call}", "b1_song_2.wav", None),
        ("{bird}_{call}", "b1-song.wav", None),
        ("{site}/{bird}", "b1.wav", None),
    ],
)
def test_a_pattern_reads_a_name_whole_or_not_at_all(text, file, fields):
    values = names.pattern(text).read(file)
    assert values is None if fields is None else fields.items() <= values.items()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recording", "it has no field"),
        ("{a}{b}", "two fields stand without a text between them"),
        ("{a}_{a}", "a field occurs twice"),
        ("{my bird}_{a}", "'my bird' is no name of a field"),
        ("{file}_{a}", "the name 'file' is taken"),
        ("(?P<a>[", "not a regular expression"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused(text, message):
    with pytest.raises(StratavoxError, match=message.replace("(", r"\(")):
        names.pattern(text)


def test_a_folder_without_a_table_is_read_by_its_names(here, capsys):
    for k in range(60):
        name = f"F{k % 5:02d}_2021051{k // 5 % 3}-{('peep', 'trill')[k % 2]}-{k:02d}.wav"
        put(here / "data", name, tone(300 + 11 * k, 0.1))
    put(here / "data", "readme note.wav", tone(299, 0.1))
    entry, printed = begun("data", capsys)
    assert entry["name"] == "{individual}_{date}-{type}-{take}" and "table" not in entry
    assert task_of(entry) == ("type", "individual")
    assert "F00_20210510-peep-00.wav: individual F00, date 20210510, type peep, take 00" in printed
    assert "look: 1 names do not fit it and are left out, such as readme note.wav" in printed
    assert "60 clips of 2 classes in 5 groups" in printed
    reason = "the name 'readme note.wav' does not fit the pattern '{individual}_{date}-{type}-"
    assert reason in printed
    # the run has the same columns, and knows when a file comes
    wanted = {"path": "data", "shards": 1, "channel": "mean", "trim_zeros": False, "max_bad": 0.05}
    wanted |= {"name": entry["name"]} | names.as_table(entry["name"])
    clips, labels, _ = to_manifest(here, wanted)
    assert len(clips) == 60
    for row in labels.to_pylist():
        bird, rest = row["clip_id"].removesuffix(".wav").split("_")
        assert (row["individual"], [row["date"], row["type"], row["take"]]) == (
            bird,
            rest.split("-"),
        )
    put(here / "data", "F00_20210510-peep-77.wav", tone(2000, 0.1))
    with pytest.raises(StratavoxError, match="changed since it was scanned"):
        to_labels = settings() | wanted
        folds.labels_of(to_labels, here / "scan.parquet", clips, here)


def test_a_table_gets_the_columns_of_its_files_names(here):
    filled(here, [["b1_song.wav", "x"], ["b2_call.wav", "y"], ["odd.wav", "y"]], ("file", "call"))
    wanted = settings(name="{bird}_{kind}")
    assert label_columns(wanted, here)["bird"].to_pylist() == ["b1", "b2", ""]
    reasons = scan(wanted, here, here / "scan.parquet")["reason"].to_pylist()
    assert reasons[2].startswith("the name 'odd.wav' does not fit the pattern '{bird}_{kind}'")
    with pytest.raises(StratavoxError, match="column 'call' is also a field"):
        label_columns(settings(name="{call}_{kind}"), here)


def test_real_names_of_zebra_finches_are_parsed_as_by_their_authors(shared):
    with open(shared / "data/zebra_finch_filenames.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    text = from_names.guess([row["fn"] for row in rows])
    assert text.startswith("{individual}_{date}-{type}-")
    values = [names.pattern(text).read(row["fn"]) for row in rows]
    fitting = [(row, value) for row, value in zip(rows, values, strict=True) if value]
    assert len(fitting) > 0.95 * len(rows)
    for row, value in fitting:
        assert (value["individual"], value["type"]) == (row["bird_raw"], row["call_raw"])


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (["robin1.wav", "wren2.wav", "robin3.wav"], r"(?P<type>[^\W\d_]+)(?P<take>\d+)"),
        (["a 2021-05-01 x1.wav", "b 2021-05-02 x2.wav"] * 2, "{type} {date} {individual}"),
        (["x.wav", "why.wav"], None),
    ],
)
def test_guessed_patterns(files, text):
    assert from_names.guess(files) == text
