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
from scipy.linalg import cho_factor, cho_solve, eigh
from sklearn.model_selection import GroupKFold, KFold

from stratavox.probe.once import once
from stratavox.probe.readouts import refuse_straddling
from stratavox.probe.rotation import Rotation

# Penalties on standardised columns for each training clip: scikit-learn's alpha / clips.
PENALTIES = np.logspace(-5, 5, 21)


@dataclass(frozen=True)
class Outer:
    """Of one outer fold: predictions (tested clips, targets), place on `PENALTIES` (targets,).

    A prediction is NaN where the target is undefined; so is the whole of a target that no tested
    clip has, with -1 for its place. ``inner_error`` (targets,) is the squared error of a held-out
    clip of the inner folds, at the chosen penalty.
    """

    predicted: np.ndarray
    place: np.ndarray
    inner_error: np.ndarray


def outer_fold(
    x: np.ndarray,
    y: np.ndarray,
    group: np.ndarray | None,
    test: np.ndarray,
    settings: dict,
    components: int | None = None,
) -> Outer:
    """Train on the clips outside ``test`` (clips,) bool, and predict the rest.

    ``x`` (clips, width) is standardised on the training clips; ``y`` (clips, targets) is not
    scaled; each target is fitted with a free intercept where it is not NaN. Its penalty has the
    least squared error summed over ``inner_folds`` folds of its training clips, which keep
    ``group`` (clips,) on one side unless it is None. ``components`` limits the regression to so
    many principal components of the training clips. Raises where a group is on both sides.
    """
    refuse_straddling(group, test)
    clips = _Clips.of(x, ~test, components)
    predicted = np.full(y.shape, np.nan)
    chosen, inner_error = np.full(y.shape[1], -1), np.full(y.shape[1], np.nan)
    for defined, columns in _same_clips(y):
        train, tested = np.flatnonzero(defined & ~test), np.flatnonzero(defined & test)
        if not len(tested):
            continue
        some = y[:, columns]
        apart = None if group is None else group[train]
        places, errors = _choose(clips, some, train, apart, settings)
        chosen[columns], inner_error[columns] = places, errors
        problem = clips.problem(some, train, tested)
        for place in set(places):
            those = places == place
            predicted[np.ix_(tested, columns[those])] = problem.solved(PENALTIES[place], those)
    return Outer(predicted[test], chosen, inner_error)


def cross_fitted(
    x: np.ndarray, y: np.ndarray, group: np.ndarray | None, test: np.ndarray, settings: dict
) -> np.ndarray:
    """Predictions (clips, targets) of ``y`` that no clip has had a part in for itself.

    As in `outer_fold`, but every target is defined for every clip. The clips of ``test`` are
    predicted by a fit to all others; each of the others by a fit to the inner folds that it is not
    in, with the same penalty.
    """
    refuse_straddling(group, test)
    clips, train = _Clips.of(x, ~test), np.flatnonzero(~test)
    apart = None if group is None else group[train]
    splits = _inner(train, apart, settings)
    paths = [clips.problem(y, *split).path() for split in splits]
    errors = sum(path.errors(y[held]) for path, (_, held) in zip(paths, splits, strict=True))
    penalties = PENALTIES[errors.argmin(axis=0)]
    whole = (train, np.flatnonzero(test))
    predicted = np.empty(y.shape)
    for path, (_, held) in zip(
        (*paths, clips.problem(y, *whole).path()), (*splits, whole), strict=True
    ):
        predicted[held] = path.at(penalties)
    return predicted


def _same_clips(y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Clips (clips,) bool, and the numbers of the targets that are defined on just these."""
    finite = np.isfinite(y)
    alike: dict[bytes, list[int]] = {}
    for number, defined in enumerate(finite.T):
        alike.setdefault(defined.tobytes(), []).append(number)
    for numbers in alike.values():
        yield finite[:, numbers[0]], np.array(numbers)


@once
def _inner(
    train: np.ndarray, group: np.ndarray | None, settings: dict
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each inner fold the clips that are fitted and those held out, as numbers of clips."""
    split = KFold if group is None else GroupKFold
    inner = split(settings["inner_folds"], shuffle=True, random_state=settings["seed"])
    return [(train[fitted], train[held]) for fitted, held in inner.split(train, groups=group)]


def _choose(
    clips: _Clips, y: np.ndarray, train: np.ndarray, group: np.ndarray | None, settings: dict
) -> tuple[np.ndarray, np.ndarray]:
    """Place on `PENALTIES` (targets,) of each target's least error over the inner folds.

    The second is this error, of a clip (targets,).
    """
    errors = np.zeros((len(PENALTIES), y.shape[1]))
    for fitted, held in _inner(train, group, settings):
        errors += clips.problem(y, fitted, held).path().errors(y[held])
    return errors.argmin(axis=0), errors.min(axis=0) / len(train)


@dataclass(frozen=True)
class _Path:
    """A `_Problem` in the axes of its ``square``, whose ``power`` (m,) is diagonal."""

    power: np.ndarray
    target: np.ndarray
    across: np.ndarray
    mean: np.ndarray
    clips: int

    def at(self, penalty: np.ndarray | float) -> np.ndarray:
        """Predictions (held clips, targets) at one penalty, or at one for each target."""
        shrunk = self.target / (self.power[:, None] + penalty * self.clips)
        return self.across @ shrunk + self.mean

    def errors(self, truth: np.ndarray) -> np.ndarray:
        """Squared error (penalties, targets) of each target at each of `PENALTIES`."""
        shrunk = self.target / (self.power[:, None] + PENALTIES[:, None, None] * self.clips)
        missed = self.across @ shrunk + (self.mean - truth)
        return np.square(missed).sum(axis=1)


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

    def path(self) -> _Path:
        """The solutions for every penalty."""
        power, axes = eigh(self.square, check_finite=False, driver="evd")
        across, target = self.across @ axes, axes.T @ self.target
        return _Path(np.maximum(power, 0), target, across, self.mean, self.clips)

    def solved(self, penalty: float, those: np.ndarray) -> np.ndarray:
        """Predictions (held clips, those targets) at one penalty, without a decomposition."""
        square = self.square.copy()
        np.einsum("mm->m", square)[:] += penalty * self.clips
        factor = cho_factor(square, lower=True, overwrite_a=True, check_finite=False)
        weights = cho_solve(factor, self.target[:, those], check_finite=False)
        return self.across @ weights + self.mean[those]


@dataclass(frozen=True)
class _Clips:
    """Standardised clips (clips, width), or their kernel (clips, clips) where that is smaller."""

    values: np.ndarray
    kernel: bool

    @classmethod
    def of(cls, x: np.ndarray, train: np.ndarray, components: int | None = None) -> _Clips:
        """Standardise ``x`` on its clips ``train`` (clips,) bool; constant columns are zero.

        With ``components`` they are then cut to so many principal components of these clips.
        """
        if components is not None:
            return cls(Rotation.of(x, train).narrowed(components).apply(x).astype(float), False)
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
