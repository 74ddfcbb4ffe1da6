"""Nested, grouped cross-validation of one readout: the penalty is chosen inside the training folds.

Outer folds come from the folds table. Inner folds split the outer training clips, by group in the
grouped regime, and choose C by held-out log-loss, which is smooth where balanced accuracy has
ties. C may lie between the values of the grid: otherwise, at a tie of two values, the last bits of
the readouts would decide a factor of ten. Choosing on the clips that are then scored would give
optimistic scores (Varma & Simon 2006, BMC Bioinformatics 7:91).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from stratavox.errors import StratavoxError
from stratavox.probe import logistic
from stratavox.probe.metrics import of_the_label
from stratavox.probe.once import once
from stratavox.probe.readouts import refuse_straddling
from stratavox.probe.rotation import Rotation

# The search for C ends when the held-out log-loss has risen this often in a row.
RISES = 2
# Tolerance of the fits that choose C and of the null; the fit that predicts has a smaller one.
ROUGH = 1e-7
# That of a fit whose only use is to tell that the held-out log-loss rises again.
LOOSE = 1e-5


@dataclass
class Outer:
    """Result of one outer fold: the prediction and log-probability of each tested clip."""

    predicted: np.ndarray
    log_probability: np.ndarray
    c: float
    at_edge: bool
    converged: bool
    inner_log_loss: float


def outer_fold(
    x: np.ndarray,
    target: np.ndarray,
    group: np.ndarray | None,
    test: np.ndarray,
    settings: dict,
    *,
    components: int | None = None,
) -> tuple[Outer, Rotation]:
    """Train on the clips outside ``test``, choosing C among them alone, and predict the rest.

    ``x`` (clips, width); ``target`` (clips,) class numbers; ``group`` (clips,) is the unit that
    the folds keep on one side, None where it is the clip; ``test`` (clips,) bool. Columns are
    standardised; ``components`` limits the probe to so many principal components of the training
    clips. Raises where a group is on both sides.
    """
    train = ~test
    refuse_straddling(group, test)
    rotation = Rotation.of(x, train).narrowed(components)
    classes, y = np.unique(target[train], return_inverse=True)
    chosen = choose_c(rotation.train, y, None if group is None else group[train], settings)
    fit = logistic.fit(rotation.train, y[None], len(classes), chosen.c)
    log_p = fit.log_probabilities(rotation.apply(x[test]))[0]
    predicted = classes[log_p.argmax(axis=0)]
    log_probability = of_the_label(log_p.T, classes, target[test])
    converged = bool(fit.converged[0]) and chosen.converged
    outer = Outer(predicted, log_probability, chosen.c, chosen.at_edge, converged, chosen.log_loss)
    return outer, rotation


def null_fold(
    rotation: Rotation, x: np.ndarray, targets: np.ndarray, tests: np.ndarray, c: float
) -> np.ndarray:
    """Predictions (draws, clips) after training on each of ``targets`` (draws, clips).

    Each draw is trained on the clips outside its row of ``tests`` (draws, clips), bool. ``c`` is
    that of the true labels' fit to ``x`` (clips, width). ``rotation`` is that of its training clips
    if all draws have the same, otherwise one of all clips, which all draws share: it knows no
    labels, and one for each draw would cost far more.
    """
    classes, y = np.unique(targets, return_inverse=True)
    y = y.reshape(targets.shape)
    z = rotation.apply(x)
    fits = logistic.fit(z, y, len(classes), c, ~tests, tolerance=ROUGH)
    return classes[fits.log_probabilities(z).argmax(axis=1)]


@dataclass(frozen=True)
class Chosen:
    """The chosen C, and the least mean held-out log-loss over the inner folds on the grid."""

    c: float
    at_edge: bool
    log_loss: float
    converged: bool


def choose_c(z: np.ndarray, y: np.ndarray, group: np.ndarray | None, settings: dict) -> Chosen:
    """Fit the grid of C upwards, all inner folds of the rotated clips ``z`` (clips, rank) at once.

    ``y`` (clips,) are class numbers 0, 1, ...; ``group`` (clips,) or None as in `outer_fold`.
    """
    inner = Inner.of(y, group, settings)
    return least_of(settings["c_grid"], partial(inner.fit, z))


def least_of(grid: list[float], fit: Callable[..., tuple[float, logistic.Fits]]) -> Chosen:
    """The C of least held-out log-loss, fitted upwards until this has risen `RISES` times.

    ``fit(c, start, tolerance)`` gives the held-out log-loss at a C, and the fits, which are the
    ``start`` of the next ones. The last fits are by far the slowest, and chosen they are not: they
    may end early. That changed no choice of 1,682 in the default run.
    """
    grid = sorted(grid)
    losses: list[float] = []
    converged: list[bool] = []
    fits = None
    for c in grid:
        if rises(losses, RISES - 1):
            loss, fits = fit(c, fits, LOOSE)
            if loss > min(losses):
                break
        loss, fits = fit(c, fits, ROUGH)
        losses.append(loss)
        converged.append(bool(fits.converged.all()))
        if rises(losses):
            break
    best = int(np.argmin(losses))
    at_edge = best in (0, len(grid) - 1)
    c = grid[best] if at_edge else least_between(grid[best - 1 : best + 2], losses[best - 1 :])
    return Chosen(c, at_edge, losses[best], converged[best])


def rises(losses: list[float], times: int = RISES) -> bool:
    """Whether the last of ``losses``, along a grid of C, are ``times`` past the least one."""
    return len(losses) > times and len(losses) - 1 - int(np.argmin(losses)) >= times


@dataclass(frozen=True)
class Inner:
    """Inner folds of training clips: their class numbers ``y``, and whom each fold leaves out.

    ``held`` (folds, clips); ``fold`` and ``clip`` number the held-out clips that have a log-loss.
    """

    y: np.ndarray
    held: np.ndarray
    fold: np.ndarray
    clip: np.ndarray

    @classmethod
    @once
    def of(cls, y: np.ndarray, group: np.ndarray | None, settings: dict) -> Inner:
        held = _held_out(y, group, settings)
        return cls(y, held, *np.nonzero(held & _class_is_trained(y, held)))

    def fit(
        self,
        z: np.ndarray,
        c: float,
        start: logistic.Fits | None = None,
        tolerance: float = ROUGH,
    ) -> tuple[float, logistic.Fits]:
        """Mean held-out log-loss of rotated clips ``z`` (clips, rank) at ``c``, and the fits."""
        targets = np.broadcast_to(self.y, self.held.shape)
        fits = logistic.fit(z, targets, self.y.max() + 1, c, ~self.held, start, tolerance)
        log_p = fits.log_probabilities(z)
        return -float(log_p[self.fold, self.y[self.clip], self.clip].mean(dtype=np.float64)), fits


def least_between(grid: list[float], losses: list[float]) -> float:
    """The C at the minimum of the parabola in log C through three losses, the middle one least."""
    x = np.log(grid)
    falling, rising = np.diff(losses[:3]) / np.diff(x)
    if falling == rising:  # level
        return grid[1]
    lowest = (x[0] + x[1] - falling * (x[2] - x[0]) / (rising - falling)) / 2
    return float(np.exp(lowest))


def _held_out(y: np.ndarray, group: np.ndarray | None, settings: dict) -> np.ndarray:
    """Clips that each inner fold leaves out (folds, clips), of the folds that can be scored."""
    split = StratifiedKFold if group is None else StratifiedGroupKFold
    inner = split(settings["inner_folds"], shuffle=True, random_state=settings["seed"])
    held = np.zeros((settings["inner_folds"], len(y)), dtype=bool)
    with warnings.catch_warnings():
        # a class in fewer groups than folds is not scored where it was not trained
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for k, (_, left_out) in enumerate(inner.split(y, y, group)):
            held[k, left_out] = True
    scored = np.any(held & _class_is_trained(y, held), axis=1)
    several = [len(set(y[~left_out])) > 1 for left_out in held]
    held = held[scored & several]
    if not len(held):
        raise StratavoxError(
            "no inner fold has two classes in its training clips; lower probes.inner_folds or "
            "raise the task's min_groups"
        )
    return held


def _class_is_trained(y: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Whether each clip's class is among those an inner fold trains on (folds, clips).

    A held-out clip of a class that was not seen in training has no log-loss.
    """
    return np.stack([np.isin(y, y[~left_out]) for left_out in held])
