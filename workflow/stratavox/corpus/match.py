"""Which recording a cell of a table, or the name of an annotation file, means.

Tables come from other computers: their paths begin elsewhere, have other separators or another
Unicode form, and lack endings. `Index` levels this and compares whole names of folders and files
from the end. What it cannot decide is refused with the recordings that fit.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from stratavox import ffmpeg
from stratavox.corpus.user_table import inside
from stratavox.corpus.walk import files_below
from stratavox.errors import StratavoxError

# Formats that libsndfile or ffmpeg reads and that recorders or archives use.
SUFFIXES = {
    *ffmpeg.SUFFIXES,
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc"),
    *(".au", ".caf", ".rf64", ".w64"),
}
# Formats of audio that neither libsndfile nor ffmpeg reads: Wildlife Acoustics' own.
UNREAD_SUFFIXES = {".wac"}
FROM_ROOT = re.compile(r"[A-Za-z]:|[/\\]|file:")


class NoRecording(StratavoxError):
    """No recording, or no single one, is meant; the message is the reason.

    ``similar``: there are recordings of its name.
    """

    def __init__(self, reason: str, similar: bool = False):
        super().__init__(reason)
        self.similar = similar


@dataclass(frozen=True)
class Match:
    """The recording ``file`` of a cell, and how well they agree.

    ``shared`` names at their ends are equal once levelled. ``beside``: of several, the place of
    the table decided.
    """

    file: str
    shared: int
    beside: bool = False


class Index:
    """The recordings ``files`` (POSIX paths relative to their folder) by their levelled names."""

    def __init__(self, files: Iterable[str]):
        self._called: dict[str, list[str]] = {}
        # the same by the folder too: names from a recorder's clock recur in every folder
        self._called_in: dict[tuple[str, str], list[str]] = {}
        self._folders: set[str] = set()
        self._bare: dict[tuple[str, str], Match | NoRecording] = {}
        for file in files:
            folder, _, name = file.rpartition("/")
            name, folders = loose(_stem(name)), _loose_folders(folder)
            self._called.setdefault(name, []).append(file)
            if folders:
                self._called_in.setdefault((folders[-1], name), []).append(file)
                self._folders.update(folders)

    def matches(
        self, cells: Iterable[str], beside: str = "", known: dict[str, Match] | None = None
    ) -> tuple[dict[str, Match], dict[str, NoRecording]]:
        """The match of each of a table's ``cells``, or why there is none.

        ``beside`` is the table's folder, relative to that of the recordings. ``known`` are
        recordings that other cells of the table mean, by their whole paths. Two cells that name
        different files are never the same recording: where one fits better it is kept, otherwise
        none.
        """
        matches, refused = dict(known or {}), {}
        for cell in dict.fromkeys(cells):
            if cell in matches:
                continue
            match = self._attempt(cell, beside)
            (refused if isinstance(match, NoRecording) else matches)[cell] = match
        refused |= _contradictions(matches)
        return {cell: m for cell, m in matches.items() if cell not in refused}, refused

    def match(self, cell: str, beside: str = "") -> Match:
        """The match of one cell; raises `NoRecording`."""
        parts = names(cell)
        if not parts:
            raise NoRecording("it names no file")
        name, folders = loose(_stem(parts[-1])), _loose_folders("/".join(parts[:-1]))
        if name not in self._called:
            raise NoRecording(f"no recording below the folder is called {parts[-1]!r}")
        if folders and self._folders.isdisjoint(folders):
            # the folders of another computer; many cells then share a name
            key = (parts[-1], beside)
            if key not in self._bare:
                self._bare[key] = self._attempt(*key)
            if isinstance(self._bare[key], NoRecording):
                raise self._bare[key]
            return self._bare[key]
        fitting = self._fitting(
            self._called_in.get((folders[-1], name), ()) if folders else (), folders, cell
        ) or self._fitting(self._called[name], folders, cell)
        if not fitting:
            raise NoRecording(
                f"{self._called[name][0]!r} has its name, but lies in none of the folders that "
                f"{_quoted(cell)} names",
                similar=True,
            )
        most = max(fitting.values())
        best = [file for file, shared in fitting.items() if shared == most]
        if len(best) == 1:
            return Match(best[0], most)
        return _choose(cell, parts, best, most, beside)

    def _attempt(self, cell: str, beside: str) -> Match | NoRecording:
        try:
            return self.match(cell, beside)
        except NoRecording as error:
            return error

    def _fitting(self, files: Iterable[str], folders: tuple[str, ...], cell: str) -> dict[str, int]:
        """Of ``files`` with the cell's name those that it may mean, with the names in common.

        Where a folder that the cell names is there, a file outside it is not meant. But a path
        may begin with any names of another computer: one from a root is not judged by them
        where it ends with the whole of a file's path.
        """
        fitting = {}
        for file in files:
            own = _loose_folders(file.rpartition("/")[0])
            shared = _shared(folders, own)
            whole = shared == len(own) > 0 and FROM_ROOT.match(cell)
            further = () if whole else folders[: len(folders) - shared]
            if all(name in own or name not in self._folders for name in further):
                fitting[file] = shared + 1
        return fitting


def below(
    folder: Path,
    cells: Iterable[str],
    beside: str = "",
    template: str | None = None,
    wanted: Callable[[str], bool] | None = None,
) -> tuple[dict[str, str], dict[str, NoRecording]]:
    """The file below ``folder`` that each of a table's ``cells`` means, or why there is none.

    A cell that is the path of a file relative to ``folder`` means it; the files are listed only
    where others have to be matched. ``beside`` is the table's folder as in `Index.matches`,
    ``template`` as in `of_template`, and ``wanted`` tells which files count (`is_recording`).
    """
    files = cache(lambda: list(filter(wanted or is_recording, files_below(folder))))
    if template:
        return _by_template(template, files(), dict.fromkeys(cells))
    exact: dict[str, str] = {}
    refused: dict[str, NoRecording] = {}
    others = []
    for cell in dict.fromkeys(cells):
        file = inside(folder, cell)
        if file is None or not _is_there(folder, file):
            others.append(cell)
            continue
        exact[cell] = file
        second = os.path.normpath(f"{beside}/{cell}") if beside else file
        if second != file and not os.path.isabs(cell) and _is_there(folder, second):
            refused[cell] = NoRecording(
                f"{_quoted(cell)} fits 2 recordings, {file!r} and {second!r}", similar=True
            )
    exact = {cell: file for cell, file in exact.items() if cell not in refused}
    if not others:
        return exact, refused
    known = {file: Match(file, len(names(file))) for file in exact.values()}
    matches, unmatched = Index(files()).matches(others, beside, known)
    by_end = {cell: matches[cell].file for cell in others if cell in matches}
    return exact | by_end, refused | {cell: unmatched[cell] for cell in others if cell in unmatched}


def _is_there(folder: Path, file: str) -> bool:
    try:
        os.stat(os.path.join(folder, file))
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        pass  # it is reported where the file is read
    return True


def _by_template(
    template: str, files: list[str], cells: Iterable[str]
) -> tuple[dict[str, str], dict[str, NoRecording]]:
    named, matches, refused = of_template(template, files), {}, {}
    for cell in cells:
        fitting = named.get(cell.strip(), [])
        if len(fitting) == 1:
            matches[cell] = fitting[0]
        else:
            shown = f", such as {fitting[0]!r} and {fitting[1]!r}" if fitting else ""
            refused[cell] = NoRecording(
                f"{len(fitting)} recordings are called {template.replace('{}', cell)!r}{shown}",
                similar=True,
            )
    return matches, refused


def is_recording(name: str) -> bool:
    """Whether a file of this name is read as audio."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


def of_template(template: str, files: Iterable[str]) -> dict[str, list[str]]:
    """The recordings by the letters and digits that stand for {} of ``template`` in their names.

    * in ``template`` is any text, or none; before {} it ends where no letter or digit is.
    """
    before, _, after = template.partition("{}")
    texts = (before.replace("*", "\0"), after.replace("*", "\1"))
    parts = (re.escape(t).replace("\0", r"(?:.*[\W_])?").replace("\1", ".*") for t in texts)
    form = re.compile(r"([^\W_]+)".join(parts), re.IGNORECASE)
    named: dict[str, list[str]] = {}
    for file in files:
        if hit := form.fullmatch(PurePosixPath(file).name):
            named.setdefault(hit[1], []).append(file)
    return named


def names(cell: str) -> list[str]:
    """The folders and the file that a cell names, without drive, root and steps upwards."""
    parts = cell.strip().replace("\\", "/").split("/")
    kept: list[str] = []
    for part in parts:
        if part == "..":
            kept = kept[:-1]
        elif part not in ("", ".", "file:") and not (len(part) == 2 and part[1] == ":"):
            kept.append(part)
    return kept


def _choose(cell: str, parts: list[str], best: list[str], shared: int, beside: str) -> Match:
    """One of the files ``best``, whose last ``shared`` names are those of the cell.

    First those without another case or ending; of several folders the one beside the table; in
    one folder the file that is in no respect less like the cell than another.
    """
    unlike = {file: _unlike(parts, file, shared) for file in best}
    least = min((case, ending == 2) for case, ending, _ in unlike.values())
    best = [file for file in best if (unlike[file][0], unlike[file][1] == 2) == least]
    left, placed = best, len({_loose_folders(file.rpartition("/")[0]) for file in best}) > 1
    if placed:
        place = f"{beside}/" if beside else ""
        if ".." in re.split(r"[/\\]", cell):
            place = "../"  # by its own words not there
        left = [file for file in best if file == place + "/".join(file.split("/")[-shared:])]
    alike = [unlike[file] for file in left]
    likest = [file for file in left if unlike[file] == tuple(map(min, zip(*alike, strict=True)))]
    if len(likest) == 1:
        return Match(likest[0], shared, placed)
    several = sorted(best)
    raise NoRecording(
        f"{_quoted(cell)} fits {len(several)} recordings, {several[0]!r} and "
        f"{'others such as ' if len(several) > 2 else ''}{several[1]!r}",
        similar=True,
    )


def _contradictions(matches: dict[str, Match]) -> dict[str, NoRecording]:
    """The cells that cannot mean the recording that they match, as another cell means it.

    Cells of one recording must be one path (`_are_one`). And of two folders in cells that match
    files of one folder, the one with more names in common is meant; folders without any may have
    been put together.
    """
    refused: dict[str, NoRecording] = {}
    by_file: dict[str, list[str]] = {}
    by_folder: dict[str, dict[tuple[str, ...], list[str]]] = {}
    for cell, match in matches.items():
        by_file.setdefault(match.file, []).append(cell)
        folder = tuple(_same(name) for name in names(cell)[:-1])
        if folder:
            own = match.file.rpartition("/")[0]
            by_folder.setdefault(own, {}).setdefault(folder, []).append(cell)
    for file, cells in by_file.items():
        if len(cells) > 1:
            _refuse_worse(file, cells, matches, refused)
    for own, folders in by_folder.items():
        if len(folders) > 1:
            _refuse_folders(own, folders, matches, refused)
    return refused


def _refuse_worse(
    file: str, cells: list[str], matches: dict[str, Match], refused: dict[str, NoRecording]
) -> None:
    """Refuse those of ``cells`` that mean another file than the one most like ``file``."""
    ranks = {c: (-matches[c].shared, _unlike(names(c), file, matches[c].shared)) for c in cells}
    first = min(cells, key=ranks.get)
    others = [cell for cell in cells if not _are_one(first, cell, file, matches)]
    refused |= {cell: _two_files(cell, first, file) for cell in others}
    # as good a claim of another file: neither is certain
    if any(ranks[cell] == ranks[first] for cell in others):
        refused |= {c: _two_files(c, others[0], file) for c in cells if c not in refused}


def _two_files(cell: str, other: str, file: str) -> NoRecording:
    return NoRecording(
        f"{_quoted(cell)} and {_quoted(other)} are two files, but only {file!r} fits them",
        similar=True,
    )


def _are_one(cell: str, other: str, file: str, matches: dict[str, Match]) -> bool:
    """Whether two cells that match ``file`` are one path.

    They differ in separators, encoding and the case of the ending alone; or one is the whole path
    of the file, its folder too, and the other has this at its end and begins at a root.
    """
    paths = {c: tuple(map(_same, names(c))) for c in (cell, other)}
    short, long = sorted((cell, other), key=lambda c: len(paths[c]))
    if not _is_end(paths[short], paths[long]):
        return False
    depth = file.count("/") + 1
    whole = depth > 1 and matches[cell].shared == matches[other].shared == depth
    rooted = FROM_ROOT.match(long) and not FROM_ROOT.match(short)
    return bool(whole and rooted) or len(paths[short]) == len(paths[long])


def _refuse_folders(
    own: str,
    folders: dict[tuple[str, ...], list[str]],
    matches: dict[str, Match],
    refused: dict[str, NoRecording],
) -> None:
    """Refuse cells of ``folders`` that cannot all be the folder ``own`` of the recordings."""
    shared = {folder: matches[cells[0]].shared for folder, cells in folders.items()}
    likest = max(folders, key=lambda folder: (shared[folder], len(folder)))
    others = [f for f in folders if not _is_end(f, likest) and not _is_end(likest, f)]
    for folder in others:
        if shared[folder] < shared[likest]:
            for cell in folders[folder]:
                refused[cell] = NoRecording(
                    f"{_quoted(cell)} fits {matches[cell].file!r} by its name, but other cells "
                    f"mean that folder by '{'/'.join(likest)}'",
                    similar=True,
                )
    if not others:
        return
    placed = {
        folder: [cell for cell in cells if matches[cell].beside and cell not in refused]
        for folder, cells in folders.items()
    }
    if sum(map(bool, placed.values())) > 1:
        for cell in (cell for cells in placed.values() for cell in cells):
            refused[cell] = NoRecording(
                f"{_quoted(cell)} fits several recordings; {matches[cell].file!r} is beside the "
                "table, but the table names several folders and none of them is there",
                similar=True,
            )


def _quoted(cell: str) -> str:
    """The cell as it stands in the table: repr would double each backslash."""
    return f"'{cell}'"


def _is_end(short: tuple[str, ...], long: tuple[str, ...]) -> bool:
    """Whether ``long`` ends with ``short``; a missing ending of the file is no difference."""
    if len(short) > len(long) or not short:
        return not short
    name, other = short[-1], long[-1]
    same = name == other or name in _split(other) or other in _split(name)
    return same and short[:-1] == long[len(long) - len(short) : -1]


def _shared(folders: tuple[str, ...], own: tuple[str, ...]) -> int:
    """How many names two paths of folders have in common at their ends."""
    shared = 0
    for name, other in zip(reversed(folders), reversed(own), strict=False):
        if name != other:
            break
        shared += 1
    return shared


def _unlike(parts: list[str], file: str, shared: int) -> tuple[int, int, int]:
    """How the last ``shared`` names differ: in case, in the file's ending, in encoding or form."""
    ours, theirs = parts[-shared:], file.split("/")[-shared:]
    if ours == theirs:
        return 0, 0, 0
    stems = ([*path[:-1], _stem(path[-1])] for path in (ours, theirs))
    mine, its = (list(map(_plain, path)) for path in stems)
    endings = [_split(path[-1])[1] for path in (ours, theirs)]
    other = 0 if endings[0].lower() == endings[1].lower() else 1 if not endings[0] else 2
    return int(mine != its), other, int(mine == its and ours != theirs and not other)


@lru_cache(maxsize=1 << 18)
def _split(name: str) -> tuple[str, str]:
    """A name and its ending of audio, or ""; other parts after dots belong to the name."""
    stem, ending = os.path.splitext(name)
    return (stem, ending) if ending.lower() in SUFFIXES | UNREAD_SUFFIXES else (name, "")


def _stem(name: str) -> str:
    return _split(name)[0]


def _plain(name: str) -> str:
    """One form of a name: percent encoding resolved, Unicode composed (NFC)."""
    name = unquote(name) if "%" in name else name
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _same(name: str) -> str:
    """The name in one form, its ending in lower case."""
    stem, ending = _split(_plain(name))
    return stem + ending.lower()


def loose(name: str) -> str:
    """The name in one form and one case: by it recordings are looked up."""
    plain = _plain(name)
    return plain.lower() if plain.isascii() else _plain(plain.casefold())


@lru_cache(maxsize=1 << 16)
def _loose_folders(path: str) -> tuple[str, ...]:
    return tuple(map(loose, path.split("/"))) if path else ()
