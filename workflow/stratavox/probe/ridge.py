"""Ridge regression of several targets along a path of penalties, the penalty chosen by inner folds.

One eigendecomposition of a training set's covariance, or of its kernel where there are fewer clips
than dimensions, serves every penalty and every target that is defined on the same clips
(Hastie, Tibshirani & Friedman 2009, The Elements of Statistical Learning, 3.4.1 and 18.3.5).
scikit-learn's RidgeCV has such a path only for leave-one-out, which would split groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, solve
from scipy.stats import norm, rankdata
from sklearn.model_selection import GroupKFold, KFold

from stratavox.probe.readouts import refuse_straddling

# Penalties on standardised columns for each training clip: scikit-learn's alpha / clips.
PENALTIES = np.logspace(-5, 5, 21)


@dataclass(frozen=True)
class Outer:
    """Of one outer fold: predictions (tested clips, targets), place on `PENALTIES` (targets,).

    A prediction is NaN where the target is undefined; so is the whole of a target that no tested
    clip has, with -1 for its place.
    """

    predicted: np.ndarray
    place: np.ndarray


def outer_fold(
    x: np.ndarray, y: np.ndarray, group: np.ndarray | None, test: np.ndarray, settings: dict
) -> Outer:
    """Train on the clips outside ``test`` (clips,) bool, and predict the rest.

    ``x`` (clips, width) is standardised on the training clips; ``y`` (clips, targets) is not
    scaled; each target is fitted with a free intercept where it is not NaN. Its penalty has the
    least squared error summed over ``inner_folds`` folds of its training clips, which keep
    ``group`` (clips,) on one side unless it is None. Raises where a group is on both sides.
    """
    refuse_straddling(group, test)
    clips = _Clips.of(x, ~test)
    predicted = np.full(y.shape, np.nan)
    chosen = np.full(y.shape[1], -1)
    for defined, columns in _same_clips(y):
        train, tested = np.flatnonzero(defined & ~test), np.flatnonzero(defined & test)
        if not len(tested):
            continue
        some = y[:, columns]
        places = _choose(clips, some, train, None if group is None else group[train], settings)
        chosen[columns] = places
        problem = clips.problem(some, train, tested)
        for place in set(places):
            those = places == place
            predicted[np.ix_(tested, columns[those])] = problem.solved(PENALTIES[place], those)
    return Outer(predicted[test], chosen)


def _same_clips(y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Clips (clips,) bool, and the numbers of the targets that are defined on just these."""
    patterns, which = np.unique(np.isfinite(y), axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        yield patterns[:, number], np.flatnonzero(which == number)


def _choose(
    clips: _Clips, y: np.ndarray, train: np.ndarray, group: np.ndarray | None, settings: dict
) -> np.ndarray:
    """Place on `PENALTIES` (targets,) of each target's least error over the inner folds."""
    split = KFold if group is None else GroupKFold
    inner = split(settings["inner_folds"], shuffle=True, random_state=settings["seed"])
    errors = np.zeros((len(PENALTIES), y.shape[1]))
    for fitted, held in inner.split(train, groups=group):
        truth = y[train[held]]
        for place, values in enumerate(clips.problem(y, train[fitted], train[held]).path()):
            errors[place] += np.square(values - truth).sum(axis=0)
    return errors.argmin(axis=0)


@dataclass(frozen=True)
class _Problem:
    """Normal equations: ``square`` (m, m) and ``target`` (m, targets) of ``clips`` training clips.

    ``across`` (held clips, m) turns their solution into predictions, minus the targets' ``mean``.
    """

    square: np.ndarray
    target: np.ndarray
    across: np.ndarray
    mean: np.ndarray
    clips: int

    def path(self) -> Iterator[np.ndarray]:
        """Predictions (held clips, targets) at each of `PENALTIES`."""
        power, axes = eigh(self.square, check_finite=False, driver="evd")
        across, target = self.across @ axes, axes.T @ self.target
        for penalty in PENALTIES:
            shrunk = target / (np.maximum(power, 0) + penalty * self.clips)[:, None]
            yield across @ shrunk + self.mean

    def solved(self, penalty: float, those: np.ndarray) -> np.ndarray:
        """Predictions (held clips, those targets) at one penalty, without a decomposition."""
        square = self.square + penalty * self.clips * np.eye(len(self.square))
        weights = solve(square, self.target[:, those], assume_a="pos", check_finite=False)
        return self.across @ weights + self.mean[those]


@dataclass(frozen=True)
class _Clips:
    """Standardised clips (clips, width), or their kernel (clips, clips) where that is smaller."""

    values: np.ndarray
    kernel: bool

    @classmethod
    def of(cls, x: np.ndarray, train: np.ndarray) -> _Clips:
        """Standardise ``x`` on its clips ``train`` (clips,) bool; constant columns are zero."""
        mean = x[train].mean(axis=0, dtype=np.float64)
        scale = x[train].std(axis=0, dtype=np.float64)
        scale[scale <= 1e-7 * np.abs(mean)] = np.inf
        z = (x - mean) / scale
        kernel = z.shape[1] > train.sum()
        return cls(z @ z.T if kernel else z, kernel)

    def problem(self, y: np.ndarray, train: np.ndarray, held: np.ndarray) -> _Problem:
        """Rows ``train`` of ``y`` (clips, targets), for predicting rows ``held``."""
        mean = y[train].mean(axis=0)
        target = y[train] - mean
        if self.kernel:
            square, across = self.values[np.ix_(train, train)], self.values[np.ix_(held, train)]
            # centred on the training clips: Schölkopf et al. 1998, Neural Comput 10:1299
            own = square.mean(axis=0)
            square += own.mean() - own - own[:, None]
            across += own.mean() - own - across.mean(axis=1, keepdims=True)
        else:
            centre = self.values[train].mean(axis=0)
            z, across = self.values[train] - centre, self.values[held] - centre
            square, target = z.T @ z, z.T @ target
        return _Problem(square, target, across, mean, len(train))


def transformed(values: np.ndarray, train: np.ndarray, kind: str) -> np.ndarray:
    """``values`` (clips,) transformed, with mean 0 and variance 1 on ``train`` (clips,).

    NaN stays NaN. ``kind`` is "log" (of values above zero), "none", or "rank": each value's place
    among the training clips on a normal distribution (Blom 1958, (rank - 3/8) / (n + 1/4), ties
    sharing their mean rank), a value between two of them by interpolation, beyond them as the
    outermost.
    """
    train = train & np.isfinite(values)
    if kind == "log":
        values = np.log(values)
    elif kind == "rank":
        known, first = np.unique(values[train], return_index=True)
        score = norm.ppf((rankdata(values[train]) - 3 / 8) / (train.sum() + 1 / 4))
        values = np.interp(values, known, score[first])
    return (values - values[train].mean()) / values[train].std()
