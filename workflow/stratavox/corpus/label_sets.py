"""The label sets of a multilabel task: which classes are present in each clip.

The labels stand in several columns (one for each class, with 0 and 1), or in one column whose cells
hold several labels.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stratavox.corpus.window_keys import JSON
from stratavox.errors import StratavoxError

PRESENCE = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
# 1.0 and 0.0: a column of integers with a missing one, as pandas writes it
WHOLE = re.compile(r"([01])\.0*")
_ITEM = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|-?\d+)"""
# The comma is required: NumPy writes lists without it, and Python would join their texts.
LIST = re.compile(rf"\[\s*(?:{_ITEM}(?:\s*,\s*{_ITEM})*\s*,?)?\s*\]")


@dataclass(frozen=True)
class LabelSets:
    """``classes``, sorted; ``present`` bool (clips, classes); ``known`` bool (clips,).

    A known clip without any class is a negative. A clip that is not known has no class here.
    """

    classes: tuple[str, ...]
    present: np.ndarray
    known: np.ndarray


def matrix(labels: pa.Table, task: dict) -> LabelSets:
    """The label sets of the rows of ``labels``, the table of `labels.label_columns`.

    ``task`` holds target: columns with 0 and 1 (`PRESENCE`), or one column, whose cells hold labels
    between task["separator"]. There, a cell that equals task["negative"] holds no label. Any other
    empty cell makes its clip unknown. Raises `StratavoxError` for a cell that is neither, and where
    no class is left.
    """
    target = task["target"]
    sets = _of_cells(labels, task) if isinstance(target, str) else _of_columns(labels, target)
    if not sets.classes:
        raise StratavoxError(
            f"the column {target!r} holds no label; name the column that does in the task's target"
        )
    return sets


def _of_columns(labels: pa.Table, columns: list[str]) -> LabelSets:
    classes = tuple(sorted(columns))
    present = np.zeros((len(labels), len(classes)), bool)
    known = np.ones(len(labels), bool)
    for place, name in enumerate(classes):
        cells = labels[name].to_pylist()
        read = {cell: _presence(cell) for cell in set(cells)}
        wrong = {cell for cell, value in read.items() if value is None and cell}
        if wrong:
            first = next(row for row, cell in enumerate(cells) if cell in wrong)
            raise StratavoxError(
                f"{_row(labels, first)}: found {cells[first]!r} in column {name!r} of a multilabel "
                f"task's target; allowed: {', '.join(PRESENCE)}, and an empty cell for unknown; "
                "correct it, or remove the column from target"
            )
        known &= np.array([bool(cell) for cell in cells], bool)
        present[:, place] = [bool(read[cell]) for cell in cells]
    present[~known] = False
    return LabelSets(classes, present, known)


def _presence(cell: str) -> bool | None:
    text = cell.casefold()
    whole = WHOLE.fullmatch(text)
    return PRESENCE.get(whole[1] if whole else text)


def _of_cells(labels: pa.Table, task: dict) -> LabelSets:
    column, separator, negative = task["target"], task["separator"], task.get("negative")
    cells = labels[column].to_pylist()
    sets: dict[str, set[str] | None] = {}
    for row, cell in enumerate(cells):
        if cell in sets:
            continue
        try:
            sets[cell] = _set(cell, separator, negative)
        except ValueError as error:
            raise StratavoxError(
                f"{_row(labels, row)}: found {cell!r} in column {column!r}, {error}; correct it, "
                "or the task's separator or negative"
            ) from None
    classes = tuple(sorted(set().union(*filter(None, sets.values()))))
    places = {name: place for place, name in enumerate(classes)}
    present = np.zeros((len(cells), len(classes)), bool)
    for row, cell in enumerate(cells):
        present[row, [places[name] for name in sets[cell] or ()]] = True
    known = np.array([sets[cell] is not None for cell in cells], bool)
    return LabelSets(classes, present, known)


def _set(cell: str, separator: str, negative: str | None) -> set[str] | None:
    """The labels of a cell; None where they are unknown. Raises ValueError with the reason."""
    held = labels_of(cell, separator)
    if negative in held:
        if len(held) > 1:
            raise ValueError(f"which holds {negative!r}, the mark of no label, and a label")
        return set()
    stated = negative == "" or (separator == JSON and cell.strip() != "")
    return held if held or stated else None


def labels_of(cell: str, separator: str) -> set[str]:
    """The labels that one cell holds; raises ValueError with the reason for a broken list."""
    if separator != JSON:
        parts = cell.split(separator)
    elif not cell.strip():
        parts = []
    else:
        parts = _list(cell)
    return {part for part in (str(part).strip() for part in parts) if part}


def _list(cell: str) -> list:
    try:
        parts = json.loads(cell)
    except ValueError:
        parts = ast.literal_eval(cell.strip()) if LIST.fullmatch(cell.strip()) else None
    if not isinstance(parts, list) or any(isinstance(part, (list, dict)) for part in parts):
        raise ValueError("which is no list such as [\"a\", \"b\"] or ['a', 'b']")
    return [part for part in parts if part is not None]


def _row(labels: pa.Table, row: int) -> str:
    key = next(name for name in ("row", "clip_id") if name in labels.column_names)
    return f"{key.removesuffix('_id')} {labels[key][row].as_py()}"
