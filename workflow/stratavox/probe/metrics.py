"""Scores of predicted labels, as rows of the table of scores."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, recall_score


def metric_rows(target: np.ndarray, predicted: np.ndarray, columns: dict) -> list[dict]:
    """A row for each metric over the classes that ``target`` holds; ``columns`` are the others."""
    classes = np.unique(target)
    shared = {"labels": classes, "average": "macro", "zero_division": 0}
    values = {
        "balanced_accuracy": recall_score(target, predicted, **shared),
        "macro_f1": f1_score(target, predicted, **shared),
        "accuracy": accuracy_score(target, predicted),
    }
    return [
        columns | {"metric": metric, "value": float(value), "n_test": len(target)}
        for metric, value in values.items()
    ]


def of_the_label(log_p: np.ndarray, classes: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The log-probability of each clip's label; -inf where training lacked its class.

    ``log_p`` (clips, classes); ``classes`` (classes,) sorted, ``target`` (clips,).
    """
    column = np.searchsorted(classes, target).clip(max=len(classes) - 1)
    known = classes[column] == target
    return np.where(known, log_p[np.arange(len(column)), column], -np.inf)
