"""Scores of predicted labels, as rows of the table of scores."""

from __future__ import annotations

import numpy as np


def metric_rows(target: np.ndarray, predicted: np.ndarray, columns: dict) -> list[dict]:
    """A row for each metric over the classes that ``target`` holds; ``columns`` are the others.

    The values are scikit-learn's, whose checks of arguments take longer than small fits.
    """
    labels, number = np.unique(np.concatenate([target, predicted]), return_inverse=True)
    truth, answer = np.split(number, 2)
    counts = (np.bincount(each, minlength=len(labels)) for each in (truth, answer))
    clips, answers = (each[np.unique(truth)] for each in counts)
    right = np.bincount(truth[truth == answer], minlength=len(labels))[np.unique(truth)]
    values = {
        "balanced_accuracy": float(np.mean(right / clips)),
        "macro_f1": float(np.mean(2 * right / (clips + answers))),
        "accuracy": float(np.mean(truth == answer)),
    }
    return rows_of(values, len(target), columns)


def rows_of(values: dict[str, float | None], clips: int, columns: dict) -> list[dict]:
    """A row for each metric of ``values``, of ``clips`` tested ones; ``columns`` are the others."""
    return [
        columns | {"metric": metric, "value": value, "n_test": clips}
        for metric, value in values.items()
    ]


def of_the_label(log_p: np.ndarray, classes: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The log-probability of each clip's label; -inf where training lacked its class.

    ``log_p`` (clips, classes); ``classes`` (classes,) sorted, ``target`` (clips,).
    """
    column = np.searchsorted(classes, target).clip(max=len(classes) - 1)
    known = classes[column] == target
    return np.where(known, log_p[np.arange(len(column)), column], -np.inf)
