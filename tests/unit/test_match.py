"""Which recording a cell means: the right one or a refusal, never another."""

import time
import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus_data import put, tone
from stratavox.corpus.match import Index, NoRecording, below, names, of_template

# few names, so that folders and files share them; in composed form, as on Linux
FOLDERS = st.sampled_from(["site A", "site B", "süd", "2024.05", "raw"])
STEMS = st.sampled_from(["x", "X", "güi 1", "5678.2105", "5678", "a%b", "b+c"])
ENDINGS = st.sampled_from([".wav", ".WAV", ".flac"])
FILES = st.builds(
    lambda folders, stem, ending: "/".join([*folders, stem + ending]),
    st.lists(FOLDERS, max_size=2),
    STEMS,
    ENDINGS,
)
# no two paths that differ in case alone: each would be written as the other is
TREES = st.lists(FILES, min_size=1, max_size=12, unique_by=str.lower)


def written(file: str, style: dict) -> str:
    """A recording's path as a table from another computer may have it."""
    parts = file.split("/")
    stem, _, ending = parts[-1].rpartition(".")
    ending = {"same": f".{ending}", "none": "", "other case": f".{ending.swapcase()}"}[
        style["ending"]
    ]
    parts = [*parts[:-1], stem + ending][min(style["dropped"], len(parts) - 1) :]
    parts = [unicodedata.normalize(style["form"], part) for part in parts]
    if style["percent"]:
        parts = [quote(part) for part in parts]
    return style["root"] + style["separator"].join(parts)


STYLES = st.fixed_dictionaries(
    {
        "root": st.sampled_from(["", "./", "D:\\field\\", "/home/ann/my data/", "\\\\nas\\x1\\"]),
        "separator": st.sampled_from(["/", "\\"]),
        "form": st.sampled_from(["NFC", "NFD"]),
        "ending": st.sampled_from(["same", "none", "other case"]),
        "percent": st.booleans(),
        "dropped": st.integers(0, 2),
    }
)


@settings(max_examples=300, deadline=None)
@given(TREES, st.data())
def test_a_levelled_spelling_is_the_file_or_refused(files, data):
    file, style = data.draw(st.sampled_from(files)), data.draw(STYLES)
    cell = written(file, style)
    # a shortened path may be the whole path of another file, which it then means
    short = file.split("/")[min(style["dropped"], file.count("/")) :]
    whole = {other.lower().rpartition(".")[0] for other in files if other != file}
    if "/".join(short).lower().rpartition(".")[0] in whole and short != file.split("/"):
        return
    try:
        assert Index(files).match(cell).file == file
    except NoRecording:
        assert len(files) > 1


@settings(max_examples=200, deadline=None)
@given(TREES, STYLES)
def test_all_cells_of_a_table_are_their_files_or_refused(files, style):
    style |= {"dropped": 0}
    cells = {written(file, style): file for file in files}
    if len(cells) == len(files):  # without endings two files can be written alike
        matches, refused = Index(files).matches(cells)
        assert all(cells[cell] == match.file for cell, match in matches.items())
        assert matches.keys() | refused.keys() == cells.keys()


@settings(max_examples=200, deadline=None)
@given(TREES.filter(lambda files: len(files) > 1), STYLES)
def test_no_two_files_of_a_table_become_one_recording(files, style):
    """The first recording is missing on this computer, and the table names it all the same."""
    gone, *there = files
    style |= {"dropped": 0, "ending": "same"}
    cells = {written(file, style): file for file in files}
    matches, _ = Index(there).matches(cells)
    for cell, match in matches.items():
        if cells[cell] == gone:
            # only where no cell of the table has a better claim to that recording
            better = [c for c in matches if cells[c] == match.file and c != cell]
            assert not better


@pytest.mark.parametrize(
    ("files", "cell", "file"),
    [
        (["SITE_A/t.WAV", "SITE_B/t.WAV"], r"D:\field\SITE_B\t.WAV", "SITE_B/t.WAV"),
        (["a/b/t.wav", "b/t.wav"], "/mnt/x/a/b/t.wav", "a/b/t.wav"),
        (["sub/only.wav", "x.wav"], "only.wav", "sub/only.wav"),
        (["sub/only.wav", "x.wav"], "only", "sub/only.wav"),
        (["sub/ONLY.wav", "x.wav"], "only.wav", "sub/ONLY.wav"),
        (["a.wav", "a.flac"], "a.FLAC", "a.flac"),
        (["a.WAV"], "a.flac", "a.WAV"),
        (["5678.2105.wav", "5678.wav"], "5678.2105", "5678.2105.wav"),
        (["day 1/süd.wav"], "file:///C:/day%201/s%C3%BCd.wav", "day 1/süd.wav"),
        (["audio/x.wav"], "../audio/x.wav", "audio/x.wav"),
    ],
)
def test_what_is_followed(files, cell, file):
    assert Index(files).match(cell).file == file


@pytest.mark.parametrize(
    ("files", "cell", "reason"),
    [
        (["A/t.wav", "B/t.wav"], "t.wav", "'t.wav' fits 2 recordings, 'A/t.wav' and 'B/t.wav'"),
        (["A/t.wav", "B/t.wav"], r"D:\C\t.wav", "fits 2 recordings, 'A/t.wav' and 'B/t.wav'"),
        (["a.wav", "a.flac"], "a", "'a' fits 2 recordings, 'a.flac' and 'a.wav'"),
        (["A/x.wav", "B/t.wav"], "A/t.wav", "'B/t.wav' has its name, but lies in none of"),
        (["A/x.wav", "B/wav/t.wav"], "A/wav/t.wav", "'B/wav/t.wav' has its name, but lies in"),
        (["a.wav"], "b.wav", "no recording below the folder is called 'b.wav'"),
        (["5678.wav"], "5678.2105.wav", "no recording below the folder is called '5678.2105.wav'"),
    ],
)
def test_what_is_refused(files, cell, reason):
    with pytest.raises(NoRecording) as error:
        Index(files).match(cell)
    assert reason in str(error.value)


def test_of_two_files_that_a_table_tells_apart_none_takes_the_others_recording():
    cells = [r"D:\SITE_A\t.wav", r"D:\SITE_B\t.wav"]
    matches, refused = Index(["SITE_B/t.wav"]).matches(cells)
    assert {cell: match.file for cell, match in matches.items()} == {cells[1]: "SITE_B/t.wav"}
    assert list(refused) == cells[:1]
    matches, refused = Index(["t.wav"]).matches(cells)
    assert not matches
    assert "are two files, but only 't.wav' fits them" in str(refused[cells[0]])


def test_folders_that_are_called_otherwise_are_not_told_apart_by_the_tables_place():
    files = ["north/1.wav", "north/2.wav", "south/1.wav", "south/2.wav"]
    index = Index(files)
    matches, _ = index.matches([r"D:\loc1\1.wav", r"D:\loc1\2.wav"], "north")
    assert {match.file for match in matches.values()} == {"north/1.wav", "north/2.wav"}
    matches, refused = index.matches([r"D:\loc1\1.wav", r"D:\loc2\2.wav"], "north")
    assert not matches and len(refused) == 2


def test_one_file_in_several_spellings_is_one_recording():
    cells = ["a/t.WAV", r"D:\x\a\t.wav", "a\\t"]
    matches, refused = Index(["a/t.wav", "b/u.wav"]).matches(cells)
    assert not refused and {match.file for match in matches.values()} == {"a/t.wav"}


def test_flattened_copies_are_followed_by_their_names():
    matches, refused = Index(["1.wav", "2.wav"]).matches(["day1/1.wav", "day2/2.wav"])
    assert not refused and [match.file for match in matches.values()] == ["1.wav", "2.wav"]


def test_a_path_below_the_folder_is_that_file_without_a_look_at_the_others(tmp_path, monkeypatch):
    put(tmp_path, "a/t.wav", tone(seconds=0.01))
    put(tmp_path, "t.wav", tone(seconds=0.01))
    monkeypatch.setattr("stratavox.corpus.match.files_below", lambda folder: pytest.fail())
    cells = ["t.wav", "a/t.wav", "./a/../t.wav"]
    assert list(below(tmp_path, cells)[0].values()) == ["t.wav", "a/t.wav", "t.wav"]


def test_a_cell_that_is_beside_its_table_and_below_the_folder_is_refused(tmp_path):
    for name in ("t.wav", "a/t.wav", "a/u.wav", "b/u.wav"):
        put(tmp_path, name, tone(seconds=0.01))
    matches, refused = below(tmp_path, ["t.wav", "u.wav"], "a")
    assert matches == {"u.wav": "a/u.wav"}
    assert str(refused["t.wav"]) == "'t.wav' fits 2 recordings, 't.wav' and 'a/t.wav'"


def test_a_part_of_the_name_fits_whole_runs_of_letters_and_digits():
    files = ["XC400 - Great tit.wav", "sub/XC4001.wav", "xc7.wav", "other.wav"]
    assert of_template("XC{}*", files) == {
        "400": ["XC400 - Great tit.wav"],
        "4001": ["sub/XC4001.wav"],
        "7": ["xc7.wav"],
    }
    assert of_template("*{}.wav", ["rec-12.wav", "3.wav", "a.wav"]).keys() == {"12", "3", "a"}


def test_names_of_paths():
    assert names(r"\\nas\share\a b\x.wav") == ["nas", "share", "a b", "x.wav"]
    assert names("C:/a/../b/./x.wav") == ["b", "x.wav"]


def test_many_files_and_cells_take_seconds():
    files = [f"site{k % 300}/2024{k // 300:04d}.wav" for k in range(30_000)]
    cells = {"E:\\field\\" + file.replace("/", "\\"): file for file in files}
    strange = [cell.replace("site", "location") for cell in cells]
    began = time.process_time()
    matches, refused = Index(files).matches([*cells, *strange])
    assert time.process_time() - began < 5
    assert all(match.file == cells[cell] for cell, match in matches.items())
    assert len(matches) == len(refused) == len(files)
