"""Classes: a prediction is right or not, and its label has a log-probability."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from stratavox.inference.groups import share_bounds
from stratavox.inference.measures import Balanced

BOUNDS = share_bounds
LEAST_NULL = -math.inf  # permuted labels may score below chance, as true ones without signal do
COLUMNS = ("correct", "bits")


def scored(predictions: pd.DataFrame) -> pd.DataFrame:
    """``predictions`` with whether each is correct, and the label's log2-probability."""
    return predictions.assign(
        correct=(predictions["predicted"] == predictions["target"]).astype(float),
        bits=predictions["log_probability"] / np.log(2),
    )


def clips(scored: pd.DataFrame, parts: list[str]) -> pd.DataFrame:
    """Each clip with the means over its repeats."""
    mean = dict.fromkeys(COLUMNS, "mean") | {"target": "first", "group": "first"}
    return scored.groupby([*parts, "clip_id"], sort=True, observed=True).agg(mean)


def measures(clips: pd.DataFrame) -> dict[str, Balanced]:
    """Balanced accuracy, and the mean over classes of the bits."""
    target, group = clips["target"].to_numpy(str), clips["group"].to_numpy(str)
    return {name: Balanced.of(clips[name].to_numpy(), target, group) for name in COLUMNS}
