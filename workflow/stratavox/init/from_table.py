"""Clips from a table in the folder: the table, the column of files and the columns of bounds."""

from __future__ import annotations

import os
from pathlib import Path
from unicodedata import normalize
from urllib.parse import unquote

from stratavox.corpus import match, text_table, user_table
from stratavox.corpus.bounds import KEYS
from stratavox.errors import StratavoxError
from stratavox.init import bounds, channels, encoding, foreign, sniff
from stratavox.init.columns import Column
from stratavox.init.look import Contents
from stratavox.init.named import MIN_SHARE, Finder, Named, refuse_unclear
from stratavox.init.recognise import recognise, recorded
from stratavox.init.source import Source


def of_table(contents: Contents) -> Source | None:
    """The clips of the table that names most recordings, with those of others like it.

    None where none names them. Raises `StratavoxError` where none does and a table could not be
    read, or where the cells of one fit several recordings each.
    """
    folder = os.path.abspath(contents.folder)
    finder, tables, refused = Finder(contents), {}, {}
    for name in contents.tables:
        try:
            tables[name] = _read(contents.folder / name)
        except StratavoxError as error:
            refused[name] = str(error)
    matches = [match for name, table in tables.items() for match in finder.of_table(name, table)]
    if not matches:
        refuse_unclear(finder)
        matches = [
            match for name, table in tables.items() for match in finder.of_parts(name, table)
        ]
    matches.sort(key=lambda one: (-one.hits, -one.exact, one.name.count("/"), one.name))
    if not matches and refused:
        raise StratavoxError("; ".join(refused.values()))
    if not matches:
        return None
    firsts = {match.name: match for match in reversed(matches)}
    best, messages_on_others = finder.together(
        matches[0], [match for name, match in firsts.items() if name != matches[0].name]
    )
    also = [
        match
        for match in matches[1:]
        if match.name in best.names
        and match.column != best.column
        and match.exact >= MIN_SHARE * match.rows
    ]
    also = list({match.column: match for match in also}.values())
    unused = sorted(set(tables) - {match.name for match in matches})
    messages = [
        f"table {best.name}: {best.rows} rows; column {best.column!r} names the files: {best}",
        *(f"  {match.column!r} also names files: {match}" for match in also),
        *_notices(best),
        *messages_on_others,
        *(f"  table {name} is not used: it names no recordings" for name in unused),
        *(f"  look: table not used: {message}" for message in refused.values()),
        *(
            f"  look: {len(files)} {sniff.NAMES[kind]} are not used, as a table names the "
            "recordings; to use them, move the table away"
            for kind, files in contents.annotations.items()
        ),
    ]
    messages += _program(best)
    path = Path(os.path.normpath(contents.folder / os.path.relpath(best.base, folder)))
    names = [Path(os.path.relpath(contents.folder / n, path)).as_posix() for n in best.names]
    table = names[0] if len(names) == 1 else names
    entry = {"path": path.as_posix(), "table": table, "file": best.column}
    notes = {"table": f"{best.rows} rows, one for each clip; relative to path"}
    notes["file"] = "; ".join(
        [f"names the files: {best}", *(f"{m.column} does so too" for m in also)]
    )
    stated, doubts = encoding.text_of([contents.folder / name for name in best.names])
    if stated:
        entry["text"] = stated
        messages += doubts
    if best.template:
        entry["file_name"] = best.template
        notes["file_name"] = "how a recording is called whose cell takes the place of {}"
    headers = [contents.headers.get(file) for file in best.files]
    bounded = bounds.choose(bounds.Rows(best.table.columns, best.files, headers))
    entry |= bounded.entry
    notes |= bounded.notes
    notices = [*bounded.messages, *_repeats(best.files, bounded.entry), *_commas(best)]
    used = {bounded.entry[key] for key in KEYS if key in bounded.entry}
    used |= {m.column for m in also}
    others = [name for name in best.table.columns if name not in {*used, best.column}]
    if name := channels.column_of(others, contents):
        chosen, lines = channels.choose(name, best.table.columns[name], contents)
        entry |= chosen
        notices += lines
        used |= {name} if chosen else set()
    columns = [
        Column(
            name,
            cells,
            "file" if name == best.column else None,
            "a time or a frequency" if name in bounded.aside else None,
        )
        for name, cells in best.table.columns.items()
        if name not in used
    ]
    own = {column.name for column in columns}
    own_files = [file or "" for file in best.files]
    columns += [c for c in recorded(contents.folder, own_files) if c.name not in own]
    columns, further, recognised = recognise(columns, {best.column})
    entry |= further
    return Source(entry, notes, columns, [*messages, *notices, *recognised], best.rows)


def _notices(best: Named) -> list[str]:
    """How the cells differ from the paths of the recordings."""
    if best.template:
        return [
            f"  look: cells of {best.column!r} are parts of the recordings' names, "
            f"{best.template!r}: check that these belong together"
        ]
    levelled = best.hits - best.exact
    if not levelled:
        return []
    cells = best.table.columns[best.column]
    cell, file = next(
        (cell, file) for cell, file in zip(cells, best.files, strict=True) if file and file != cell
    )
    return [
        f"  look: {levelled} cells name a recording in another way ({_difference(cell, file)}): "
        f"{cell} is {file}"
    ]


def _commas(best: Named) -> list[str]:
    """The columns of numbers whose commas may be decimal marks, or between thousands."""
    undecided = {n: c for n, c in best.table.columns.items() if text_table.undecided(c)}
    return [
        f"  look: column {name!r} holds {next(c for c in cells if ',' in c)}: if that is a decimal "
        'comma, add text: {decimal: ","} to the config, or save the table with decimal points'
        for name, cells in undecided.items()
    ]


def _program(best: Named) -> list[str]:
    """That the table is a program's result."""
    program = foreign.program_of(list(best.table.columns))
    return [f"  {best.name} is a result table of {program}"] if program else []


def _difference(cell: str, file: str) -> str:
    """How a cell differs from the path of the recording that it means."""
    kinds = {
        "Windows separators": "\\" in cell,
        "percent encoding": unquote(cell) != cell,
        "Unicode form": normalize("NFC", cell) != cell or normalize("NFC", file) != file,
        "other folders": len(match.names(cell)) != len(file.split("/")),
    }
    name, own = match.names(normalize("NFC", unquote(cell)))[-1], normalize("NFC", file)
    own = unquote(own.rpartition("/")[2])
    kinds["case"] = name != own and name.lower() == own.lower()
    kinds["ending"] = name.lower() != own.lower()
    return ", ".join(kind for kind, differs in kinds.items() if differs)


def _read(path: Path) -> user_table.UserTable:
    return user_table.read(path, text=encoding.text_of([path])[0])


def _repeats(files: list[str | None], entry: dict) -> list[str]:
    named = [file for file in files if file]
    repeats = len(named) - len(set(named))
    if "start" in entry or not repeats:
        return []
    return [
        f"  check: {repeats} rows name a file that another row also names, and no columns bound "
        "the clips: rows with one file and different labels are rejected"
    ]
