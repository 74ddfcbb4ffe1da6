"""Nested, grouped cross-validation of one readout: penalty chosen inside the training folds.

Outer folds come from the folds table; inner folds split the outer training clips, by group in the
grouped regime, and choose C by held-out log-loss (smooth, where balanced accuracy is a coin toss
among near ties), between the values of the grid: at a tie of two values, the last bits of the
readouts would otherwise decide a factor of ten. Varma & Simon 2006, BMC Bioinformatics 7:91:
choosing on the clips that are then scored is what makes a published number too good.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, recall_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from stratavox.errors import StratavoxError
from stratavox.probe import logistic
from stratavox.probe.rotation import Rotation

METRICS = ("balanced_accuracy", "macro_f1", "accuracy")
# The path of C is left when the held-out log-loss has risen this often in a row.
RISES = 2
# Choosing C and the null take no more than this; the fit that predicts is solved further.
ROUGH = 1e-7


@dataclass
class Outer:
    """What one outer fold gives: the prediction and log-probability of each tested clip."""

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
    standardise: bool = True,
    components: int | None = None,
) -> tuple[Outer, Rotation]:
    """Train on the clips outside ``test``, choosing C among them alone, and predict the rest.

    ``x`` (clips, width); ``target`` (clips,) class numbers; ``group`` (clips,) is what the folds
    keep apart, None where that is nothing but the clip; ``test`` (clips,) bool. Columns are
    standardised unless ``x`` comes from `rotation.side_by_side`; ``components`` limits the probe to
    so many principal components of the training clips. Raises where a group is on both sides.
    """
    train = ~test
    refuse_straddling(group, test)
    rotation = Rotation.of(x, train, standardise)
    if components is not None:
        rotation = rotation.narrowed(components)
    classes, y = np.unique(target[train], return_inverse=True)
    chosen = choose_c(rotation.train, y, None if group is None else group[train], settings)
    fit = logistic.fit(rotation.train, y[None], len(classes), chosen.c)
    log_p = fit.log_probabilities(rotation.apply(x[test]))[0]
    predicted = classes[log_p.argmax(axis=0)]
    row = np.searchsorted(classes, target[test]).clip(max=len(classes) - 1)
    known = classes[row] == target[test]
    right = np.where(known, log_p[row, np.arange(len(row))], -np.inf)
    converged = bool(fit.converged[0]) and chosen.converged
    outer = Outer(predicted, right, chosen.c, chosen.at_edge, converged, chosen.log_loss)
    return outer, rotation


def refuse_straddling(group: np.ndarray | None, test: np.ndarray) -> None:
    """Raise where a member of ``group`` (clips,) is among the tested clips and the others."""
    if group is None:
        return
    both = set(group[~test]) & set(group[test])
    if both:
        raise StratavoxError(
            f"groups on both sides of a fold: {', '.join(sorted(map(str, both))[:5])}; the "
            "folds table does not fit the labels: delete it and run again"
        )


def null_fold(
    rotation: Rotation, x: np.ndarray, targets: np.ndarray, test: np.ndarray, c: float
) -> np.ndarray:
    """Predictions (draws, tested clips) after training on each of ``targets`` (draws, clips).

    ``rotation`` and ``c`` are those of the true labels' fit to ``x`` (clips, width).
    """
    if not len(targets):
        return np.empty((0, int(test.sum())), dtype=targets.dtype)
    classes, y = np.unique(targets, return_inverse=True)
    y = y.reshape(targets.shape)[:, ~test]
    fits = logistic.fit(rotation.train, y, len(classes), c, tolerance=ROUGH)
    return classes[fits.log_probabilities(rotation.apply(x[test])).argmax(axis=1)]


@dataclass(frozen=True)
class Chosen:
    """The C of least mean held-out log-loss over the inner folds, and the grid's least."""

    c: float
    at_edge: bool
    log_loss: float
    converged: bool


def choose_c(z: np.ndarray, y: np.ndarray, group: np.ndarray | None, settings: dict) -> Chosen:
    """Walk up the grid of C with all inner folds of the rotated clips ``z`` (clips, rank) at once.

    ``y`` (clips,) are class numbers without a gap; ``group`` (clips,) or None as in `outer_fold`.
    """
    held = _held_out(y, group, settings)
    fold, clip = np.nonzero(held & _class_is_trained(y, held))
    targets = np.broadcast_to(y, held.shape)
    grid = sorted(settings["c_grid"])
    losses: list[float] = []
    converged: list[bool] = []
    fits = None
    for c in grid:
        fits = logistic.fit(z, targets, y.max() + 1, c, ~held, fits, ROUGH)
        log_p = fits.log_probabilities(z)
        losses.append(-float(log_p[fold, y[clip], clip].mean(dtype=np.float64)))
        converged.append(bool(fits.converged.all()))
        if len(losses) - 1 - int(np.argmin(losses)) >= RISES:
            break
    best = int(np.argmin(losses))
    at_edge = best in (0, len(grid) - 1)
    c = grid[best] if at_edge else least_between(grid[best - 1 : best + 2], losses[best - 1 :])
    return Chosen(c, at_edge, losses[best], converged[best])


def least_between(grid: list[float], losses: list[float]) -> float:
    """The C where the parabola in log C through three losses, the middle one least, is lowest."""
    x = np.log(grid)
    falling, rising = np.diff(losses[:3]) / np.diff(x)
    if falling == rising:  # level
        return grid[1]
    lowest = (x[0] + x[1] - falling * (x[2] - x[0]) / (rising - falling)) / 2
    return float(np.exp(lowest))


def _held_out(y: np.ndarray, group: np.ndarray | None, settings: dict) -> np.ndarray:
    """Clips that each inner fold leaves out (folds, clips), of the folds that can be scored."""
    if group is None:
        split = StratifiedKFold(
            settings["inner_folds"], shuffle=True, random_state=settings["seed"]
        )
    else:
        split = StratifiedGroupKFold(
            settings["inner_folds"], shuffle=True, random_state=settings["seed"]
        )
    held = np.zeros((settings["inner_folds"], len(y)), dtype=bool)
    with warnings.catch_warnings():
        # a class in fewer groups than folds is not scored where it was not trained
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for k, (_, left_out) in enumerate(split.split(y, y, group)):
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


def metrics(target: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Balanced accuracy, macro-F1 and accuracy over the classes that ``target`` holds."""
    classes = np.unique(target)
    shared = {"labels": classes, "average": "macro", "zero_division": 0}
    return {
        "balanced_accuracy": float(recall_score(target, predicted, **shared)),
        "macro_f1": float(f1_score(target, predicted, **shared)),
        "accuracy": float(accuracy_score(target, predicted)),
    }
