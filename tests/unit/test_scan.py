"""Which clips there are, what they are called, and what changes their digests."""

import csv
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus_data import put, put_table, settings, tone
from stratavox import tables
from stratavox.corpus import files
from stratavox.corpus.identity import shard_digest, shard_digests, shard_of
from stratavox.corpus.labels import label_columns, label_digest
from stratavox.corpus.scan import scan
from stratavox.errors import StratavoxError

SEGMENTS = settings(start="onset", end="offset")


@pytest.fixture
def data(tmp_path):
    """A folder of three files with a table."""
    for hz, name in enumerate(("a.wav", "b.wav", "sub/a.wav"), start=1):
        put(tmp_path / "data", name, tone(500 * hz))
    put_table(
        tmp_path / "data",
        [
            ["file", "call", "bird"],
            ["a.wav", "x", "1"],
            ["b.wav", "y", "1"],
            ["sub/a.wav", "x", ""],
        ],
    )
    return tmp_path / "data"


def scanned(data, **more):
    root = data.parent
    return scan(settings(**more), root, root / "scan.parquet").to_pylist()


def test_each_row_becomes_a_clip_with_its_files_hash(data):
    rows = scanned(data, shards=5)
    assert [r["clip_id"] for r in rows] == ["a.wav", "b.wav", "sub/a.wav"]
    assert [r["row"] for r in rows] == [2, 3, 4]
    assert len({r["sha256"] for r in rows}) == 3
    assert [r["shard"] for r in rows] == [shard_of(r["clip_id"], 5) for r in rows]
    assert all(r["reason"] is r["start_s"] is r["end_s"] is None for r in rows)
    assert tables.read_table(data.parent / "scan.parquet").to_pylist() == rows
    provenance = tables.read_provenance(data.parent / "scan.parquet")
    assert (provenance["path"], provenance["table"]) == ("data", "metadata.csv")


def test_shards_are_those_of_sha1():
    # printf a.wav | sha1sum, the number taken modulo 7
    assert [shard_of("a.wav", 7), shard_of("a.wav", 1)] == [3, 0]


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b""])
def test_a_byte_order_mark_is_no_part_of_the_first_column(data, start):
    (data / "metadata.csv").write_bytes(start + "file,Ruf\na.wav,Möwe\n".encode())
    assert scanned(data)[0]["clip_id"] == "a.wav"
    assert label_columns(settings(), data.parent).column_names == ["row", "file", "Ruf"]


def test_cells_stay_strings(data):
    put_table(data, [["file", "label"], ["a.wav", "007"], ["b.wav", "NA"], ["sub/a.wav", " 1.0"]])
    labels = label_columns(settings(), data.parent)
    assert labels["label"].to_pylist() == ["007", "NA", "1.0"]
    assert labels["row"].to_pylist() == [2, 3, 4]


def test_tsv(data):
    put_table(data, [["file", "label"], ["a.wav", "one, two"]], "clips.tsv")
    assert scanned(data, table="clips.tsv")[0]["clip_id"] == "a.wav"
    labels = label_columns(settings(table="clips.tsv"), data.parent)
    assert labels["label"].to_pylist() == ["one, two"]


def test_empty_lines_and_columns_without_a_name_are_left_out(data):
    (data / "metadata.csv").write_text(",file,x\n0,a.wav,1\n\n,,\n1,b.wav,2\n")
    assert [r["row"] for r in scanned(data)] == [2, 5]
    assert label_columns(settings(), data.parent).column_names == ["row", "file", "x"]


NAMES = ["with space.wav", "it's.wav", 'a "quoted", name.wav', "grün/Möwe ß.wav", "a@0.5-1.wav"]


def test_names_with_spaces_quotes_and_umlauts(tmp_path):
    for name in NAMES:
        put(tmp_path / "data", name)
    put_table(tmp_path / "data", [["file", "x"], *([name, "1"] for name in NAMES)])
    rows = scanned(tmp_path / "data")
    assert [r["clip_id"] for r in rows] == NAMES
    assert all(r["reason"] is None and r["sha256"] for r in rows)


def test_two_recordings_of_one_name_in_different_folders_are_two_clips(data):
    rows = {r["clip_id"]: r["sha256"] for r in scanned(data)}
    assert rows["a.wav"] != rows["sub/a.wav"]


def test_one_file_written_in_two_ways_is_one_clip(data):
    absolute = str((data / "a.wav").resolve())
    put_table(data, [["file"], ["./a.wav"], ["sub/../a.wav"], [absolute]])
    rows = scanned(data)
    assert [r["clip_id"] for r in rows] == ["a.wav"] * 3
    assert [r["reason"] for r in rows] == [None, "repeats row 2", "repeats row 2"]


@pytest.mark.parametrize("cell", ["../a.wav", "sub/../../a.wav", "/etc/passwd"])
def test_a_path_that_leaves_the_folder_is_an_error(data, cell):
    put_table(data, [["file"], ["a.wav"], [cell]])
    with pytest.raises(StratavoxError, match=r"metadata\.csv: row 3: .* lies outside .* move it"):
        scanned(data)


def test_a_file_whose_name_starts_with_dots_does_not_leave_the_folder(data):
    put(data, "..a.wav")
    put_table(data, [["file"], ["..a.wav"]])
    assert scanned(data)[0]["reason"] is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (["gone.wav", "x", "1"], "missing file"),
        (["sub", "x", "1"], "not a file"),
        (["", "x", "1"], "no file is named in column 'file'"),
        (["  ", "x", "1"], "no file is named in column 'file'"),
        (["a.wav/b.wav", "x", "1"], "cannot be read"),
        (["nul\0.wav", "x", "1"], "cannot be read"),
        (["a.wav", "x"], "2 cells, but the header has 3"),
        (["a.wav", "x", "1", "2"], "4 cells, but the header has 3"),
    ],
)
def test_a_row_that_cannot_be_used_is_rejected_alone(data, row, reason):
    put_table(data, [["file", "call", "bird"], row, ["b.wav", "y", "1"]])
    bad, kept = scanned(data)
    assert reason in bad["reason"]
    assert bad["shard"] is bad["sha256"] is None
    assert (kept["clip_id"], kept["row"], kept["reason"]) == ("b.wav", 3, None)
    assert len(label_columns(settings(), data.parent)) == 2


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        ("0.4", "0.2", "start 0.4 is not before end 0.2"),
        ("0.2", "0.2", "start 0.2 is not before end 0.2"),
        ("0.2", "0.2000001", "is not before end"),
        ("-0.1", "0.2", "start -0.1 is negative"),
        ("early", "0.2", "start 'early' is not a number of seconds"),
        ("0.1", "", "end '' is not a number of seconds"),
        ("0,1", "0,2", "end '0,2' is not a number of seconds"),  # beside a decimal point
        ("nan", "0.2", "start 'nan' is not a number of seconds"),
        ("0.1", "inf", "end 'inf' is not a number of seconds"),
    ],
)
def test_bounds_that_make_no_segment_reject_the_row_alone(data, start, end, reason):
    put_table(data, [["file", "onset", "offset"], ["a.wav", start, end], ["a.wav", "0", ".25"]])
    bad, kept = scanned(data, **SEGMENTS)
    assert reason in bad["reason"]
    assert bad["clip_id"] is None
    assert kept["clip_id"] == "a.wav@0.000000-0.250000"
    assert (kept["start_s"], kept["end_s"], kept["reason"]) == (0.0, 0.25, None)


def test_equal_rows_are_merged(data):
    table = [["file", "call"], ["a.wav", "x"], ["b.wav", "y"], ["a.wav", "x"], ["a.wav", "x"]]
    put_table(data, table)
    assert [r["reason"] for r in scanned(data)] == [None, None, *["repeats row 2"] * 2]


def test_segments_equal_to_the_microsecond_are_one_clip(data):
    table = [["file", "onset", "offset"], ["a.wav", "0.10", "0.2"], ["a.wav", ".1", "0.20000001"]]
    put_table(data, table)
    assert [r["reason"] for r in scanned(data, **SEGMENTS)] == [None, "repeats row 2"]


def test_rows_that_label_one_clip_differently_are_all_rejected(data):
    table = [["file", "call", "bird"], ["a.wav", "x", "1"], ["b.wav", "x", "1"]]
    put_table(data, [*table, ["a.wav", "y", "1"], ["a.wav", "x", "1"]])
    reasons = [r["reason"] for r in scanned(data)]
    message = "rows 2, 4, 5 give one clip different values of call ('x', 'y')"
    assert reasons == [message, None, message, message]


def test_a_missing_column_is_named_beside_those_there_are(data):
    message = (
        r"metadata\.csv: there is no column 'path' \(config key 'file'\); .*: file, call, bird;"
    )
    with pytest.raises(StratavoxError, match=message):
        scanned(data, file="path")
    with pytest.raises(StratavoxError, match=r"no column 'offset' \(config key 'end'\)"):
        scanned(data, start="call", end="offset")


@pytest.mark.parametrize(
    ("data_", "message"),
    [
        (b"", "an empty table"),
        (b"file,label\n", "an empty table: it needs a header and a row for each clip"),
        (b"file,label\n\n,\n", "an empty table"),
        ("file\nM\xf6we.wav\n".encode("latin-1"), r"not UTF-8 \(byte 0xf6 at position 6\); save"),
        (b'file,label\n"a.wav,x\nb.wav,y\n', "line 3: unexpected end of data; correct the table"),
        (b"file,x,x\na.wav,1,2\n", "two columns are called 'x'; rename"),
        (b"file,clip_id\na.wav,1\n", "column name 'clip_id' is taken"),
        (b"row,file\n1,a.wav\n", "column name 'row' is taken"),
        (b"wav;label\na.wav;x\n", "no column 'file' .* columns are: wav, label"),
    ],
)
def test_a_table_that_cannot_be_used_is_an_error(data, data_, message):
    (data / "metadata.csv").write_bytes(data_)
    with pytest.raises(StratavoxError, match=rf"metadata\.csv: .*{message}"):
        scanned(data)
    assert not (data.parent / "scan.parquet").exists()


def test_missing_folder_table_and_kind_of_table_are_errors(data):
    with pytest.raises(StratavoxError, match="nowhere: no such folder of recordings; .* 'path'"):
        scanned(data, path="nowhere")
    with pytest.raises(StratavoxError, match=r"other\.csv: no such table; .* 'table'"):
        scanned(data, table="other.csv")
    with pytest.raises(StratavoxError, match=r"clips\.xlsx: a table must be text .* as CSV"):
        scanned(data, table="clips.xlsx")


def test_ids_and_shards_stay_when_rows_are_added_and_moved(data):
    before = {r["clip_id"]: r["shard"] for r in scanned(data, shards=7)}
    with open(data / "metadata.csv", newline="") as file:
        header, *rows = csv.reader(file)
    for name in "cdefgh":
        put(data, f"{name}.wav")
        rows.insert(0, [f"{name}.wav", "z", "9"])
    put_table(data, [header, *rows])
    after = {r["clip_id"]: r["shard"] for r in scanned(data, shards=7)}
    assert len(after) == 9
    assert before.items() <= after.items()


def hashed(monkeypatch):
    """A list that gets the name of each file that is hashed from now on."""
    names = []
    real = files.sha256_of
    monkeypatch.setattr(files, "sha256_of", lambda path: names.append(path.name) or real(path))
    return names


def test_only_files_with_another_size_or_time_are_hashed_again(data, monkeypatch):
    first = scanned(data)
    names = hashed(monkeypatch)
    written = (data.parent / "scan.parquet").stat()
    assert scanned(data) == first
    assert names == []
    assert (data.parent / "scan.parquet").stat() == written
    os.utime(data / "b.wav", ns=(1, 1))
    assert [r["sha256"] for r in scanned(data)] == [r["sha256"] for r in first]
    assert names == ["b.wav"]
    assert scanned(data)[1]["mtime_ns"] == 1
    assert names == ["b.wav"]


def test_a_file_replaced_by_one_as_large_whose_time_is_set_back_is_seen(data):
    first = scanned(data)
    old = (data / "b.wav").stat()
    sound = bytearray((data / "b.wav").read_bytes())
    sound[-1] ^= 1
    (data / "b.wav").write_bytes(sound)
    os.utime(data / "b.wav", ns=(old.st_atime_ns, old.st_mtime_ns))
    new = (data / "b.wav").stat()
    assert (new.st_size, new.st_mtime_ns) == (old.st_size, old.st_mtime_ns)
    differ = [
        a["file"] for a, b in zip(first, scanned(data), strict=True) if a["sha256"] != b["sha256"]
    ]
    assert differ == ["b.wav"]


def test_a_broken_earlier_scan_is_replaced(data):
    first = scanned(data)
    (data.parent / "scan.parquet").write_bytes(b"PAR1 cut")
    assert scanned(data) == first
    assert tables.read_table(data.parent / "scan.parquet").to_pylist() == first


def test_a_scan_prints_progress_only_when_it_takes_long(data, capsys, monkeypatch):
    scanned(data)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(files, "QUIET_S", -1)
    scanned(data)
    assert capsys.readouterr().err == ""
    for name in ("a.wav", "b.wav", "sub/a.wav"):
        os.utime(data / name, ns=(7, 7))
    scanned(data)
    assert "hashing: 3/3 files" in capsys.readouterr().err


def digests(data, shards=2, columns=("call",)):
    wanted = settings(shards=shards)
    table = scan(wanted, data.parent, data.parent / "scan.parquet")
    labels = label_columns(wanted, data.parent)
    shards_of = shard_digests(table, shards)
    assert shards_of == [shard_digest(table, shard) for shard in range(shards)]
    return shards_of, label_digest(table, labels, list(columns))


HEADER = ["file", "call", "bird"]
ROWS = [["a.wav", "x", "1"], ["b.wav", "y", "1"], ["sub/a.wav", "x", ""]]


def test_digests_ignore_times_row_order_rejected_rows_and_other_columns(data):
    before = digests(data)
    for name in ("a.wav", "b.wav", "metadata.csv"):
        os.utime(data / name, ns=(5, 5))
    assert digests(data) == before
    put_table(data, [HEADER, *ROWS[::-1]])
    assert digests(data) == before
    put_table(data, [HEADER, ["gone.wav", "x", "1"], *ROWS, ROWS[0]])
    assert digests(data) == before
    put_table(data, [["bird", *HEADER[:2], "note"], *([f"{r[2]}!", *r[:2], "n"] for r in ROWS)])
    assert digests(data) == before


def test_a_new_label_changes_the_digest_of_its_column_only(data):
    shards, label = digests(data)
    put_table(data, [HEADER, ["a.wav", "z", "1"], *ROWS[1:]])
    assert digests(data)[0] == shards
    assert digests(data)[1] != label
    assert digests(data, columns=["bird"])[1] != label
    bird = digests(data, columns=["bird"])[1]
    put_table(data, [HEADER, *ROWS])
    assert digests(data, columns=["bird"])[1] == bird


def test_replaced_and_added_audio_changes_the_digest_of_its_shard_only(data):
    # of two shards a.wav and sub/a.wav are in one, b.wav in the other
    places = {r["clip_id"]: r["shard"] for r in scanned(data, shards=2)}
    assert places["a.wav"] != places["b.wav"]
    before, label = digests(data)
    put(data, "b.wav", tone(3000))
    after, label_after = digests(data)
    assert after[places["a.wav"]] == before[places["a.wav"]]
    assert after[places["b.wav"]] != before[places["b.wav"]]
    assert label_after == label
    name = next(
        n for n in ("c.wav", "d.wav", "e.wav", "f.wav") if shard_of(n, 2) == places["a.wav"]
    )
    put(data, name)
    put_table(data, [HEADER, *ROWS, [name, "x", "2"]])
    added, label_added = digests(data)
    assert added[places["a.wav"]] != after[places["a.wav"]]
    assert added[places["b.wav"]] == after[places["b.wav"]]
    assert label_added != label


def test_other_bounds_change_the_digest(data):
    shards_of = []
    for end in ("0.2", "0.3"):
        put_table(data, [["file", "onset", "offset"], ["a.wav", "0.1", end]])
        shards_of += shard_digests(scan(SEGMENTS, data.parent, data.parent / "scan.parquet"), 1)
    assert shards_of[0] != shards_of[1]


def test_a_label_digest_names_a_missing_column(data):
    with pytest.raises(
        StratavoxError, match="no column 'caller'; its columns are: file, call, bird"
    ):
        digests(data, columns=["call", "caller"])


CELLS = st.lists(st.text(st.characters(codec="utf-8"), max_size=4), min_size=6, max_size=6)


@given(CELLS, st.randoms(use_true_random=False))
def test_digests_of_any_labels_in_any_order(tmp_path_factory, labels, order: random.Random):
    data = tmp_path_factory.mktemp("any") / "data"
    names = [f"{n}.bin" for n in range(len(labels))]
    data.mkdir()
    for name in names:
        (data / name).write_bytes(name.encode())
    rows = list(zip(names, labels, strict=True))
    put_table(data, [["file", "call"], *rows])
    before = digests(data)
    order.shuffle(rows)
    put_table(data, [["file", "call"], *rows])
    assert digests(data) == before
    put_table(data, [["file", "call"], (rows[0][0], f"{rows[0][1]}!"), *rows[1:]])
    assert digests(data)[0] == before[0]
    assert digests(data)[1] != before[1]


@pytest.mark.parametrize(
    ("name", "clips"),
    [
        ("zebra_finch_calls", 91),
        ("catmeows", 440),
        ("spoken_digits", 1200),
        ("bengalese_finch_syllables", 2936),
    ],
)
def test_real_tables(shared, tmp_path, name, clips):
    wanted = settings(path=str(shared / "data" / name), file="path", shards=4)
    rows = scan(wanted, tmp_path, tmp_path / "scan.parquet").to_pylist()
    assert len(rows) == clips
    assert all(r["reason"] is None for r in rows)
    assert {r["shard"] for r in rows} == {0, 1, 2, 3}
