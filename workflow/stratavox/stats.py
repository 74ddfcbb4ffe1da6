"""Intervals and tests whose unit is the group, not the clip.

Clips of one individual or session resemble each other, so an interval over clips is far too narrow
(FACTS: .59 coverage at a nominal .95). Here a group is left out at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

# Below this number of groups a t interval is not trusted: the range over groups is told instead.
FEWEST_GROUPS = 6
LEVEL = 0.95


@dataclass(frozen=True)
class Recall:
    """Per-group counts from which balanced accuracy, and that without any one group, follow.

    ``right`` and ``clips`` are (groups, classes): correctly predicted clips (averaged over repeats)
    and all clips of each class in each group.
    """

    right: np.ndarray
    clips: np.ndarray

    @classmethod
    def of(cls, correct: np.ndarray, target: np.ndarray, group: np.ndarray) -> Recall:
        """Count ``correct`` (clips,) in [0, 1] by ``group`` and ``target`` (clips,)."""
        classes, column = np.unique(target, return_inverse=True)
        groups, row = np.unique(group, return_inverse=True)
        right = np.zeros((len(groups), len(classes)))
        clips = np.zeros_like(right)
        np.add.at(right, (row, column), correct)
        np.add.at(clips, (row, column), 1)
        return cls(right, clips)

    @property
    def value(self) -> float:
        """Balanced accuracy: the mean over classes of the share of clips found."""
        return float(np.mean(self.right.sum(axis=0) / self.clips.sum(axis=0)))

    @property
    def without(self) -> np.ndarray:
        """Balanced accuracy (groups,) with each group left out in turn."""
        clips = self.clips.sum(axis=0) - self.clips
        right = self.right.sum(axis=0) - self.right
        share = np.divide(right, clips, out=np.full_like(right, np.nan), where=clips > 0)
        return np.nanmean(share, axis=1)

    @property
    def per_group(self) -> np.ndarray:
        """Balanced accuracy (groups,) inside each group, over the classes it has."""
        share = np.divide(
            self.right, self.clips, out=np.full_like(self.right, np.nan), where=self.clips > 0
        )
        return np.nanmean(share, axis=1)

    @property
    def freedom(self) -> int:
        """Degrees of freedom: groups less one; less the classes where each group has one class."""
        groups, classes = self.clips.shape
        nested = np.all((self.clips > 0).sum(axis=1) == 1)
        return groups - (classes if nested else 1)


@dataclass(frozen=True)
class Interval:
    """An estimate with its bounds; ``kind`` says what the bounds are."""

    value: float
    low: float | None
    high: float | None
    kind: str
    p_value: float | None = None


def jackknife_error(without: np.ndarray) -> float:
    """Standard error from estimates (groups,) with one group left out each.

    Delete-a-group jackknife: Efron & Tibshirani 1993, An Introduction to the Bootstrap, p. 141.
    """
    n = len(without)
    return float(np.sqrt((n - 1) / n * np.sum(np.square(without - without.mean()))))


def interval(recall: Recall) -> Interval:
    """Balanced accuracy with a 95 % t interval over groups, or its range below six groups."""
    if len(recall.clips) < FEWEST_GROUPS or recall.freedom < 2:
        each = recall.per_group
        return Interval(recall.value, float(each.min()), float(each.max()), "range over groups")
    half = student.ppf((1 + LEVEL) / 2, recall.freedom) * jackknife_error(recall.without)
    return Interval(
        recall.value, max(0.0, recall.value - half), min(1.0, recall.value + half), "t over groups"
    )


def difference(a: Recall, b: Recall | float) -> Interval:
    """``a`` less ``b`` (on the same clips, or a constant): interval and two-sided p over groups.

    The groups are paired: what makes a group hard for both cancels. Below six groups nothing can
    be tested, and the p value is None.
    """
    value = a.value - (b if isinstance(b, float) else b.value)
    if len(a.clips) < FEWEST_GROUPS or a.freedom < 2:
        each = a.per_group - (b if isinstance(b, float) else b.per_group)
        return Interval(value, float(each.min()), float(each.max()), "range over groups")
    error = jackknife_error(a.without - (b if isinstance(b, float) else b.without))
    half = student.ppf((1 + LEVEL) / 2, a.freedom) * error
    if error == 0:
        p = 1.0 if value == 0 else 0.0
    else:
        p = float(2 * student.sf(abs(value) / error, a.freedom))
    return Interval(value, value - half, value + half, "t over groups", p)


def holm(p_values: list[float]) -> list[float]:
    """P values adjusted so that the chance of any false finding stays at the level (Holm 1979)."""
    order = np.argsort(p_values)
    adjusted = np.empty(len(p_values))
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted.tolist()
