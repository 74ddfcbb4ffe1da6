"""The folds of a regression: the numbers, and folds balanced by their quantiles."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from stratavox.corpus.numbers import numbers
from stratavox.errors import StratavoxError
from stratavox.probe import splits

# Parts of a target that folds are balanced by, each with as many clips.
PARTS = 5


def targets(labels: pa.Table, settings: dict, where: str) -> dict[str, list]:
    """The cell of each clip (target), its number (value), and whether it has one (known)."""
    cells, values = (
        labels[settings["target"]].to_pylist(),
        numbers(labels, settings["target"], where),
    )
    return {"target": cells, "value": values.tolist(), "known": np.isfinite(values).tolist()}


def chosen(
    clips: pd.DataFrame, settings: dict, where: str, dropped: str
) -> tuple[pd.DataFrame, list[str], list[dict]]:
    """All clips, with a column stratum; no labels, and nothing that is left out.

    Raises `StratavoxError`, with what was ``dropped`` before, where there are fewer than
    ``min_clips`` clips, or one value for all.
    """
    values = clips["value"].to_numpy(float)
    if len(clips) < settings["min_clips"] or len(set(values)) < 2:
        raise StratavoxError(
            f"{where}: {len(clips)} clips with {len(set(values))} values of column "
            f"{settings['target']!r}; a regression needs min_clips: {settings['min_clips']} clips "
            f"and two values{dropped}. Choose another target, lower min_clips or remove the task."
        )
    clips = clips.assign(value=values, stratum=parts(values).astype(str))
    return clips.reset_index(drop=True), [], []


def parts(values: np.ndarray) -> np.ndarray:
    """The part (clips,) of `PARTS` between quantiles that each of ``values`` (clips,) is in."""
    ends = np.quantile(values, np.arange(1, PARTS) / PARTS)
    return np.searchsorted(np.unique(ends), values, side="right")


def summary(clips: pd.DataFrame) -> dict:
    """The range of the numbers; 0 is the variance that the mean of the training clips explains."""
    values = clips["value"]
    spread = {"min": values.min(), "median": values.median(), "max": values.max()}
    return {
        "classes": {},
        "chance": 0.0,
        "values": {name: float(value) for name, value in spread.items()},
    }


def by_group(
    clips: pd.DataFrame, group: np.ndarray, count: int, fewest: int, seed: int
) -> np.ndarray:
    """Folds (clips,) as `of_groups` makes them."""
    return of_groups(clips["value"].to_numpy(float), group, count, fewest, seed)


def of_groups(
    values: np.ndarray, group: np.ndarray, count: int, fewest: int, seed: int
) -> np.ndarray:
    """The fold (clips,), 0 to ``count`` - 1, in which each clip is tested; no group is in two.

    Folds are balanced by the `parts` of ``values`` (clips,) as far as groups allow. In every
    training set values differ, and it holds at least ``fewest`` of the groups in ``group``
    (clips,). Raises `StratavoxError` where none of `splits.SHUFFLES` orders gives such folds.
    """
    stratum = parts(values)
    for fold in splits.shuffled(stratum, group, count, seed):
        trained = [fold != k for k in range(count)]
        vary = all(len(set(values[rows])) > 1 for rows in trained)
        if vary and min(len(set(group[rows])) for rows in trained) >= fewest:
            return fold
    raise StratavoxError(
        f"no way was found to split {len(set(group))} groups into {count} folds so that the target "
        f"varies in every training set, and each has at least inner_folds = {fewest} groups"
    )


def by_clip(clips: pd.DataFrame, count: int, seed: int) -> np.ndarray:
    """The fold (clips,), 0 to ``count`` - 1, in which each clip is tested, balanced by `parts`."""
    return splits.by_clip(parts(clips["value"].to_numpy(float)), count, seed)
