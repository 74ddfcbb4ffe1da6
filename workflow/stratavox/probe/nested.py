"""Nested, grouped cross-validation of one readout: penalty chosen inside the training folds.

Outer folds come from the folds table; inner folds split the outer training clips, by group in the
grouped regime, and choose C by held-out log-loss (smooth, where balanced accuracy is a coin toss
among near ties). Varma & Simon 2006, BMC Bioinformatics 7:91: choosing on the clips that are then
scored is what makes a published number too good.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, recall_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from stratavox.errors import StratavoxError
from stratavox.probe import logistic

METRICS = ("balanced_accuracy", "macro_f1", "accuracy")
# The path of C is left when the held-out log-loss has risen this often in a row.
RISES = 2
# Choosing C and the permuted null take no more than this; the fit that predicts is solved further.
ROUGH = 1e-3


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
) -> tuple[Outer, logistic.Rotation]:
    """Train on the clips outside ``test``, choosing C among them alone, and predict the rest.

    ``x`` (clips, width); ``target`` (clips,) class numbers; ``group`` (clips,) or None where the
    regime is random; ``test`` (clips,) bool. Raises where a group is on both sides.
    """
    train = ~test
    if group is not None:
        both = set(group[train]) & set(group[test])
        if both:
            raise StratavoxError(
                f"groups on both sides of a fold: {', '.join(sorted(map(str, both))[:5])}; the "
                "folds table does not fit the labels: delete it and run again"
            )
    rotation = logistic.Rotation.of(x[train])
    classes, y = np.unique(target[train], return_inverse=True)
    c, at_edge, inner_log_loss, inner_converged = _choose_c(
        rotation, y, None if group is None else group[train], settings
    )
    fit = logistic.fit(rotation.train, y, len(classes), c, rotation.power)
    log_p = fit.log_probabilities(rotation.apply(x[test]))
    predicted = classes[log_p.argmax(axis=1)]
    column = np.searchsorted(classes, target[test]).clip(max=len(classes) - 1)
    known = classes[column] == target[test]
    right = np.where(known, log_p[np.arange(len(log_p)), column], -np.inf)
    converged = fit.converged and inner_converged
    return Outer(predicted, right, c, at_edge, converged, inner_log_loss), rotation


def permuted_fold(
    rotation: logistic.Rotation, x: np.ndarray, target: np.ndarray, test: np.ndarray, c: float
) -> np.ndarray:
    """Predictions (tested clips,) after training on permuted labels, at the true labels' C."""
    classes, y = np.unique(target[~test], return_inverse=True)
    fit = logistic.fit(rotation.train, y, len(classes), c, rotation.power, tolerance=ROUGH)
    return classes[fit.log_probabilities(rotation.apply(x[test])).argmax(axis=1)]


def _choose_c(
    rotation: logistic.Rotation, y: np.ndarray, group: np.ndarray | None, settings: dict
) -> tuple[float, bool, float, bool]:
    """The C of least mean held-out log-loss over the inner folds, walking up the grid."""
    seed = settings["seed"]
    if group is None:
        split = StratifiedKFold(settings["inner_folds"], shuffle=True, random_state=seed)
    else:
        split = StratifiedGroupKFold(settings["inner_folds"], shuffle=True, random_state=seed)
    inner = []
    for train, held in split.split(y, y, group):
        classes, inner_y = np.unique(y[train], return_inverse=True)
        held = held[np.isin(y[held], classes)]  # a class unseen in training has no log-loss
        if len(classes) > 1 and len(held):
            inner.append((train, held, len(classes), inner_y, np.searchsorted(classes, y[held])))
    if not inner:
        raise StratavoxError(
            "no inner fold has two classes in its training clips; lower probes.inner_folds or "
            "raise the task's min_groups"
        )
    grid = sorted(settings["c_grid"])
    losses: list[float] = []
    converged: list[bool] = []
    starts: list[logistic.Fit | None] = [None] * len(inner)
    for c in grid:
        summed, counted, fine = 0.0, 0, True
        for k, (train, held, classes, inner_y, held_y) in enumerate(inner):
            z = rotation.train[train]
            starts[k] = logistic.fit(z, inner_y, classes, c, rotation.power, starts[k], ROUGH)
            log_p = starts[k].log_probabilities(rotation.train[held])
            summed -= float(log_p[np.arange(len(held)), held_y].sum())
            counted += len(held)
            fine &= starts[k].converged
        losses.append(summed / counted)
        converged.append(fine)
        if len(losses) - 1 - int(np.argmin(losses)) >= RISES:
            break
    best = int(np.argmin(losses))
    return grid[best], best in (0, len(grid) - 1), losses[best], converged[best]


def metrics(target: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Balanced accuracy, macro-F1 and accuracy over the classes that ``target`` holds."""
    classes = np.unique(target)
    shared = {"labels": classes, "average": "macro", "zero_division": 0}
    return {
        "balanced_accuracy": float(recall_score(target, predicted, **shared)),
        "macro_f1": float(f1_score(target, predicted, **shared)),
        "accuracy": float(accuracy_score(target, predicted)),
    }
