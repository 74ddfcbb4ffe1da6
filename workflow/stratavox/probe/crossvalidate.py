"""One readout through every regime, repeat and outer fold of a task, with its null controls."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from stratavox.probe import nested_cv, permute
from stratavox.probe.fusion import Source
from stratavox.probe.metrics import metric_rows
from stratavox.probe.readouts import strictest
from stratavox.probe.repeats import Repeat, repeats
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
    """Scores, predictions and layer weights of a readout whose rows are ``clip_ids``.

    A readout that is itself the ``control`` of another has no null controls.
    """
    scores: list[dict] = []
    predictions: list[pa.Table] = []
    layer_weights: list[dict] = []
    permuted_in = strictest(folds)["regime"][0].as_py()
    for repeat in repeats(folds, clip_ids):
        labels, y = np.unique(repeat.target, return_inverse=True)
        named = {"readout": readout, "probe": "linear", "regime": repeat.regime}
        own_source, tested = source.of_clips(repeat.rows), repeat.tested
        predicted = np.zeros(len(y), dtype=np.int64)
        log_probability = np.zeros(len(y))
        nulls = _nulls(y, repeat, permuted_in, settings) if control == "none" else {}
        null_predictions = {name: np.empty_like(null.target) for name, null in nulls.items()}
        of_all = None
        for k in range(repeat.fold.max() + 1):
            test = repeat.fold == k
            x, learned = own_source.of_fold(y, repeat.apart, test, settings)
            outer, rotation = nested_cv.outer_fold(
                x, y, repeat.apart, test, settings, components=source.components
            )
            predicted[test], log_probability[test] = outer.predicted, outer.log_probability
            fold = {"repeat": repeat.number, "fold": k}
            fit = {
                name: getattr(outer, name)
                for name in ("c", "at_edge", "converged", "inner_log_loss")
            }
            scores += metric_rows(
                y[test], outer.predicted, named | fold | fit | {"control": control}
            )
            for name, null in nulls.items():
                # learned weights give each fold columns of its own
                if null.remade and (of_all is None or learned is not None):
                    of_all = Rotation.of(x, np.ones_like(test)).narrowed(source.components)
                axes, tests = of_all if null.remade else rotation, null.fold == k
                drawn = nested_cv.null_fold(axes, x, null.target, tests, outer.c)
                null_predictions[name][tests] = drawn[tests]
            if learned is not None:
                place = {"regime": repeat.regime} | fold
                layer_weights += [
                    place | {"readout": block, "weight": float(weight)}
                    for block, weight in zip(blocks, learned, strict=True)
                ]
        own = {"control": control, "repeat": repeat.number}
        scores += metric_rows(y[tested], predicted[tested], named | own)
        for name, null in nulls.items():
            pairs = zip(null.target, null_predictions[name], strict=True)
            for number, (target, of_draw) in enumerate(pairs):
                own = {"control": name, "repeat": number}
                scores += metric_rows(target[tested], of_draw[tested], named | own)
        own = {"readout": readout, "probe": "linear", "control": control}
        predictions.append(repeat.predictions(own, clip_ids, labels[predicted], log_probability))
    return (
        pa.Table.from_pylist(scores, schema=SCORES),
        pa.concat_tables(predictions),
        pa.Table.from_pylist(layer_weights, schema=LAYER_WEIGHTS),
    )


def scored(predictions: pd.DataFrame, columns: dict) -> list[dict]:
    """`metric_rows` of rows of the table of predictions."""
    target, predicted = (predictions[name].to_numpy(str) for name in ("target", "predicted"))
    return metric_rows(target, predicted, columns)


def _nulls(
    y: np.ndarray, repeat: Repeat, permuted_in: str, settings: dict
) -> dict[str, permute.Null]:
    """The labels of each control that is fitted in this repeat.

    Permutations in the regime ``permuted_in`` (`permute.of_repeat`), the control task in the random
    regime, also only in the first repeat.
    """
    nulls = {"permutation": permute.of_repeat(y, repeat, permuted_in, settings)}
    if repeat.number == 0 and repeat.regime == "random" and settings["control_tasks"]:
        named = repeat.group if repeat.recording is None else repeat.recording
        nulls["control_task"] = permute.control_tasks(y, named, repeat.fold, settings)
    return {control: null for control, null in nulls.items() if null is not None}
