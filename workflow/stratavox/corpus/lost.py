"""The rows of a dataset that cannot be used: counted by reason, for the run and for `init`."""

from __future__ import annotations

import re

import pyarrow as pa

from stratavox.corpus.reasons import NO_FAULT, UNANNOTATED
from stratavox.corpus.user_table import UserTable
from stratavox.errors import StratavoxError

SHOWN = 10
# What differs between two reasons of one kind: values in quotes, and numbers.
DETAIL = re.compile(r"'[^']*'|[-+]?\d[\d.,:]*(, \d+)*")


def rejected(scanned: pa.Table, table: UserTable, measured: dict[str, str | None]) -> list[dict]:
    """Row, file and reason of every row that is lost, in the table's order.

    ``measured`` maps the ids of clips to why inspection refused them. Rows that are left out by no
    fault of theirs are lost only where nothing else is left.
    """
    rows = scanned.select(["row", "file", "clip_id", "reason"]).to_pylist()
    reasons = [row["reason"] or measured.get(row["clip_id"]) for row in rows]
    no_fault = (UNANNOTATED,) if all(reasons) else NO_FAULT
    return [
        {"row": table.place(row["row"]), "file": row["file"], "reason": reason}
        for row, reason in zip(rows, reasons, strict=True)
        if reason and not reason.startswith(no_fault)
    ]


def refuse_too_many(where: str, rows: int, lost: list[dict], clips: int, max_bad: float) -> None:
    """Raise `StratavoxError` where more than ``max_bad`` of the rows are lost, or no clip is left.

    ``where`` names the table, ``lost`` is what `rejected` returns.
    """
    share = len(lost) / rows if rows else 1.0
    if share <= max_bad and clips:
        return
    shown = by_reason(lost)
    if len(shown) > SHOWN:
        shown = [*shown[:SHOWN], f"and {len(shown) - SHOWN} more reasons"]
    raise StratavoxError(
        f"{where}: {len(lost)} of {rows} rows cannot be used "
        f"({share:.1%}; max_bad allows {max_bad:.1%}, and one clip must be left):\n  "
        + "\n  ".join(shown)
        + "\nCorrect or remove them"
        + (", or raise max_bad." if clips else ".")
    )


def by_reason(lost: list[dict]) -> list[str]:
    """A line for each kind of reason, the most frequent first: its first row, and how many more."""
    kinds: dict[str, list[dict]] = {}
    for row in lost:
        kinds.setdefault(DETAIL.sub("", row["reason"]), []).append(row)
    lines = []
    for rows in sorted(kinds.values(), key=len, reverse=True):
        first, more = rows[0], len(rows) - 1
        line = f"row {first['row']}: {first['file']!r}: {first['reason']}"
        lines.append(line + (f" (and {more} more like it)" if more else ""))
    return lines
