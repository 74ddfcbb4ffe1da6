"""One readout through every regime, repeat and outer fold of a regression, with permuted targets.

Ridge regression (ridge.py); its penalty has the least squared error in the inner folds. Variance
explained (R2) is 1 - squared error / squared error of the mean of the training clips, over held-out
clips, as in the atlas: a regression that has learned nothing scores 0 or less.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.stats import spearmanr

from stratavox.probe import numbers, permute, ridge
from stratavox.probe.fusion import Source
from stratavox.probe.metrics import rows_of
from stratavox.probe.readouts import strictest
from stratavox.probe.repeats import repeats
from stratavox.probe.schemas import LAYER_WEIGHTS, SCORES


def cross_validate(
    source: Source,
    readout: str,
    blocks: list[str],
    clip_ids: list[str],
    folds: pa.Table,
    settings: dict,
    control: str = "none",
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Scores and predictions of a readout whose rows are ``clip_ids``, and no layer weights.

    A readout that is itself the ``control`` of another has no null control.
    """
    scores: list[dict] = []
    predictions: list[pa.Table] = []
    permuted_in = strictest(folds)["regime"][0].as_py()
    for repeat in repeats(folds, clip_ids):
        own, x = source.of_clips(repeat.rows), repeat.table["value"].to_numpy(float)
        named = {"readout": readout, "probe": "linear", "regime": repeat.regime}
        of_repeat = {"repeat": repeat.number, "control": control}
        predicted, mean = np.full((2, len(x)), np.nan)
        null = None
        if control == "none":
            null = permute.of_repeat(x, repeat, permuted_in, settings, numbers.of_groups)
        drawn, drawn_mean = (np.full((2, *null.target.shape), np.nan)) if null else (None, None)
        for k in range(repeat.fold.max() + 1):
            test = repeat.fold == k
            outer = ridge.outer_fold(
                own.columns, x[:, None], repeat.apart, test, settings, own.components
            )
            predicted[test], mean[test] = outer.predicted[:, 0], x[~test].mean()
            place = int(outer.place[0])
            fit = {
                "fold": k,
                "c": float(1 / ridge.PENALTIES[place]),
                "at_edge": place in (0, len(ridge.PENALTIES) - 1),
                "converged": True,
                "inner_log_loss": float(outer.inner_error[0] / x[~test].var()),
            }
            values = x[test], predicted[test], mean[test]
            scores += metric_rows(*values, named | of_repeat | fit)
            if null:
                _fit_null(own, null, k, repeat.apart, settings, drawn, drawn_mean)
        tested = repeat.tested
        scores += metric_rows(x[tested], predicted[tested], mean[tested], named | of_repeat)
        for number in range(len(drawn) if null else 0):
            values = (one[number][tested] for one in (null.target, drawn, drawn_mean))
            columns = {"repeat": number, "control": "permutation"}
            scores += metric_rows(*values, named | columns)
        columns = {"value": x, "predicted_value": predicted, "training_mean": mean}
        about = {"readout": readout, "probe": "linear", "control": control}
        predictions.append(repeat.predicted(about, clip_ids, columns))
    return (
        pa.Table.from_pylist(scores, schema=SCORES),
        pa.concat_tables(predictions),
        LAYER_WEIGHTS.empty_table(),
    )


def _fit_null(
    source: Source,
    null: permute.Null,
    k: int,
    apart: np.ndarray | None,
    settings: dict,
    predicted: np.ndarray,
    mean: np.ndarray,
) -> None:
    """Fill in what each draw (draws, clips) predicts for its fold ``k``.

    Each has a penalty of its own: at that of the true target noise is overfitted, and scores far
    below 0.
    """
    x, components = source.columns, source.components
    together = [slice(n, n + 1) for n in range(len(null.fold))] if null.remade else [slice(None)]
    for draws in together:
        test = null.fold[draws][0] == k
        targets = null.target[draws].T
        outer = ridge.outer_fold(x, targets, apart, test, settings, components)
        predicted[draws, test] = outer.predicted.T
        mean[draws, test] = targets[~test].mean(axis=0)[:, None]


def metric_rows(
    value: np.ndarray, predicted: np.ndarray, mean: np.ndarray, columns: dict
) -> list[dict]:
    """A row of the table of scores for each metric; ``columns`` are the others.

    ``mean`` (clips,) is that of the training clips of each clip's fold.
    """
    error, spread = np.square(value - predicted).sum(), np.square(value - mean).sum()
    varies = np.ptp(value) > 0 and np.ptp(predicted) > 0
    values = {
        "r2": float(1 - error / spread) if spread > 0 else None,
        "spearman": float(spearmanr(value, predicted).statistic) if varies else None,
    }
    return rows_of(values, len(value), columns)


def scored(predictions: pd.DataFrame, columns: dict) -> list[dict]:
    """`metric_rows` of rows of the table of predictions."""
    names = ("value", "predicted_value", "training_mean")
    return metric_rows(*(predictions[name].to_numpy(float) for name in names), columns)
