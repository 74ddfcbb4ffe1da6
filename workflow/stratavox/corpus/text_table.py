"""Text tables as programs write them: encodings, separators, decimal commas.

What a file tells for certain is read. What it does not tell is refused, and the config's key
``text`` states it. This runs whenever the Snakefile is parsed, so it imports little.
"""

from __future__ import annotations

import codecs
import csv
import errno
import io
import re
from pathlib import Path

from stratavox.errors import StratavoxError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# The line by which Excel states the separator.
EXCEL = re.compile(r"\ufeff?sep=(.)\r?\n", re.IGNORECASE)
POINT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
COMMA = re.compile(r"[-+]?(\d+,\d+|,\d+)([eE][-+]?\d+)?")
# May also be a number of thousands, as programs in English write them.
THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")


NO_TEXT = "its name is not UTF-8, as in old zip archives: rename it"


def content(path: Path) -> bytes:
    """The bytes of a file; raises OSError also for a pipe or a device, which may have no end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "not a file")
    return path.read_bytes()


def printable(text: str) -> str:
    """``text`` with what no table can hold, such as a byte that is not UTF-8, as \\udce9."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def decode(path: Path, data: bytes, encoding: str | None = None) -> str:
    """The text of a file in UTF-8, in UTF-16, or else in ``encoding``.

    A byte order mark decides first; UTF-16 without one shows by its zero bytes. Raises
    `StratavoxError` for any other file without an ``encoding``, or in another one.
    """
    chosen = _marked(data)
    try:
        return data.decode(chosen or "utf-8")
    except UnicodeDecodeError as error:
        wrong = f"byte {error.object[error.start]:#04x} at position {error.start}"
    if chosen or encoding is None:
        advice = (
            f"its first bytes say {chosen.upper()}, but the text is not ({wrong}); save it again"
            if chosen
            else f"not UTF-8 ({wrong}); save it as UTF-8, or state its encoding in the config, "
            "such as text: {encoding: cp1252}"
        )
        raise StratavoxError(f"{path}: {advice}")
    try:
        return data.decode(encoding)
    except LookupError:
        raise StratavoxError(
            f"{path}: the config's text.encoding {encoding!r} is no encoding that Python knows; "
            "such are utf-8, cp1252, mac-roman"
        ) from None
    except UnicodeDecodeError as error:
        raise StratavoxError(
            f"{path}: not {encoding}, the config's text.encoding (byte "
            f"{error.object[error.start]:#04x} at position {error.start}); correct that key"
        ) from None


def encoding_of(data: bytes) -> str | None:
    """UTF-8 or UTF-16, where the file shows it; None where the config must state the encoding."""
    try:
        data.decode(chosen := _marked(data) or "utf-8")
    except UnicodeDecodeError:
        return _marked(data)
    return chosen


def _marked(data: bytes) -> str | None:
    chosen = next((name for bom, name in BOMS.items() if data.startswith(bom)), None)
    if chosen is None and 0 in data[:2] and len(data) % 2 == 0:
        chosen = "utf-16-be" if data[0] == 0 else "utf-16-le"
    return chosen


def cells(
    path: Path, text: str, separator: str | None = None, quoting: int = csv.QUOTE_MINIMAL
) -> tuple[str, list[tuple[int, list[str]]]]:
    """The separator, and for each row its number in the file and its cells, the header first.

    It is the one that the header shows; ``separator``, where given, if the header has it. Raises
    `StratavoxError` where several could be meant, for a table that is not well-formed, and where
    commas are also decimal marks.
    """
    stated = EXCEL.match(text)
    skipped = 0
    if stated:
        text, skipped, separator = text[stated.end() :], 1, stated[1]
    header = next((line for line in text.splitlines() if line.strip()), "")
    if separator is None or separator not in header:
        separator = _separator(path, text, header, quoting)
    rows = [(n + skipped, row) for n, row in _rows(path, text, separator, quoting)]
    if separator == "," and rows:
        rows = _without_unnamed(rows)
        _refuse_decimals_between_commas(path, rows)
    return separator, rows


def _rows(path: Path, text: str, separator: str, quoting: int) -> list[tuple[int, list[str]]]:
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, quoting=quoting, strict=True
    )
    try:
        return [(number, row) for number, row in enumerate(reader, start=1) if any(row)]
    except csv.Error as error:
        raise StratavoxError(
            f"{path}: line {reader.line_num}: {error}; correct the table"
        ) from None


def _separator(path: Path, text: str, header: str, quoting: int) -> str:
    """The character that parts the header and most rows into the same number of cells."""
    possible = [sign for sign in SEPARATORS if sign in header]
    if not possible:
        # bars occur in texts too
        return "|" if "|" in header else ","
    if len(possible) == 1:
        return possible[0]
    fitting, broken = {}, None
    for sign in possible:
        try:
            rows = _rows(path, text, sign, quoting)
        except StratavoxError as error:
            broken = error
            continue
        wide = len(rows[0][1])
        equal = sum(len(row) == wide for _, row in rows[1:])
        if wide > 1 and 2 * equal >= len(rows) - 1:
            fitting[sign] = wide
    if "\t" in fitting:
        return "\t"  # nobody types a tab into a cell
    if len(fitting) == 1:
        return next(iter(fitting))
    if not fitting and broken:
        raise broken
    shown = " or ".join(f"{SEPARATORS[sign]} ({n} columns)" for sign, n in fitting.items())
    raise StratavoxError(
        f"{path}: its cells may be separated by {shown or 'commas or semicolons'}; state it in the "
        'config, such as text: {separator: ";"}, or save the table with tabs'
    )


def _without_unnamed(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """``rows`` without the last columns where these have no name.

    A row with parts of numbers keeps them: its decimal commas may have shifted its cells, which
    then shows, as it has too many.
    """
    (first, header), *others = rows
    named = max((place for place, name in enumerate(header, start=1) if name.strip()), default=0)
    wide = len(header)
    if named == wide:
        return rows

    def shifted(row: list[str]) -> bool:
        return any(row[wide:]) or (any(row[named:]) and _holds_parts_of_numbers(row))

    kept = [(n, row if shifted(row) else row[:named]) for n, row in others]
    return [(first, header[:named]), *kept]


def _refuse_decimals_between_commas(path: Path, rows: list[tuple[int, list[str]]]) -> None:
    if len(rows) < 2:
        return
    wide = len(rows[0][1])
    split = [
        (number, row)
        for number, row in rows[1:]
        if len(row) > wide and _holds_parts_of_numbers(row)
    ]
    if 2 * len(split) > len(rows) - 1:
        number, row = split[0]
        raise StratavoxError(
            f"{path}: commas are both between its cells and in its numbers (row {number}: "
            f"{','.join(row)}; {len(row)} cells, but the header has {wide}); save the table with "
            "semicolons or tabs between cells, or with decimal points"
        )


def _holds_parts_of_numbers(row: list[str]) -> bool:
    return any(
        re.fullmatch(r"\s*[-+]?\d+", one) and re.fullmatch(r"\d+\s*", two)
        for one, two in zip(row, row[1:], strict=False)
    )


def with_points(
    columns: dict[str, list[str]], separator: str, decimal: str | None = None
) -> dict[str, list[str]]:
    """``columns`` with decimal points in each column of numbers with decimal commas.

    With ``decimal`` "," that is every column of such numbers, with "." none. Otherwise a column
    whose numbers may have commas between thousands (1,234) is left as it is, and is then refused as
    bounds. In a table with semicolons and no decimal point they are decimal commas: programs put
    semicolons between cells for no other reason.
    """
    if decimal == ".":
        return columns
    certain = decimal == "," or (separator == ";" and not any(map(_has_points, columns.values())))
    return {name: _points(column, certain) for name, column in columns.items()}


def undecided(column: list[str]) -> bool:
    """Whether `with_points` left numbers with commas: decimal ones, or between thousands."""
    filled = {cell.strip() for cell in column} - {""}
    return any(map(COMMA.fullmatch, filled)) and all(
        COMMA.fullmatch(cell) or POINT.fullmatch(cell) for cell in filled
    )


def _has_points(column: list[str]) -> bool:
    filled = {cell.strip() for cell in column} - {""}
    return any("." in cell for cell in filled) and all(map(POINT.fullmatch, filled))


def _points(column: list[str], certain: bool) -> list[str]:
    filled = {cell.strip() for cell in column} - {""}
    commas = {cell for cell in filled if COMMA.fullmatch(cell)}
    whole = all(cell in commas or cell.lstrip("+-").isdigit() for cell in filled)
    if not commas or not whole:
        return column
    if not certain and all(THOUSANDS.fullmatch(cell) for cell in commas):
        return column
    return [pointed(cell) for cell in column]


def pointed(cell: str) -> str:
    """A number with a decimal comma as one with a point; any other cell as it is."""
    return cell.replace(",", ".") if COMMA.fullmatch(cell.strip()) else cell
