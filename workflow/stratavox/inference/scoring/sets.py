"""Label sets: clips are ranked by the log-odds of each class, in each repeat by itself."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from stratavox.inference.groups import share_bounds
from stratavox.inference.measures import Ranked

BOUNDS = share_bounds
LEAST_NULL = -math.inf
COLUMNS = ("present", "log_odds")


def scored(predictions: pd.DataFrame) -> pd.DataFrame:
    """``predictions`` as they are."""
    return predictions


def clips(scored: pd.DataFrame, parts: list[str]) -> pd.DataFrame:
    """Each clip of each repeat: log-odds of several repeats are not averaged before ranking."""
    return scored.set_index([*parts, "repeat", "clip_id"]).sort_index()[[*COLUMNS, "group"]]


def measures(clips: pd.DataFrame) -> dict[str, Ranked]:
    """Class-mean average precision."""
    repeats = [part for _, part in clips.groupby(level="repeat")]
    first = repeats[0]
    log_odds = [np.array(part["log_odds"].tolist(), np.float32) for part in repeats]
    present = np.array(first["present"].tolist(), bool)
    return {"correct": Ranked.of(log_odds, present, first["group"].to_numpy(str))}
