"""The numbers of a column, the target of a regression."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from stratavox.errors import StratavoxError


def numbers(labels: pa.Table, column: str, where: str) -> np.ndarray:
    """The cells of ``column`` as numbers (rows,), NaN where a cell is empty.

    The first column of ``labels`` names its rows, as in `labels.label_columns`. Raises
    `StratavoxError`, beginning with the config's key ``where``, for a cell that is no number.
    """
    cells = labels[column].to_pylist()
    read = {cell: _number(cell) for cell in set(cells)}
    wrong = [place for place, cell in enumerate(cells) if cell and math.isnan(read[cell])]
    if wrong:
        name = labels.column_names[0]
        row = f"{name.removesuffix('_id')} {labels[name][wrong[0]].as_py()}"
        raise StratavoxError(
            f"{where}.target: {row}: found {cells[wrong[0]]!r} in column {column!r}; a regression "
            f"needs finite numbers such as 12.5 ({len(wrong)} of {len(cells)} cells are none). "
            "Correct them, list marks of no value under missing, or remove kind: regression for "
            "classes"
        )
    return np.array([read[cell] for cell in cells], float)


def _number(cell: str) -> float:
    """The cell as a number; NaN where it is none, or not finite."""
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
