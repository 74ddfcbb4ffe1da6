"""Measures on groups: class-balanced means, variance explained, where a curve is high.

Each is a statistic of weighted groups (see `stratavox.inference.groups`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from stratavox.inference.groups import Nudged

LEFT_OUT = -1.0  # the step that takes a group's weight to 0


@dataclass(frozen=True)
class Balanced:
    """The mean over classes of a quantity's mean over clips: of correctness, balanced accuracy.

    ``total`` and ``clips`` (groups, classes): the quantity summed, and the clips, by group and
    class. Called with weights (draws, groups) it gives values (draws,).
    """

    total: np.ndarray
    clips: np.ndarray

    @classmethod
    def of(cls, quantity: np.ndarray, target: np.ndarray, group: np.ndarray) -> Balanced:
        """Sum ``quantity`` (clips,) by ``group`` and ``target`` (clips,), both sorted by name."""
        classes, column = np.unique(target, return_inverse=True)
        groups, row = np.unique(group, return_inverse=True)
        total = np.zeros((len(groups), len(classes)))
        clips = np.zeros_like(total)
        np.add.at(total, (row, column), quantity)
        np.add.at(clips, (row, column), 1)
        return cls(total, clips)

    @classmethod
    def mean(cls, several: list[Balanced]) -> Balanced:
        """The mean of the measures of several random draws on the same clips."""
        return cls(np.mean([one.total for one in several], axis=0), several[0].clips)

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        total, clips = weights @ self.total, weights @ self.clips
        share = np.divide(total, clips, out=np.full_like(total, np.nan), where=clips > 0)
        return np.nanmean(share, axis=1)

    @property
    def value(self) -> float:
        return float(self(np.ones((1, len(self.clips))))[0])


@dataclass(frozen=True)
class Explained:
    """Share of variance explained on held-out clips: 1 - squared error / that of the mean.

    ``error`` and ``spread`` (groups,): squared errors of the prediction and of the training mean.
    """

    error: np.ndarray
    spread: np.ndarray

    @classmethod
    def mean(cls, several: list[Explained]) -> Explained:
        """The mean error of several random draws on the same clips."""
        return cls(np.mean([one.error for one in several], axis=0), several[0].spread)

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        spread = weights @ self.spread
        ratio = np.divide(
            weights @ self.error, spread, out=np.full(len(weights), np.nan), where=spread > 0
        )
        return 1.0 - ratio


@dataclass(frozen=True)
class Predicted(Explained):
    """`Explained` of the target of a task; ``clips`` (groups, 1) are the clips of each group."""

    clips: np.ndarray

    @classmethod
    def mean(cls, several: list[Predicted]) -> Predicted:
        """The mean error of several random draws on the same clips."""
        error = np.mean([one.error for one in several], axis=0)
        return cls(error, several[0].spread, several[0].clips)

    @property
    def value(self) -> float:
        return float(self(np.ones((1, len(self.clips))))[0])


@dataclass(frozen=True)
class Ranked:
    """Mean average precision: the mean over classes of the average precision of ranked clips.

    Clips are ranked by their score in each of ``scores`` (repeats, each (clips, classes)), and the
    repeats' values are averaged. ``present`` (clips, classes); ``group`` (clips,) are numbers. With
    a weight for each group every clip counts as often as its group, in ranks as well: with all
    weights 1 it is scikit-learn's average_precision_score (clips with equal scores share a rank).
    ``clips`` (groups, classes): a clip of k classes is 1 / k clip of each; the last column are
    clips without any class, where there are some.
    """

    scores: tuple[np.ndarray, ...]
    present: np.ndarray
    group: np.ndarray
    clips: np.ndarray

    @classmethod
    def of(cls, scores: list[np.ndarray], present: np.ndarray, group: np.ndarray) -> Ranked:
        """Of clips whose groups are named by ``group`` (clips,), sorted by name."""
        names, number = np.unique(group, return_inverse=True)
        negative = ~present.any(axis=1, keepdims=True)
        columns = np.hstack([present, negative]) if negative.any() else present
        clips = np.zeros((len(names), columns.shape[1]))
        np.add.at(clips, number, columns / columns.sum(axis=1, keepdims=True))
        return cls(tuple(scores), present, number, clips)

    @classmethod
    def mean(cls, several: list[Ranked]) -> Ranked:
        """The mean of the measures of several random draws on the same clips."""
        scores = tuple(part for one in several for part in one.scores)
        return cls(scores, several[0].present, several[0].group, several[0].clips)

    def of_class(self, place: int) -> Ranked:
        """The measure of one class alone: its clips, and all others as negatives."""
        columns = self.present[:, [place]]
        names = np.arange(len(self.clips))[self.group]
        return Ranked.of([scores[:, [place]] for scores in self.scores], columns, names)

    def by_class(self, weights: np.ndarray) -> np.ndarray:
        """Average precision (draws, classes); NaN where no weight is on clips of a class."""
        each = [
            [
                self._precision(scores[:, one], self.present[:, one], weights)
                for scores in self.scores
            ]
            for one in range(self.present.shape[1])
        ]
        return np.array(each).mean(axis=1).T

    def __call__(self, weights: np.ndarray | Nudged) -> np.ndarray:
        """Values (draws,); a nudged weight has the effect that leaving the group out has.

        This is the jackknife of Quenouille and Tukey (Efron 1982, chapter 3). Ranks are so far from
        linear in the weights that the slope at 1 alone gives intervals that are too narrow.
        """
        if not isinstance(weights, Nudged) or weights.step == LEFT_OUT:
            return np.nanmean(self.by_class(weights), axis=1)
        n = len(weights)
        without = self(Nudged(n, LEFT_OUT))
        return self.value + weights.step * (n - 1) / n * (self.value - without)

    @property
    def value(self) -> float:
        return float(self(np.ones((1, len(self.clips))))[0])

    def _precision(self, score: np.ndarray, present: np.ndarray, weights) -> np.ndarray:
        """Average precision (draws,) of one class.

        The mean, over its clips, of the share of its clips among those ranked as high or higher.
        """
        levels = np.unique(score[present])[::-1]
        # the highest level that a clip is not below: it is above this one and all lower ones
        level = np.searchsorted(-levels, -score)
        counted = level < len(levels)
        shape = len(levels), len(self.clips)
        place = level[counted] * shape[1] + self.group[counted]
        every, own = (
            np.bincount(place, chosen[counted], shape[0] * shape[1]).reshape(shape)
            for chosen in (np.ones(len(score)), present.astype(float))
        )
        above, hits, here = (
            weights @ table.T for table in (every.cumsum(axis=0), own.cumsum(axis=0), own)
        )
        share = np.divide(hits, above, out=np.zeros_like(above), where=above > 0)
        total = here.sum(axis=1)
        return np.divide(
            (here * share).sum(axis=1), total, out=np.full(len(total), np.nan), where=total > 0
        )


def third(readouts: int) -> int:
    """How many readouts a third of a curve has: the whole part of it, and at least one."""
    return max(1, readouts // 3)


def thirds(readouts: int) -> np.ndarray:
    """Weights (readouts,) of the trend: mean of a curve's last third minus that of its first."""
    size = third(readouts)
    weights = np.zeros(readouts)
    weights[-size:] += 1 / size
    weights[:size] -= 1 / size
    return weights


def centre(scores: np.ndarray, chance: float) -> np.ndarray:
    """Centre of gravity (draws,) of curves ``scores`` (draws, readouts) over relative depth.

    Depth runs from 0 (the first readout) to 1 (the last). Each readout is weighted by its score
    above ``chance`` (0 where it is below), minus the least such value of the curve; NaN where the
    curve is flat. After Tenney et al. 2019 (ACL, section 3.1), who weight layers by learned mixing
    weights: held-out scores are used here because such a weight does not measure importance. Noise
    on a flat curve pulls it to the middle.
    """
    above = np.clip(scores - chance, 0, None)
    above = above - above.min(axis=1, keepdims=True)
    total = above.sum(axis=1)
    moment = above @ np.linspace(0, 1, scores.shape[1])
    return np.divide(moment, total, out=np.full(len(total), np.nan), where=total > 0)


def expected_depth(scores: np.ndarray) -> np.ndarray:
    """Mean relative depth (draws,) at which curves ``scores`` (draws, readouts) gain.

    Each readout is weighted by its gain over the best readout before it (Tenney et al. 2019, ACL,
    equation 4, whose probes see all layers up to one; here their score is taken to be that of the
    best of them). NaN where nothing is gained after the first readout.
    """
    gain = np.diff(np.maximum.accumulate(scores, axis=1), axis=1)
    total = gain.sum(axis=1)
    moment = gain @ np.linspace(0, 1, scores.shape[1])[1:]
    return np.divide(moment, total, out=np.full(len(total), np.nan), where=total > 0)


def depth_correlation(scores: np.ndarray) -> np.ndarray:
    """Spearman's correlation (draws,) of ``scores`` (draws, readouts) with depth; NaN if flat."""
    ranks = scipy.stats.rankdata(np.round(scores, 12), axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    depth = np.arange(scores.shape[1]) - (scores.shape[1] - 1) / 2
    size = np.linalg.norm(ranks, axis=1) * np.linalg.norm(depth)
    return np.divide(ranks @ depth, size, out=np.full(len(size), np.nan), where=size > 0)
