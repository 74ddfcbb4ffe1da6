"""Numbers: a prediction has a squared error, and so has the mean of the training clips."""

from __future__ import annotations

import numpy as np
import pandas as pd

from stratavox.inference.groups import explained_bounds
from stratavox.inference.measures import Predicted

BOUNDS = explained_bounds
LEAST_NULL = 0.0  # below, the mean of the training clips predicts better
COLUMNS = ("error", "spread")


def scored(predictions: pd.DataFrame) -> pd.DataFrame:
    """``predictions`` with the squared errors of the prediction and of the training mean."""
    value = predictions["value"]
    return predictions.assign(
        error=np.square(value - predictions["predicted_value"]),
        spread=np.square(value - predictions["training_mean"]),
    )


def clips(scored: pd.DataFrame, parts: list[str]) -> pd.DataFrame:
    """Each clip with the means over its repeats."""
    mean = dict.fromkeys(COLUMNS, "mean") | {"group": "first"}
    return scored.groupby([*parts, "clip_id"], sort=True, observed=True).agg(mean)


def measures(clips: pd.DataFrame) -> dict[str, Predicted]:
    """Variance explained."""
    by_group = clips.groupby(clips["group"].to_numpy(str))
    sums = by_group[list(COLUMNS)].sum()
    counts = by_group.size().to_numpy(float)[:, None]
    return {"correct": Predicted(*sums.to_numpy().T, counts)}
