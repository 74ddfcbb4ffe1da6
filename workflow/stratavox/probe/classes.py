"""The folds of a classification: which classes can be tested, and folds stratified by class."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from stratavox.probe import limits, splits


def targets(labels: pa.Table, settings: dict, where: str) -> dict[str, list]:
    """The label of each clip (target), and whether it has one (known)."""
    cells = labels[settings["target"]].to_pylist()
    return {"target": cells, "known": [cell != "" for cell in cells]}


def chosen(
    clips: pd.DataFrame, settings: dict, where: str, dropped: str
) -> tuple[pd.DataFrame, list[str], list[dict]]:
    """The clips of classes that can be tested, all labels, and the classes that are left out.

    A class with fewer than ``min_clips`` clips or ``min_groups`` groups is left out, for transfer
    on either side. Raises `StratavoxError`, with what was ``dropped`` before, where fewer than two
    classes are left.
    """
    counted = limits.in_classes(clips)
    left_out = limits.left_out(clips, settings)
    classes = [label for label in counted if label not in {row["label"] for row in left_out}]
    of_column = {*counted, *(row["label"] for row in left_out)}
    if len(classes) < 2:
        problem = (
            f"{where}: {len(classes)} of {len(of_column)} classes of column "
            f"{settings['target']!r} can be tested ({', '.join(map(repr, classes)) or 'none'}); a "
            "probe needs at least 2"
        )
        raise limits.nothing_testable(problem, left_out, settings, dropped)
    return clips[clips["target"].isin(classes)].reset_index(drop=True), list(counted), left_out


def of_both(clips: pd.DataFrame, test: np.ndarray) -> pd.DataFrame:
    """The clips of classes that are in ``test`` (clips,) bool and outside; none of a lone class."""
    target = clips["target"]
    both = set(target[test]) & set(target[~test])
    return clips[target.isin(both if len(both) > 1 else set())].reset_index(drop=True)


def summary(clips: pd.DataFrame) -> dict:
    """Clips and groups of each class, and the balanced accuracy of guessing."""
    classes = limits.in_classes(clips)
    return {"classes": classes, "chance": 1 / len(classes)}


def by_group(
    clips: pd.DataFrame, group: np.ndarray, count: int, fewest: int, seed: int
) -> np.ndarray:
    """Folds (clips,) as `splits.by_group` makes them."""
    return splits.by_group(clips["target"].to_numpy(), group, count, fewest, seed)


def by_clip(clips: pd.DataFrame, count: int, seed: int) -> np.ndarray:
    """Folds (clips,) as `splits.by_clip` makes them."""
    return splits.by_clip(clips["target"].to_numpy(), count, seed)
