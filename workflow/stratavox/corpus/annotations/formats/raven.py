"""Raven's selection tables: tabs between cells, a header, a row for each view of a selection."""

from __future__ import annotations

import csv
from pathlib import Path, PureWindowsPath

from stratavox.corpus import user_table
from stratavox.corpus.annotations.box import Box
from stratavox.corpus.match import loose
from stratavox.errors import StratavoxError

PATTERN = "**/*.txt"
BEGIN, END = "Begin Time (s)", "End Time (s)"
LOW, HIGH = "Low Freq (Hz)", "High Freq (Hz)"
OFFSET = "File Offset (s)"
CHANNEL = "Channel"
# Either names the sound file that a selection begins (ends) in; the path tells equal names apart.
BEGIN_FILE, END_FILE = ("Begin Path", "Begin File"), ("End Path", "End File")
USED = {BEGIN, END, LOW, HIGH, OFFSET, *BEGIN_FILE, *END_FILE}
# Equal times in a table and in Raven's measurement differ by less.
SAME_S = 0.001
# Files that follow each other begin further apart.
APART_S = 0.5


def boxes(path: Path, data: bytes, settings: dict) -> list[Box]:
    """One box for each selection; where several views show it, the spectrogram's row.

    Raven counts a table's times from the start of all the sound files that were open together,
    and ``File Offset (s)`` from the start of the selection's own. Raises `StratavoxError` for a
    missing column, and for a table of several sound files without the columns that locate a
    selection in its file.
    """
    table = _table(path, data, settings.get("text"))
    if not table.rows:
        return []
    for name in (BEGIN, END):
        if name not in table.columns:
            raise StratavoxError(
                f"{path}: there is no column {name!r}, so it is no selection table of Raven's; "
                f"its columns are: {', '.join(table.columns)}; correct the config's key "
                "'annotations.files' or 'annotations.format', or save the table from Raven again"
            )
    table.column(settings["label"], "annotations.label")
    begin_files, end_files = _sounds(table, BEGIN_FILE), _sounds(table, END_FILE)
    _refuse_unknown_times(table, begin_files, "list" in settings)
    selections, records = [], table.records()
    reopened = _reopened(records, begin_files)
    for place in _one_view(table):
        cells = records[place]
        start, end, reason = _times(cells)
        begins, ends = _name(begin_files[place]), _name(end_files[place])
        if ends and ends != begins:
            reason = f"begins in {begins!r} and ends in {ends!r}"
        selections.append(
            Box(
                row=table.rows[place],
                start=start,
                end=end,
                further={name: cell for name, cell in cells.items() if name not in USED},
                low=cells.get(LOW, ""),
                high=cells.get(HIGH, ""),
                sound=begin_files[place],
                reopened=begin_files[place] in reopened,
                reason=table.ragged.get(table.rows[place]) or reason,
            )
        )
    return selections


def names_sounds(path: Path, data: bytes, settings: dict) -> bool:
    """Whether the table itself names the sound file of each selection."""
    return not set(BEGIN_FILE).isdisjoint(_table(path, data, settings.get("text")).columns)


def _table(path: Path, data: bytes, text: dict | None) -> user_table.UserTable:
    """Raven writes no commas between thousands, so a comma in a number is a decimal mark."""
    stated = {"decimal": ","} | (text or {})
    return user_table.parse(path, data, "\t", csv.QUOTE_NONE, stated)


def _sounds(table: user_table.UserTable, names: tuple[str, str]) -> list[str]:
    """Each row's sound file, by the first of the columns ``names`` that has it; or ""."""
    empty = [""] * len(table.rows)
    columns = [table.columns.get(name, empty) for name in names]
    return [next(filter(None, map(str.strip, cells)), "") for cells in zip(*columns, strict=True)]


def _name(sound: str) -> str:
    """The file's name without its folders, which are of the annotator's computer."""
    return PureWindowsPath(sound).name


def _reopened(records: list[dict[str, str]], sounds: list[str]) -> set[str]:
    """The sound files that began at several times of the table: several files of one name."""
    starts: dict[str, list[float]] = {}
    for cells, sound in zip(records, sounds, strict=True):
        begin, offset = _number(cells[BEGIN]), _number(cells.get(OFFSET, ""))
        if sound and begin is not None and offset is not None:
            starts.setdefault(sound, []).append(begin - offset)
    return {sound for sound, times in starts.items() if max(times) - min(times) > APART_S}


def _refuse_unknown_times(table: user_table.UserTable, sounds: list[str], listed: bool) -> None:
    """Stop where times may count from the start of another file than the selection's own.

    With ``listed``, annotations.list says that the table belongs to one file.
    """
    named = sorted(set(sounds) - {""})
    if OFFSET not in table.columns:
        stems = [PureWindowsPath(name).stem for name in named]
        own = listed or not named or loose(table.path.name).startswith(f"{loose(stems[0])}.")
        if len(named) > 1 or not own:
            shown = named if len(set(map(_name, named))) < len(named) else map(_name, named)
            raise StratavoxError(
                f"{table.path}: its selections are in {', '.join([*shown][:3])}, but the table is "
                f"not of one file and named after it, and there is no column {OFFSET!r} to locate "
                "each in its file; add that measurement in Raven and save the table again"
            )
    elif not named:
        for row, offset, begin in zip(
            table.rows, table.columns[OFFSET], table.columns[BEGIN], strict=True
        ):
            numbers = _number(offset), _number(begin)
            if None not in numbers and abs(numbers[0] - numbers[1]) > SAME_S:
                raise StratavoxError(
                    f"{table.path}: row {row}: {OFFSET!r} is {offset}, but {BEGIN!r} {begin}: the "
                    "table is of several sound files, and there is no column 'Begin File' to "
                    "name them; add that measurement in Raven and save the table again"
                )


def _times(cells: dict[str, str]) -> tuple[str, str, str | None]:
    """Start and end in the selection's own sound file, or why they are unknown."""
    begin, end = cells[BEGIN], cells[END]
    if OFFSET not in cells:
        return begin, end, None
    numbers = [_number(text) for text in (begin, end, cells[OFFSET])]
    if None in numbers:
        times = f"{BEGIN} {begin!r}, {END} {end!r}, {OFFSET} {cells[OFFSET]!r}"
        return begin, end, f"{times}: not all are numbers of seconds"
    return cells[OFFSET], f"{numbers[2] + numbers[1] - numbers[0]:.6f}", None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _one_view(table: user_table.UserTable) -> list[int]:
    """Places of the rows to keep: of each selection those of one view."""
    if not {"Selection", "View"} <= table.columns.keys():
        return list(range(len(table.rows)))
    views = table.columns["View"]
    # Numbers of selections repeat in tables that were pasted together; their times do not. Views
    # of two channels are two selections.
    names = ("Selection", BEGIN, END, CHANNEL, *BEGIN_FILE)
    keys = zip(*(table.columns[name] for name in names if name in table.columns), strict=True)
    same: dict[tuple, list[int]] = {}
    for place, key in enumerate(keys):
        same.setdefault(key, []).append(place)
    kept = []
    for places in same.values():
        shown = [views[place] for place in places]
        best = next((view for view in shown if view.startswith("Spectrogram")), shown[0])
        kept += [place for place in places if views[place] == best]
    return sorted(kept)
