"""JSON lines: an object for each row, such as metadata.jsonl of Hugging Face's audiofolder."""

from __future__ import annotations

import json
from pathlib import Path

from stratavox.corpus import text_table
from stratavox.errors import StratavoxError


def records(path: Path) -> list[tuple[int, list[str]]]:
    """The number of each line and its cells; names of columns come first, as line 0.

    Lists and objects within a row are written as JSON. Raises `StratavoxError` for a line that is
    no object.
    """
    rows: list[tuple[int, dict]] = []
    for number, line in enumerate(
        text_table.decode(path, text_table.content(path)).split("\n"), start=1
    ):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise StratavoxError(f"{path}: line {number}: not JSON ({error}); correct it") from None
        if not isinstance(row, dict):
            raise StratavoxError(
                f"{path}: line {number}: not a JSON object; each line must be one, such as "
                '{"file_name": "a.wav", "label": "song"}'
            )
        rows.append((number, row))
    header = list(dict.fromkeys(name for _, row in rows for name in row))
    return [(0, header), *((n, [_cell(row.get(name)) for name in header]) for n, row in rows)]


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text_table.printable(text)
