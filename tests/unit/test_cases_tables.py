"""Tables and recordings as other programs write them: read right, or refused in a sentence."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from annotation_files import annotated, put_lines, put_raven, put_text
from corpus_data import put, put_table, settings, to_manifest, tone
from stratavox import audio, ffmpeg
from stratavox.corpus import labels, sound, user_table
from stratavox.corpus.scan import scan
from stratavox.errors import StratavoxError
from stratavox.init import encoding
from stratavox.init.look import look
from test_init import begun, here  # noqa: F401 - a fixture

BIRDS = ["Mönchsgrasmücke", "Zaunkönig", "Grünfink"]
ROWS = [[f"w{k:02d}.wav", f"{k % 5},{k:03d}5", BIRDS[k % 3], f"b{k % 4}"] for k in range(36)]


def text_of(rows, header=("datei", "start", "ruf", "bird"), separator=";", end="\r\n"):
    return "".join(separator.join(row) + end for row in [header, *rows])


def spoken(folder: Path):
    """The recordings of `ROWS`, each with a tone of its own."""
    for k, (name, *_) in enumerate(ROWS):
        put(folder, name, tone(hz=500 + 40 * k, seconds=0.05))


def scanned(root: Path, wanted: dict) -> list[dict]:
    return scan(wanted, root, root / "scan.parquet").to_pylist()


# ---- encodings, separators, decimal marks ----


@pytest.mark.parametrize("encoded", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("name", ["calls.csv", "calls.txt", "calls.tsv"])
def test_a_german_table_gives_its_cells(tmp_path, encoded, separator, name):
    path = put_text(tmp_path, name, text_of(ROWS, separator=separator), encoded)
    table = user_table.read(path, text={"encoding": "cp1252"})
    assert table.columns["ruf"] == [row[2] for row in ROWS]
    assert [float(cell) for cell in table.columns["start"]] == [
        float(row[1].replace(",", ".")) for row in ROWS
    ]
    assert table.rows == list(range(2, 38)) and not table.ragged


def test_a_file_that_does_not_tell_its_encoding_is_refused_without_the_key(tmp_path):
    path = put_text(tmp_path, "calls.csv", text_of(ROWS), "cp1252")
    with pytest.raises(StratavoxError, match=r"calls\.csv: not UTF-8 .* text: \{encoding: cp1252"):
        user_table.read(path)
    with pytest.raises(StratavoxError, match="text.encoding 'latin-99' is no encoding"):
        user_table.read(path, text={"encoding": "latin-99"})


def test_excels_line_of_the_separator_is_no_header(tmp_path):
    path = put_text(tmp_path, "calls.csv", "sep=|\r\nfile|call, song\r\na.wav|x\r\n")
    table = user_table.read(path)
    assert (table.columns, table.rows) == ({"file": ["a.wav"], "call, song": ["x"]}, [3])


@pytest.mark.parametrize(
    ("cells", "separator", "read"),
    [
        (["0,5", "12,25"], "\t", ["0.5", "12.25"]),
        (["0,500", "12,250"], "\t", ["0.500", "12.250"]),
        (["1,500", "12"], ";", ["1.500", "12"]),
        # may be thousands: left as they are, so that they are refused as bounds
        (["1,500", "12,250"], "\t", ["1,500", "12,250"]),
        # a point and a comma in one column, and lists of words
        (["0,5", "0.5"], "\t", ["0,5", "0.5"]),
        (["a,b", "0,5"], "\t", ["a,b", "0,5"]),
        (["1.234,5", "2"], ";", ["1.234,5", "2"]),
    ],
)
def test_decimal_commas_are_read_where_they_are_certain(tmp_path, cells, separator, read):
    rows = [[f"{k}.wav", cell] for k, cell in enumerate(cells)]
    path = put_text(tmp_path, "t.csv", text_of(rows, ("file", "start"), separator))
    assert user_table.read(path).columns["start"] == read


def test_the_key_decides_on_commas_that_may_be_thousands(tmp_path):
    rows = [["a.wav", "1,500"], ["b.wav", "12,250"]]
    path = put_text(tmp_path, "t.csv", text_of(rows, ("file", "start"), "\t"))
    assert user_table.read(path, text={"decimal": ","}).columns["start"] == ["1.500", "12.250"]
    assert user_table.read(path, text={"decimal": "."}).columns["start"] == ["1,500", "12,250"]
    # beside a decimal point a semicolon does not decide
    path = put_text(tmp_path, "u.csv", "file;start;count\na.wav;0.5;1,500\nb.wav;0.7;2,250\n")
    assert user_table.read(path).columns["count"] == ["1,500", "2,250"]


def test_what_two_separators_fit_is_refused_until_the_key_states_one(tmp_path):
    path = put_text(tmp_path, "t.csv", "file;start,s;end,s\na.wav;0,5;1,5\nb.wav;2,5;3,5\n")
    with pytest.raises(StratavoxError, match=r"commas \(3 columns\) or semicolons \(3 columns\)"):
        user_table.read(path)
    assert user_table.read(path, text={"separator": ";"}).columns["end,s"] == ["1.5", "3.5"]


def test_commas_between_cells_and_in_numbers_are_refused(tmp_path):
    rows = [["a.wav", "0,5", "1,5", "x"], ["b.wav", "2,5", "3", "y"]]
    path = put_text(tmp_path, "t.csv", text_of(rows, ("file", "on", "off", "call"), ","))
    with pytest.raises(StratavoxError, match=r"commas are both .*row 2: a\.wav,0,5,1,5,x; 6 cells"):
        user_table.read(path)


NAMES = st.text("abcäöüßéñ ", min_size=1, max_size=6).map(str.strip).filter(bool)
SECONDS = st.integers(0, 99999).map(lambda n: n / 100)


@hypothesis_settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(NAMES, SECONDS), min_size=1, max_size=6),
    separator=st.sampled_from(",;\t|"),
    decimal=st.sampled_from(".,"),
    encoded=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252"]),
    end=st.sampled_from(["\n", "\r\n"]),
    last=st.sampled_from(["", "header", "rows", "both"]),
)
def test_no_way_to_write_a_table_changes_it_in_silence(
    tmp_path, rows, separator, decimal, encoded, end, last
):
    extra = {name: separator if last in (name, "both") else "" for name in ("header", "rows")}
    lines = [separator.join(("call", "start", "file")) + extra["header"]]
    for k, (call, start) in enumerate(rows):
        cells = call, f"{start:.2f}".replace(".", decimal), f"{k}.wav"
        lines.append(separator.join(cells) + extra["rows"])
    path = tmp_path / "t.csv"
    path.write_bytes((end.join(lines) + end).encode(encoded))
    try:
        table = user_table.read(path, text={"encoding": "cp1252"})
    except StratavoxError as error:
        assert separator == decimal == ",", error
        return
    kept = [k for k, row in enumerate(table.rows) if row not in table.ragged]
    assert len(kept) == len(rows) or separator == decimal == ","
    for k in kept:
        assert table.columns["call"][k] == rows[k][0]
        assert float(table.columns["start"][k]) == rows[k][1]
        assert table.columns["file"][k] == f"{k}.wav"


# ---- one cell more or less ----


@pytest.mark.parametrize("further", [("rows",), ("header",), ("rows", "header")])
def test_a_separator_more_at_the_end_costs_nothing(tmp_path, monkeypatch, further):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "data", "night.wav", tone(seconds=9))
    path = put_raven(tmp_path / "data", "night.Table.1.selections.txt", [(2, 2.5, "owl")] * 1)
    header, *rows = path.read_text().splitlines()
    header += "\t" if "header" in further else ""
    rows = [row + ("\t" if "rows" in further else "") for row in rows]
    path.write_text("\r\n".join([header, *rows]) + "\r\n", newline="")
    clips, cells, _ = to_manifest(tmp_path, annotated())
    assert clips["clip_id"].to_pylist() == ["night.wav@2.000000-2.500000"]
    assert cells["Species"].to_pylist() == ["owl"]


def test_a_ragged_row_is_rejected_alone(tmp_path):
    path = put_text(tmp_path, "t.csv", "file,call,\na.wav,x,\nb.wav\nc.wav,y,z,7\nd.wav,y\n")
    assert user_table.read(path).ragged == {
        3: "1 cells, but the header has 2",
        4: "4 cells, but the header has 2",
    }


# ---- numbers of Raven and Audacity, further kinds of tables ----


def test_raven_and_audacity_with_decimal_commas(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "data", "P.wav", tone(seconds=9))
    put_raven(tmp_path / "data", "P.txt", [("1,000", "2,250", "Kauz"), ("4,000", "5,000", "Uhu")])
    rows = scanned(tmp_path, annotated())
    assert [(r["start_s"], r["end_s"]) for r in rows] == [(1.0, 2.25), (4.0, 5.0)]
    lines = [["1,500000", "2,250000", "Kauz, laut"], ["\\", "500,5", "4000,25"]]
    put_lines(tmp_path / "data", "P.txt", lines)
    wanted = annotated("audacity")
    assert [(r["start_s"], r["end_s"]) for r in scanned(tmp_path, wanted)] == [(1.5, 2.25)]
    cells = labels.label_columns(wanted, tmp_path).to_pylist()[0]
    assert (cells["Species"], cells["low_hz"]) == ("Kauz, laut", "500.5")


def test_json_lines_and_parquet_are_tables_of_clips(tmp_path):
    lines = [{"file_name": "a.wav", "n": 1, "tags": ["x"]}, {"file_name": "b.wav", "n": None}]
    path = put_text(tmp_path, "metadata.jsonl", "\n\n".join(map(json.dumps, lines)))
    table = user_table.read(path)
    assert table.columns == {"file_name": ["a.wav", "b.wav"], "n": ["1", ""], "tags": ['["x"]', ""]}
    assert table.rows == [1, 3]
    path = put_text(tmp_path, "broken.jsonl", '{"file": "a.wav"}\n[1]\n')
    with pytest.raises(StratavoxError, match="line 2: not a JSON object"):
        user_table.read(path)
    numbers = pa.array([1.0, None, 3.0])
    columns = {"file": ["a", "b", "c"], "bird": numbers, "onset": [0.25, 1.0, 2.5]}
    columns |= {"call": pa.array(["x", "y", "x"]).dictionary_encode(), "vector": [[1.0]] * 3}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    table = user_table.read(tmp_path / "t.parquet")
    assert table.columns["bird"] == ["1", "", "3"] and table.columns["call"] == ["x", "y", "x"]
    assert table.columns["onset"] == ["0.25", "1.0", "2.5"] and "vector" not in table.columns
    assert table.rows == [2, 3, 4]


def test_parquet_that_holds_the_recordings_says_what_to_do(tmp_path):
    sounds = pa.array([{"bytes": b"RIFF", "path": "a.wav"}])
    pq.write_table(pa.table({"audio": sounds, "label": ["x"]}), tmp_path / "train.parquet")
    message = "'audio' holds the recordings themselves, .* source: parquet"
    with pytest.raises(StratavoxError, match=message):
        user_table.read(tmp_path / "train.parquet")
    with pytest.raises(StratavoxError, match="no recordings; .*'audio' holds the recordings"):
        look(tmp_path)
    (tmp_path / "half.parquet").write_bytes((tmp_path / "train.parquet").read_bytes()[:80])
    with pytest.raises(StratavoxError, match="not a whole Parquet file"):
        user_table.read(tmp_path / "half.parquet")


# ---- init ----


def test_init_and_the_run_read_a_table_in_cp1252_alike(here, capsys):  # noqa: F811
    spoken(here / "data")
    rows = [[row[0], *row[2:]] for row in ROWS]
    text = text_of(rows, ("Datei", "species", "bird"))
    put_text(here / "data", "rufe.txt", text, "cp1252")
    entry, printed = begun("data", capsys)
    assert (entry["table"], entry["text"]) == ("rufe.txt", {"encoding": "cp1252"})
    end = printed[printed.index("not sure of, the most dangerous first:") :]
    assert "read as cp1252, a guess (key text)" in end and "right? Mönchsgrasmücke, Zaun" in end
    assert re.search(r"w00\.wav +whole file +Mönchsgrasmücke +b0 +mean\n", printed)
    cells = labels.label_columns(entry, here).to_pydict()
    assert cells["species"] == [row[2] for row in ROWS]


def test_commas_that_may_be_thousands_are_pointed_out(here, capsys):  # noqa: F811
    spoken(here / "data")
    rows = [[row[0], row[2], row[3], f"{k + 1},500"] for k, row in enumerate(ROWS)]
    put_text(here / "data", "t.tsv", text_of(rows, ("file", "call", "bird", "start"), "\t"))
    _, printed = begun("data", capsys)
    end = printed[printed.index("not sure of") :]
    assert "look: column 'start' holds 1,500: if that is a decimal comma, add text:" in end


def test_old_macs_and_windows_are_told_apart(tmp_path):
    for name in ("cp1252", "mac_roman"):
        path = put_text(tmp_path, f"{name}.csv", text_of(ROWS), name)
        assert encoding.needed(path) == name


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("labels.xlsx", "labels.xlsx not read: an Excel table; save the table as CSV"),
        ("a.eaf", "a.eaf not read: ELAN's annotations; in ELAN choose .* Praat TextGrid"),
        ("obs.boris", "obs.boris not read: a project of BORIS; export its aggregated events"),
        ("a.wav.not.mat", "not read: evsonganaly's labels; export"),
        ("x.pgdf", "not read: PAMGuard's detections; export"),
        ("x.svl", "not read: a layer of Sonic Visualiser; export"),
    ],
)
def test_files_of_other_programs_are_named_where_nothing_labels_the_recordings(
    here,  # noqa: F811
    name,
    sentence,
):
    put(here / "data", "a.wav")
    (here / "data" / name).write_bytes(b"PK\x03\x04")
    with pytest.raises(StratavoxError, match=rf"no labels for them(.|\n)*look: .*{sentence}"):
        begun("data", None)


def test_a_text_that_is_no_table_is_none(tmp_path):
    put(tmp_path, "a.wav")
    put_text(
        tmp_path, "README.txt", "Recorded in May, by us.\nUse it, share it, cite it.\nThanks!\n"
    )
    put_text(tmp_path, "calls.txt", "file\tcall\na.wav\tx\n")
    assert look(tmp_path).tables == ["calls.txt"]


def test_no_row_left_is_the_same_sentence_in_init_and_in_the_run(here, capsys):  # noqa: F811
    rows = [[f"w{k % 6}.wav", f"{2 * k}.5 Uhr", "9", f"c{k // 6 % 2}"] for k in range(24)]
    for k in range(6):
        put(here / "data", f"w{k}.wav", tone(hz=900 + 50 * k))
    put_table(here / "data", [["file", "begin", "x", "call"], *rows])
    with pytest.raises(StratavoxError) as of_init:
        begun("data", capsys)
    shared = {"table": "metadata.csv", "max_bad": 0.05, "used": ["call"]}
    with pytest.raises(StratavoxError) as of_run:
        to_manifest(here, settings(**shared))
    assert str(of_init.value) == str(of_run.value)
    assert "data/metadata.csv: 24 of 24 rows cannot be used (100.0%" in str(of_run.value)
    assert re.search(r"row 2: 'w0.wav': rows 2, 8, .* \(and 23 more like it\)", str(of_run.value))


def test_only_short_boxes_are_counted_where_nothing_else_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "data", "P.wav", tone(seconds=9))
    put_raven(tmp_path / "data", "P.txt", [(k, k + 0.004, "bat") for k in range(5)])
    with pytest.raises(StratavoxError, match=r"5 of 5 rows .*\n.*shorter than min_s.*and 4 more"):
        to_manifest(tmp_path, annotated())


def test_the_first_clips_are_shown_and_can_be_heard(here, capsys):  # noqa: F811
    put(here / "data", "P.wav", np.concatenate([tone(400 * (1 + k), 1.0) for k in range(24)]))
    boxes = [(k, k + 0.5, f"call {k % 2}") for k in range(24)]
    put_raven(here / "data", "P.Table.1.selections.txt", boxes)
    _, printed = begun("data", capsys, listen=True)
    assert re.search(r"P\.wav +0\.000 s +0\.500 s +call 0 +unknown +mean\n", printed)
    assert "look: the group is unknown" in printed[printed.index("not sure of") :]
    assert "clips to listen to: data_listen" in printed
    files = sorted(os.listdir("data_listen"))
    assert files == ["1_P_call_0.wav", "2_P_call_1.wav", "3_P_call_0.wav"]
    for k, name in enumerate(files):
        samples, rate = sf.read(Path("data_listen", name))
        assert len(samples) == rate // 2
        loudest = np.abs(np.fft.rfft(samples)).argmax() * 2
        assert loudest == pytest.approx(400 * (1 + k), abs=4)
    Path("other_listen").mkdir()
    with pytest.raises(StratavoxError, match="other_listen: exists already"):
        begun("data", capsys, listen=True, out=Path("other.yaml"))


# ---- recordings through ffmpeg ----


def stub(folder: Path, monkeypatch, body: str) -> Path:
    """A program called ffmpeg, first on PATH; it counts its calls in a file beside it."""
    folder.mkdir()
    program = folder / "ffmpeg"
    program.write_text(f'#!/bin/sh\necho x >> "{folder}/calls"\nfor out; do :; done\n{body}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    ffmpeg._decoded.cache_clear()
    return folder / "calls"


def test_phones_recordings_are_read_through_ffmpeg_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    samples = tone(hz=700, seconds=3)
    whole = put(tmp_path, "decoded.wav", samples, subtype="FLOAT")
    calls = stub(tmp_path / "bin", monkeypatch, f'cp "{whole}" "$out"')
    put_text(tmp_path / "data", "Neue Aufnahme.m4a", "no WAV")
    name = "Neue Aufnahme.m4a"
    rows = [[name, "0.5", "1.25"], [name, "2", "2.5"]]
    put_table(tmp_path / "data", [["file", "on", "off"], *rows])
    clips, _, hygiene = to_manifest(tmp_path, settings(start="on", end="off"))
    assert hygiene["rejected"] == [] and len(clips) == 2
    assert np.array_equal(
        sound.read(tmp_path / "data" / name, 0.5, 1.25).samples[:, 0], samples[8000:20000]
    )
    assert calls.read_text().count("x") <= 2, "once for the stage and once for this test"


def test_without_ffmpeg_or_with_its_error_the_file_is_rejected_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "data", "a.wav")
    put_text(tmp_path / "data", "b.wma", "no WAV")
    put_table(tmp_path / "data", [["file"], ["a.wav"], ["b.wma"]])
    monkeypatch.setenv("PATH", str(tmp_path))
    ffmpeg._decoded.cache_clear()
    _, _, hygiene = to_manifest(tmp_path, settings())
    (bad,) = hygiene["rejected"]
    assert bad["reason"].startswith(".wma files are read through the program ffmpeg, which is not")
    stub(tmp_path / "bin", monkeypatch, "echo 'b.wma: Invalid data' >&2; exit 1")
    with pytest.raises(audio.AudioError, match="ffmpeg does not read it .b.wma: Invalid data"):
        sound.read(tmp_path / "data/b.wma")
