"""The official split of a data set: its training clips train one probe, which its test clips test.

It is scored beside the other regimes, and nothing but its own answer is about it: animals,
recordists and places may be on both of its sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import numpy as np
import pandas as pd

from stratavox.errors import StratavoxError
from stratavox.probe.transfer import TEST, TRAIN, listed, named

REGIME = "official"
# Values that need no naming. Validation clips train: inner folds choose penalty and block.
KNOWN = {
    **dict.fromkeys(("train", "training", "valid", "validation", "val"), TRAIN),
    **dict.fromkeys(("test", "testing"), TEST),
}


def sides(cells: Sequence[str], split: dict, where: str) -> list[str]:
    """`TRAIN`, `TEST` or "" (neither) for each clip, from its cell of the column.

    ``split`` is the task's entry in the config: column, and perhaps the values of train and test.
    Raises `StratavoxError` for a value that is on no side or on both, and for a side without clips.
    """
    values = set(cells) - {""}
    if TRAIN in split:
        of_value = named(split, values, f"{where}.split")
        return [of_value.get(cell, "") for cell in cells]
    of_value = {value: KNOWN.get(value.casefold(), "") for value in values}
    unclear = sorted(value for value, side in of_value.items() if not side)
    missing = sorted({TRAIN, TEST} - set(of_value.values()))
    if unclear or missing:
        problem = f"{unclear[0]!r} names no side" if unclear else f"no clip is in {missing[0]}"
        raise StratavoxError(
            f"{where}.split: column {split['column']!r} has the values {listed(values)}, and "
            f"{problem}; known are {', '.join(KNOWN)}. Name the values of both sides: "
            f"split: {{column: {split['column']}, train: [...], test: [...]}}"
        )
    return [of_value.get(cell, "") for cell in cells]


def used(clips: pd.DataFrame, own: ModuleType) -> pd.DataFrame:
    """The clips of both sides (column official), of the classes that both sides have.

    Without training clips that are the same audio as a test clip. ``own`` is `kinds.Kind.folds`.
    """
    clips = clips[(clips[REGIME] != "") & ~_copies(clips)].reset_index(drop=True)
    return own.of_both(clips, (clips[REGIME] == TEST).to_numpy())


def folds(clips: pd.DataFrame, own: ModuleType, settings: dict) -> np.ndarray:
    """The fold (clips,) in which each of the clips `used` is tested: 0, or -1 where it only trains.

    Raises `StratavoxError` where its sides are too small for a probe.
    """
    train, test = (clips[clips[REGIME] == side] for side in (TRAIN, TEST))
    try:
        if not len(train) or not len(test):
            raise StratavoxError("no two classes are on both sides, nor does a number vary on both")
        own.by_clip(train.reset_index(drop=True), settings["inner_folds"], settings["seed"])
    except (StratavoxError, ValueError) as error:
        raise StratavoxError(
            f"the official split by {settings['split']['column']!r} has {len(train)} training and "
            f"{len(test)} test clips: {error}"
        ) from None
    return np.where(clips[REGIME] == TEST, 0, -1).astype(np.int32)


def summary(clips: pd.DataFrame, official: pd.DataFrame, own: ModuleType) -> dict:
    """Counts of both sides; ``official`` are those of ``clips`` that are `used`."""
    train, test = (official[official[REGIME] == side] for side in (TRAIN, TEST))
    known = clips["group"].notna().all()
    of_test = own.summary(test) if len(test) else {"classes": {}, "chance": None}
    return {
        "train": len(train),
        "test": len(test),
        "groups": test["group"].nunique() if known else None,
        "groups_on_both": len({*train["group"]} & {*test["group"]}) if known else None,
        "classes": sorted(of_test["classes"]),
        "chance": of_test["chance"],
        "copies": int(_copies(clips).sum()),
        "on_no_side": int((clips[REGIME] == "").sum()),
    }


def _copies(clips: pd.DataFrame) -> pd.Series:
    """Whether a training clip is the same audio as a test clip."""
    if "audio" not in clips:
        return pd.Series(False, index=clips.index)
    tested = set(clips.loc[clips[REGIME] == TEST, "audio"])
    return (clips[REGIME] == TRAIN) & clips["audio"].isin(tested)
