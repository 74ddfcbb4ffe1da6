"""People's real files: which recording and which channel is meant, from folder to stored clips."""

import csv
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import yaml

import stage_jobs
from annotation_files import annotated, put_lines, put_raven
from corpus_data import put, put_table, settings, tone
from stratavox import audio, tables
from stratavox.corpus import clips, inspect
from stratavox.corpus.channels import channel_of
from stratavox.corpus.identity import clip_name
from stratavox.corpus.labels import label_columns, user_rows
from stratavox.corpus.scan import scan
from stratavox.errors import StratavoxError
from stratavox.init.command import start
from stratavox.plan import plan_of

RATE = 16000


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The user's working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def begun(folder, capsys):
    """The dataset's entry that `init` writes, its scan and labels as in a run, what it prints."""
    start(Path(folder), Path("run.yaml"), True)
    text = Path("run.yaml").read_text(encoding="utf-8")
    (name,) = yaml.safe_load(text)["run"]["datasets"]
    plan = plan_of(text, Path())
    rows = tables.read_table(f"results/corpus/{name}/scan.parquet").to_pylist()
    labels = label_columns(plan.corpus_settings(name), Path()).to_pylist()
    entry = yaml.safe_load(text)["datasets"][name]
    return entry, rows, labels, capsys.readouterr().out


def stored(plan_settings: dict, root: Path) -> dict[str, np.ndarray]:
    """The samples of each clip of a dataset with one shard, as the run stores them."""
    scan(plan_settings, root, root / "scan.parquet")
    inspect.inspect_shard(plan_settings, root / "scan.parquet", 0, root / "inspect.parquet", {})
    clips.store(plan_settings, root / "inspect.parquet", RATE, root / "clips.parquet", {})
    rows = tables.read_table(root / "clips.parquet").to_pylist()
    return {row["clip_id"]: audio.decode(row["audio"]["bytes"])[0] for row in rows}


def peaks(samples: np.ndarray, *hz: float) -> list[float]:
    """The amplitudes of tones in ``samples``."""
    times = np.arange(len(samples)) / RATE
    return [2 * abs(np.mean(samples * np.exp(-2j * np.pi * f * times))) for f in hz]


# ---- channels ----


def pairs(folder, names, seconds=6.0):
    """Stereo recordings: a tone of 600 Hz in the first channel, 2600 Hz in the second.

    Weak noise tells them apart, as identical audio in several groups is refused.
    """
    both = np.stack([tone(600, seconds), tone(2600, seconds, level=0.2)], axis=1)
    rng = np.random.default_rng(0)
    for name in names:
        put(folder, name, both + rng.normal(0, 5e-4, both.shape))


def test_ravens_channel_is_the_channel_of_the_clip(here, capsys):
    pairs(here / "data", [f"N{k}.wav" for k in range(3)])
    for k in range(3):
        lines = [["Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Species"]]
        for n in range(10):
            channel, species = (1, "owl") if n % 2 else (2, "frog")
            # the times of two channels are equal: two clips all the same
            begin = n // 2 + 0.1
            lines.append([n, f"Spectrogram {channel}", channel, begin, begin + 0.5, species])
        put_lines(here / "data", f"N{k}.Table.1.selections.txt", lines)
    entry, rows, _, printed = begun("data", capsys)
    assert entry["channel"] == {"column": "Channel", "first": 1}
    assert "'Channel' chooses the channel of each clip, counted from 1" in printed
    assert len({row["clip_id"] for row in rows}) == 30 == sum(not row["reason"] for row in rows)
    wanted = annotated() | {"channel": entry["channel"]}
    labels = {row["row"]: row["Species"] for row in label_columns(wanted, here).to_pylist()}
    species = {row["clip_id"]: labels[row["row"]] for row in rows}
    for clip_id, samples in stored(wanted, here).items():
        own, other = (600, 2600) if species[clip_id] == "owl" else (2600, 600)
        loud, silent = peaks(samples, own, other)
        assert loud > 0.19 and silent < 1e-4, clip_id


@pytest.mark.parametrize(
    ("values", "first"), [(("1", "2"), 1), (("0", "1"), 0), (("left", "R"), 1), (("1.0", "2.0"), 1)]
)
def test_a_tables_channel_column(here, capsys, values, first):
    pairs(here / "data", ["a.wav", "b.wav", "c.wav"])
    rows = [
        [f"{'abc'[n % 3]}.wav", n // 3 / 2, n // 3 / 2 + 0.4, values[n % 2], f"call {n % 2}", n % 4]
        for n in range(30)
    ]
    put_table(here / "data", [["file", "onset", "offset", "channel", "call", "bird"], *rows])
    entry, _, _, _ = begun("data", capsys)
    assert entry["channel"] == {"column": "channel", "first": first}
    wanted = settings(start="onset", end="offset", channel=entry["channel"])
    sounds = stored(wanted, here)
    for file, onset, offset, _, call, _ in rows:
        number = int(call[-1])
        samples = sounds[clip_name(file, float(onset), float(offset), number)]
        hz = (600, 2600)[:: -1 if number else 1]
        assert peaks(samples, *hz)[0] > 0.19 and peaks(samples, *hz)[1] < 1e-4


def test_a_channel_column_that_does_not_fit_is_not_used_and_this_is_said(here, capsys):
    pairs(here / "data", ["a.wav"], seconds=30)
    rows = [["a.wav", n, n + 0.5, n % 3 + 1, f"c{n % 2}", f"b{n % 4}"] for n in range(28)]
    put_table(here / "data", [["file", "start", "end", "channel", "call", "bird"], *rows])
    entry, _, _, printed = begun("data", capsys)
    assert entry["channel"] == "mean"
    assert "look: column 'channel' is not used, so each clip is the mean" in printed


def test_one_channel_alone_is_a_look(here, capsys):
    pairs(here / "data", ["a.wav"], seconds=30)
    rows = [["a.wav", n, n + 0.5, 1, f"c{n % 2}", f"b{n % 4}"] for n in range(28)]
    put_table(here / "data", [["file", "start", "end", "channel", "call", "bird"], *rows])
    entry, _, _, printed = begun("data", capsys)
    assert entry["channel"] == {"column": "channel", "first": 1}
    assert "do not show whether the first channel is 1 or 0: 1 is taken" in printed


def test_a_channel_that_the_file_lacks_rejects_the_row_alone(here):
    pairs(here / "data", ["a.wav"])
    put(here / "data", "mono.wav", tone(seconds=1))
    cells = [("a.wav", "2"), ("mono.wav", "2"), ("a.wav", ""), ("a.wav", "both"), ("a.wav", "0")]
    put_table(here / "data", [["file", "ch"], *cells])
    wanted = settings(channel={"column": "ch", "first": 1})
    scan(wanted, here, here / "scan.parquet")
    reasons = [row["reason"] for row in tables.read_table(here / "scan.parquet").to_pylist()]
    assert reasons == [
        None,
        None,
        "channel '' is not a number, left or right",
        "channel 'both' is not a number, left or right",
        "channel '0' is below the first, 1 (config key channel.first)",
    ]
    inspect.inspect_shard(wanted, here / "scan.parquet", 0, here / "part.parquet", {})
    inspected = tables.read_table(here / "part.parquet").to_pylist()
    assert [(row["clip_id"], row["reason"]) for row in inspected] == [
        ("a.wav#2", None),
        ("mono.wav#2", "there is no channel 1 counted from 0 (2 counted from 1): it has 1"),
    ]


def test_without_a_column_clips_keep_their_names(here):
    pairs(here / "data", ["a.wav"])
    put_table(here / "data", [["file", "channel"], ["a.wav", "2"]])
    (row,) = scan(settings(), here, here / "scan.parquet").to_pylist()
    assert (row["clip_id"], row["channel"]) == ("a.wav", None)


@pytest.mark.parametrize(("cell", "first", "channel"), [(" Left ", 0, 0), ("R", 1, 1), ("3", 1, 2)])
def test_channels_by_number_and_side(cell, first, channel):
    assert channel_of(cell, first) == channel


# ---- Raven's tables over several folders ----


def sites(folder, names=("0430", "0530"), places=("NORTH", "SOUTH"), seconds=5):
    """Recordings of the same names in two folders, told apart by their tones."""
    for k, place in enumerate(places):
        for n, name in enumerate(names):
            put(folder / place, f"{name}.WAV", tone(500 + 1000 * k + 100 * n, seconds))


def combined(folder, name, columns, places=("NORTH", "SOUTH"), root="E:\\july\\", each=6):
    """One Raven table over both sites, as Raven counts: times of all files that were open."""
    boxes = []
    for k, place in enumerate(places):
        for n, file in enumerate(("0430.WAV", "0530.WAV")):
            for m in range(each):
                begin = (2 * k + n) * 5 + m * 0.7
                cells = {"Begin File": file, "Begin Path": f"{root}{place}\\{file}"}
                cells["File Offset (s)"] = f"{m * 0.7:.3f}"
                extra = [cells[column] for column in columns]
                boxes.append((begin, begin + 0.5, *extra, ("wren", "robin")[m % 2]))
    put_raven(folder, name, boxes, list(columns))


ALL = ("Begin File", "Begin Path", "File Offset (s)")


@pytest.mark.parametrize("name", ["all.selections.txt", "NORTH/all.selections.txt"])
def test_a_combined_table_is_told_apart_by_its_paths(here, capsys, name):
    sites(here / "data")
    combined(here / "data", name, ALL)
    _, rows, _, printed = begun("data", capsys)
    kept = [row for row in rows if not row["reason"]]
    assert len(kept) == 24
    assert {row["file"] for row in kept} == {
        f"{place}/{name}.WAV" for place in ("NORTH", "SOUTH") for name in ("0430", "0530")
    }
    assert "24 of 24 clips name a recording that is there" in printed
    wanted = annotated()
    sounds = stored(wanted, here)
    for row in kept:
        place, file = row["file"].split("/")
        hz = 500 + 1000 * (place == "SOUTH") + 100 * (file == "0530.WAV")
        assert peaks(sounds[row["clip_id"]], hz)[0] == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("name", ["all.selections.txt", "NORTH/all.selections.txt"])
def test_without_paths_it_is_refused_and_the_advice_works(here, capsys, name):
    sites(here / "data")
    combined(here / "data", name, ("Begin File", "File Offset (s)"))
    with pytest.raises(StratavoxError) as error:
        scan(annotated(), here, here / "scan.parquet")
    message = str(error.value)
    assert "0430.WAV" in message and "add the measurement 'Begin Path' in Raven" in message
    assert message.count("0430.WAV' fits 2") <= 1, "each reason once"
    combined(here / "data", name, ALL)
    rows = scan(annotated(), here, here / "scan.parquet").to_pylist()
    assert not [row for row in rows if row["reason"]]


def test_a_table_beside_the_files_that_it_names_is_of_these(here):
    sites(here / "data")
    for place in ("NORTH", "SOUTH"):
        columns = ("Begin File", "File Offset (s)")
        combined(here / "data", f"{place}/all.selections.txt", columns, (place,))
    rows = scan(annotated(), here, here / "scan.parquet").to_pylist()
    assert {row["file"] for row in rows if not row["reason"]} == {
        f"{place}/{name}.WAV" for place in ("NORTH", "SOUTH") for name in ("0430", "0530")
    }


def test_a_site_that_is_missing_takes_no_other_sites_recordings(here):
    sites(here / "data", places=("SOUTH",))
    combined(here / "data", "SOUTH/all.txt", ALL)
    rows = scan(annotated(), here, here / "scan.parquet").to_pylist()
    assert sum(row["reason"] is None for row in rows) == 12
    (reason,) = {row["reason"] for row in rows if row["reason"]} - {
        "'E:\\july\\NORTH\\0530.WAV' and 'E:\\july\\SOUTH\\0530.WAV' are two files, but only "
        "'SOUTH/0530.WAV' fits them",
        "'E:\\july\\NORTH\\0530.WAV' fits 'SOUTH/0530.WAV' by its name, but other cells mean that "
        "folder by 'july/SOUTH'",
    }
    assert "NORTH\\0430.WAV" in reason


def test_an_annotation_is_not_of_another_folders_recording(here):
    sites(here / "data")
    put_raven(here / "data", "NORTH/0630.txt", [("1", "2", "wren")])
    put(here / "data", "SOUTH/0630.WAV", tone(seconds=3))
    put_raven(here / "data", "SOUTH/0430.txt", [("1", "2", "wren")])
    rows = scan(annotated(), here, here / "scan.parquet").to_pylist()
    assert [row["clip_id"] for row in rows if not row["reason"]] == [
        "SOUTH/0430.WAV@1.000000-2.000000"
    ]
    assert "'SOUTH/0630.WAV' has its name, but there are recordings beside it" in rows[0]["reason"]


def test_a_list_of_pairs_may_be_written_on_windows(here):
    sites(here / "data")
    put_raven(here / "data", "notes/n.txt", [("1", "2", "wren")])
    put_table(
        here / "data", [["recording", "annotation"], ["NORTH\\0430.wav", "notes\\n.txt"]], "p.csv"
    )
    rows = scan(annotated(list="p.csv"), here, here / "scan.parquet").to_pylist()
    assert rows[0]["clip_id"] == "NORTH/0430.WAV@1.000000-2.000000"


# ---- names with dots ----


def test_names_with_dots_are_whole(here, capsys):
    for k in range(4):
        name = f"6110.2204{k}0063000"
        put(here / "data", f"{name}.wav", tone(1000 + k, seconds=8))
        boxes = [(str(n), str(n + 0.5), ("whup", "grunt")[n % 2]) for n in range(6)]
        put_raven(here / "data", f"{name}.Table.1.selections.txt", boxes)
    entry, rows, _, printed = begun("data", capsys)
    assert "4 named as a recording is" in printed
    (task,) = entry["tasks"].values()
    assert task["group"] == "file"
    assert len({row["file"] for row in rows if not row["reason"]}) == 4


def test_a_longer_name_is_not_the_beginning_of_it(here):
    put(here / "data", "6110.wav", tone(seconds=3))
    put(here / "data", "6110.1.wav", tone(seconds=3))
    put_raven(here / "data", "6110.220400063000.Table.1.txt", [("1", "2", "wren")])
    put_raven(here / "data", "6110.1.txt", [("1", "2", "wren")])
    rows = scan(annotated(), here, here / "scan.parquet").to_pylist()
    assert [row["clip_id"] for row in rows if not row["reason"]] == ["6110.1.wav@1.000000-2.000000"]
    assert "'6110.wav' has only the beginning of this name" in rows[1]["reason"]


# ---- file cells ----


def calls(folder, names, written=None, columns=("file", "call", "bird"), table="labels.csv"):
    """Recordings in ``folder`` with a table that names them by ``written``."""
    for k, name in enumerate(names):
        put(folder, name, tone(300 + 10 * k, seconds=0.05))
    rows = [
        [written(name) if written else name, f"call {k % 2}", f"bird {k // 2 % 4}"]
        for k, name in enumerate(names)
    ]
    put_table(folder, [list(columns), *rows], table)
    return rows


NAMES = [f"wav/day {k % 2}/ñandú.{k:02d}.WAV" for k in range(24)]
WRITTEN = {
    "Windows separators": lambda name: name.replace("/", "\\"),
    "Windows separators, other folders": lambda name: "D:\\july\\" + name.replace("/", "\\"),
    "Unicode form": lambda name: unicodedata.normalize("NFD", name),
    "case": lambda name: name.replace(".WAV", ".wav"),
    "percent encoding": lambda name: name.replace(" ", "%20"),
    "ending": lambda name: name.removesuffix(".WAV"),
    "other folders": lambda name: name.rpartition("/")[2],
}


@pytest.mark.parametrize("how", WRITTEN)
def test_cells_that_are_written_otherwise_are_followed(here, capsys, how):
    rows = calls(here / "data", NAMES, WRITTEN[how])
    entry, scanned, labels, printed = begun("data", capsys)
    assert [row["file"] for row in scanned] == NAMES
    assert [row["call"] for row in labels] == [row[1] for row in rows]
    (task,) = entry["tasks"].values()
    assert (task["target"], task["group"]) == ("call", "bird")
    assert f"24 cells name a recording in another way ({how})" in printed


def test_a_part_of_the_name_is_a_key_in_the_config(here, capsys):
    names = [f"XC{4000 + k} - Parus {'ab'[k % 2]}.wav" for k in range(24)]
    calls(here / "data", names, lambda name: name[2:6], ("id", "call", "bird"))
    entry, scanned, _, printed = begun("data", capsys)
    assert (entry["file"], entry["file_name"]) == ("id", "XC{}*")
    assert [row["file"] for row in scanned] == names
    assert "look: cells of 'id' are parts of the recordings' names, 'XC{}*'" in printed


def test_a_name_that_goes_on_after_its_number(here, capsys):
    names = [f"s/XC{4000 + k}_Parus {'ab'[k % 2]}.mp3.wav" for k in range(24)]
    calls(here / "data", names, lambda name: name[2:8], ("nr", "call", "bird"))
    entry, scanned, _, _ = begun("data", capsys)
    assert entry["file_name"] == "{}*"
    assert [row["file"] for row in scanned] == names


def test_annotation_files_beside_a_table_are_a_look(here, capsys):
    calls(here / "data", NAMES)
    put_raven(here / "data", "wav/day 0/ñandú.00.txt", [("0.01", "0.02", "wren")])
    printed = begun("data", capsys)[3]
    assert "look: 1 Raven selection tables are not used, as a table names the" in printed


def test_names_that_recur_are_refused_with_both(here):
    calls(here / "data", [f"s{k % 2}/{k // 2}.wav" for k in range(24)], lambda name: name[3:])
    with pytest.raises(
        StratavoxError, match=r"column 'file' .* '0\.wav' fits 2 .*, 's0/0\.wav' and"
    ):
        start(Path("data"), None, False)
    wanted = settings(table="labels.csv", max_bad=1.0)
    rows = scan(wanted, here, here / "scan.parquet").to_pylist()
    assert all("fits 2 recordings" in row["reason"] for row in rows)


def test_a_file_that_is_missing_from_its_folder_is_not_taken_from_another(here):
    calls(here / "data", ["song/1.wav", "alarm/1.wav", "alarm/2.wav"])
    (here / "data/song/1.wav").unlink()
    put(here / "data", "song/3.wav")
    rows = scan(settings(table="labels.csv"), here, here / "scan.parquet").to_pylist()
    assert "'alarm/1.wav' has its name, but lies in none of the folders" in rows[0]["reason"]
    assert [row["clip_id"] for row in rows] == [None, "alarm/1.wav", "alarm/2.wav"]


# ---- several tables ----


def two_tables(folder):
    first = calls(folder, [f"a/{k:02d}.wav" for k in range(20)], table="train.csv")
    return first + calls(folder, [f"b/{k:02d}.wav" for k in range(14)], table="test.csv")


def test_tables_with_the_same_columns_are_read_together(here, capsys):
    rows = two_tables(here / "data")
    entry, scanned, labels, printed = begun("data", capsys)
    assert sorted(entry["table"]) == ["test.csv", "train.csv"]
    assert len(scanned) == len(rows) == 34 == sum(row["reason"] is None for row in scanned)
    by_file = {row["file"]: (row["call"], row["bird"]) for row in labels}
    assert by_file == {file: (call, bird) for file, call, bird in rows}
    assert {(row["file"][0], row["table"]) for row in labels} == {("a", "train"), ("b", "test")}
    (task,) = entry["tasks"].values()
    assert (task["target"], task["group"]) == ("call", "bird")
    assert "2 tables with the same columns are read together" in printed


def test_tables_of_each_site_name_their_own_recordings(here, capsys):
    for place in ("north", "south"):
        calls(here / "data" / place, [f"{k:02d}.wav" for k in range(12)])
    entry, scanned, labels, _ = begun("data", capsys)
    assert entry["path"] == "data" and len(entry["table"]) == 2
    assert len({row["clip_id"] for row in scanned}) == 24
    for row, own in zip(scanned, labels, strict=True):
        assert row["file"] == f"{own['table'].removesuffix('/labels')}/{own['file']}"


def test_a_table_that_cannot_be_united_is_left_out_with_its_number_of_rows(here, capsys):
    calls(here / "data", [f"a/{k:02d}.wav" for k in range(24)], table="one.csv")
    columns = ("file", "call", "animal")
    calls(here / "data", [f"b/{k:02d}.wav" for k in range(9)], None, columns, "two.csv")
    entry, _, _, printed = begun("data", capsys)
    assert entry["table"] == "one.csv"
    assert "look: table two.csv is left out, with 9 rows of 9 recordings that one.csv" in printed


def test_a_part_of_a_table_is_not_read_twice(here, capsys):
    rows = calls(here / "data", [f"a/{k:02d}.wav" for k in range(24)], table="all.csv")
    put_table(here / "data", [["file", "call", "bird"], *rows[:10]], "valid.csv")
    entry, scanned, _, printed = begun("data", capsys)
    assert (entry["table"], len(scanned)) == ("all.csv", 24)
    assert "table valid.csv is not used: all.csv names its recordings too" in printed


def test_rows_of_several_tables_are_named_by_their_table(here):
    two_tables(here / "data")
    (here / "data/b/03.wav").unlink()
    wanted = settings(table=["train.csv", "test.csv"])
    (bad,) = [r for r in scan(wanted, here, here / "scan.parquet").to_pylist() if r["reason"]]
    assert bad["file"] == "b/03.wav"
    assert user_rows(wanted, here).place(bad["row"]) == "5 of test.csv"


def test_tables_with_other_columns_are_refused_by_name(here):
    two_tables(here / "data")
    with open(here / "data/test.csv", encoding="utf-8") as file:
        rows = [row[:2] for row in csv.reader(file)]
    put_table(here / "data", rows, "test.csv")
    with pytest.raises(
        StratavoxError, match=r"test\.csv: there is no column 'bird', which .*train"
    ):
        scan(settings(table=["train.csv", "test.csv"]), here, here / "scan.parquet")


# ---- links ----


def test_links_to_folders_are_followed_once(here, capsys):
    names = [f"s{k % 2}/{k:02d}.wav" for k in range(24)]
    calls(here / "disk", names)
    (here / "data").mkdir()
    os.rename(here / "disk/labels.csv", here / "data/labels.csv")
    for place in ("s0", "s1"):
        os.symlink(here / "disk" / place, here / "data" / place)
    os.symlink(here / "data", here / "disk/s0/back")  # a circle
    os.symlink(here / "disk/s0", here / "data/s0 again")
    os.symlink(here / "unmounted", here / "data/s2")
    _, scanned, _, printed = begun("data", capsys)
    assert [row["file"] for row in scanned] == names
    assert "data: 24 recordings" in printed
    assert "links to folders, followed: s0, s1" in printed
    assert "look: 1 links lead to nothing that is there: s2" in printed


def test_annotation_files_behind_links_are_read(here):
    put(here / "disk", "a.wav", tone(seconds=3))
    put_raven(here / "disk", "a.txt", [("1", "2", "wren")])
    (here / "data").mkdir()
    os.symlink(here / "disk", here / "data/site")
    rows = scan(annotated(), here, here / "scan.parquet").to_pylist()
    assert [row["clip_id"] for row in rows] == ["site/a.wav@1.000000-2.000000"]


# ---- what reruns ----


def keys_of(here, **entry) -> dict[str, str]:
    config = stage_jobs.default_config()
    base = {"source": "folder", "path": "data", "table": "labels.csv", "file": "file", "shards": 1}
    task = {"target": "call", "group": "bird"}
    config["datasets"] = {"songs": base | entry | {"tasks": {"call": task}}}
    config["run"] = {"datasets": ["songs"], "encoders": ["logmel"]}
    files = {
        "inspect": "results/corpus/songs/inspect/part-000.parquet",
        "manifest": "results/corpus/songs/labels.parquet",
        "folds": "results/folds/songs/call.parquet",
    }
    return stage_jobs.keys(config, here, files)


def test_another_way_of_writing_a_path_changes_no_clip(here):
    calls(here / "data", NAMES)
    before = keys_of(here)
    put(here / "data", "wav/unnamed.wav")
    assert keys_of(here) == before
    calls(here / "data", NAMES, WRITTEN["Windows separators"])
    after = keys_of(here)
    assert after["inspect"] == before["inspect"] and after["folds"] == before["folds"]
