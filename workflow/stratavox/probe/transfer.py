"""Transfer: training on clips with some values of a column, testing on clips with others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from stratavox.errors import StratavoxError

TRAIN, TEST = "train", "test"


def sides(cells: Sequence[str], transfer: dict, where: str) -> list[str]:
    """`TRAIN`, `TEST` or "" (neither) for each clip, from its cell of the column.

    ``transfer`` is the task's entry in the config: column, train and test. Raises `StratavoxError`
    as `named` does.
    """
    of_value = named(transfer, set(cells), f"{where}.transfer")
    return [of_value.get(cell, "") for cell in cells]


def named(entry: dict, values: set[str], key: str) -> dict[str, str]:
    """The side of each value that train or test of ``entry``, the config's ``key``, names.

    Raises `StratavoxError` for a value on both sides, and for one that is not in ``values``, those
    of the entry's column.
    """
    of_value: dict[str, str] = {}
    for side in (TRAIN, TEST):
        for value in entry[side]:
            if of_value.setdefault(value, side) != side:
                raise StratavoxError(
                    f"{key}: {value!r} is in train and in test; each value of "
                    f"{entry['column']!r} can be on one side only"
                )
            if value not in values:
                raise StratavoxError(
                    f"{key}.{side}: no clip has {value!r} in column {entry['column']!r}; its "
                    f"values are: {listed(values)}"
                )
    return of_value


def listed(values: set[str]) -> str:
    """The first of a column's values, in a message."""
    return ", ".join(map(repr, sorted(values - {""})[:20])) or "none"


def straddling(clips: pd.DataFrame) -> pd.Series:
    """Whether a clip trains (column ``side``) though a clip of its ``group`` is tested."""
    tested = set(clips.loc[clips["side"] == TEST, "group"])
    return (clips["side"] == TRAIN) & clips["group"].isin(tested)


def not_trained_on(clips: pd.DataFrame) -> str:
    """The clips that may not train as their group is tested, in a message; empty if none."""
    if clips.empty:
        return ""
    groups = clips["group"].unique()
    return (
        f". {len(clips)} clips of the values in transfer.train are not trained on, as their groups "
        f"are also tested: {', '.join(map(repr, groups[:3]))}{', ...' if len(groups) > 3 else ''}"
    )


def parts(clips: pd.DataFrame, transfer: dict | None) -> dict[str, pd.DataFrame]:
    """The clips that must hold every class by themselves, with how a message names them."""
    if transfer is None:
        return {"": clips}
    return {
        f" in {side} ({transfer['column']} {', '.join(transfer[side])})": part
        for side in (TRAIN, TEST)
        for part in [clips[clips["side"] == side]]
    }


def folds(clips: pd.DataFrame) -> np.ndarray:
    """The fold (clips,) in which a clip is tested: 0, or -1 where it only trains."""
    return np.where(clips["side"] == TEST, 0, -1).astype(np.int32)
