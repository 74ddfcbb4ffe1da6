"""One readout through every regime, repeat and outer fold of a multilabel task, with permutations.

One logistic regression for each class, against all other clips, solved together (logistic.py). All
classes have one C: that of the least held-out log-loss, summed over classes, in the inner folds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.metrics import average_precision_score, roc_auc_score

from stratavox.probe import logistic, permute, sets
from stratavox.probe.fusion import Source
from stratavox.probe.metrics import rows_of
from stratavox.probe.nested_cv import ROUGH, Chosen, least_of
from stratavox.probe.readouts import refuse_straddling, strictest
from stratavox.probe.repeats import repeats
from stratavox.probe.rotation import Rotation
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
        own = source.of_clips(repeat.rows)
        x, present = own.columns, np.array(repeat.table["present"].tolist(), bool)
        named = {"readout": readout, "probe": "linear", "regime": repeat.regime}
        of_repeat = {"repeat": repeat.number, "control": control}
        log_odds = np.full(present.shape, np.nan)
        null = None
        if control == "none":
            null = permute.of_repeat(present, repeat, permuted_in, settings, sets.of_groups)
        drawn = np.full(null.target.shape, np.nan) if null else None
        of_all = None
        for k in range(repeat.fold.max() + 1):
            test = repeat.fold == k
            refuse_straddling(repeat.apart, test)
            rotation = Rotation.of(x, ~test).narrowed(own.components)
            apart = None if repeat.apart is None else repeat.apart[~test]
            chosen = choose_c(rotation.train, present[~test], apart, settings)
            fits = logistic.fit(rotation.train, present[~test].T.astype(int), 2, chosen.c)
            log_odds[test] = odds(fits, rotation.apply(x[test])).T
            fit = {
                "fold": k,
                "c": chosen.c,
                "at_edge": chosen.at_edge,
                "converged": bool(fits.converged.all()) and chosen.converged,
                "inner_log_loss": chosen.log_loss,
            }
            scores += metric_rows(present[test], log_odds[test], named | of_repeat | fit)
            if null:
                if null.remade and of_all is None:
                    of_all = Rotation.of(x, np.ones_like(test)).narrowed(own.components)
                z = (of_all if null.remade else rotation).apply(x)
                _fit_null(z, null, k, chosen.c, drawn)
        tested = repeat.tested
        scores += metric_rows(present[tested], log_odds[tested], named | of_repeat)
        for number in range(len(drawn) if null else 0):
            columns = named | {"repeat": number, "control": "permutation"}
            scores += metric_rows(null.target[number][tested], drawn[number][tested], columns)
        about = {"readout": readout, "probe": "linear", "control": control}
        columns = {"present": present, "log_odds": log_odds}
        predictions.append(repeat.predicted(about, clip_ids, columns))
    return (
        pa.Table.from_pylist(scores, schema=SCORES),
        pa.concat_tables(predictions),
        LAYER_WEIGHTS.empty_table(),
    )


def odds(fits: logistic.Fits, z: np.ndarray) -> np.ndarray:
    """Log-odds (fits, clips) that the class of each fit is present in rotated clips ``z``."""
    log_p = fits.log_probabilities(z)
    return log_p[:, 1] - log_p[:, 0]


def choose_c(
    z: np.ndarray, present: np.ndarray, group: np.ndarray | None, settings: dict
) -> Chosen:
    """The C of the least log-loss of held-out clips, summed over classes; as `nested_cv.choose_c`.

    ``z`` (clips, rank); ``present`` (clips, classes). In an inner fold a class is scored where its
    training clips are with and without it. `log_loss` is that of a clip.
    """
    units = np.arange(len(z)) if group is None else group
    fold = sets.of_groups(present, units, settings["inner_folds"], 1, settings["seed"])
    held = fold == np.arange(settings["inner_folds"])[:, None]
    classes = present.shape[1]
    y = np.tile(present.T.astype(int), (len(held), 1))
    trained = np.repeat(~held, classes, axis=0)

    def fit(c: float, start: logistic.Fits | None, tolerance: float) -> tuple[float, logistic.Fits]:
        fits = logistic.fit(z, y, 2, c, trained, start, tolerance)
        log_p = fits.log_probabilities(z).astype(np.float64)
        of_label = np.where(y == 1, log_p[:, 1], log_p[:, 0])
        return float(-of_label[~trained].sum() / len(z)), fits

    return least_of(settings["c_grid"], fit)


def _fit_null(z: np.ndarray, null: permute.Null, k: int, c: float, log_odds: np.ndarray) -> None:
    """Fill in what each draw (draws, clips, classes) predicts for its fold ``k``, at ``c``."""
    draws, clips, classes = null.target.shape
    y = null.target.transpose(0, 2, 1).reshape(-1, clips).astype(int)
    tests = null.fold == k
    fits = logistic.fit(z, y, 2, c, np.repeat(~tests, classes, axis=0), tolerance=ROUGH)
    predicted = odds(fits, z).reshape(draws, classes, clips).transpose(0, 2, 1)
    log_odds[tests] = predicted[tests]


def metric_rows(present: np.ndarray, log_odds: np.ndarray, columns: dict) -> list[dict]:
    """A row of the table of scores for each metric; ``columns`` are the others.

    The mean over the classes that some of the clips have and some have not; ``present`` and
    ``log_odds`` are (clips, classes).
    """
    mixed = np.flatnonzero(present.any(axis=0) & ~present.all(axis=0))
    values = {}
    for name, measure in (("map", average_precision_score), ("auroc", roc_auc_score)):
        each = [measure(present[:, one], log_odds[:, one]) for one in mixed]
        values[name] = float(np.mean(each)) if each else None
    return rows_of(values, len(present), columns)


def scored(predictions: pd.DataFrame, columns: dict) -> list[dict]:
    """`metric_rows` of rows of the table of predictions."""
    present = np.array(predictions["present"].tolist(), bool)
    return metric_rows(present, np.array(predictions["log_odds"].tolist(), float), columns)
