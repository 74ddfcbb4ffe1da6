"""One readout through every regime, repeat and outer fold of a task, with its null controls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stratavox.probe import nested_cv, permute
from stratavox.probe.fusion import Source
from stratavox.probe.metrics import metric_rows
from stratavox.probe.readouts import APART, strictest
from stratavox.probe.schemas import LAYER_WEIGHTS, PREDICTIONS, SCORES


@dataclass(frozen=True)
class Repeat:
    """One repeat of one regime: fold, target, group and recording of each clip.

    Group and recording are None where they are unknown.
    """

    regime: str
    number: int
    fold: np.ndarray
    target: np.ndarray
    group: np.ndarray | None
    recording: np.ndarray | None

    @property
    def apart(self) -> np.ndarray | None:
        """What the folds of this regime keep on one side; None where that is only the clip."""
        column = APART[self.regime]
        return None if column is None else getattr(self, column)


def cross_validate(
    source: Source, readout: str, blocks: list[str], clip_ids: list[str], folds: pa.Table, settings
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Scores, predictions and layer weights of a readout whose rows are ``clip_ids``."""
    scores: list[dict] = []
    predictions: list[pa.Table] = []
    layer_weights: list[dict] = []
    permuted_in = strictest(folds)["regime"][0].as_py()
    for repeat in _repeats(folds, clip_ids):
        labels, y = np.unique(repeat.target, return_inverse=True)
        named = {"readout": readout, "probe": "linear", "regime": repeat.regime}
        predicted = np.empty(len(y), dtype=np.int64)
        log_probability = np.empty(len(y))
        nulls = _nulls(y, repeat, permuted_in, settings)
        null_predictions = {control: np.empty_like(drawn) for control, drawn in nulls.items()}
        for k in range(repeat.fold.max() + 1):
            test = repeat.fold == k
            x, learned = source.of_fold(y, repeat.apart, test, settings)
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
                y[test], outer.predicted, named | fold | fit | {"control": "none"}
            )
            for control, drawn in nulls.items():
                null_predictions[control][:, test] = nested_cv.null_fold(
                    rotation, x, drawn, test, outer.c
                )
            if learned is not None:
                place = {"regime": repeat.regime} | fold
                layer_weights += [
                    place | {"readout": block, "weight": float(weight)}
                    for block, weight in zip(blocks, learned, strict=True)
                ]
        own = {"control": "none", "repeat": repeat.number}
        scores += metric_rows(y, predicted, named | own)
        for control, drawn in nulls.items():
            pairs = zip(drawn, null_predictions[control], strict=True)
            for number, (target, of_draw) in enumerate(pairs):
                own = {"control": control, "repeat": number}
                scores += metric_rows(target, of_draw, named | own)
        columns = {
            "readout": [readout] * len(y),
            "probe": ["linear"] * len(y),
            "control": ["none"] * len(y),
            "regime": [repeat.regime] * len(y),
            "repeat": [repeat.number] * len(y),
            "fold": repeat.fold,
            "clip_id": clip_ids,
            "group": [None] * len(y) if repeat.group is None else repeat.group,
            "target": repeat.target,
            "predicted": labels[predicted],
            "log_probability": log_probability,
        }
        predictions.append(pa.table(columns, schema=PREDICTIONS))
    return (
        pa.Table.from_pylist(scores, schema=SCORES),
        pa.concat_tables(predictions),
        pa.Table.from_pylist(layer_weights, schema=LAYER_WEIGHTS),
    )


def _repeats(folds: pa.Table, clip_ids: list[str]) -> Iterator[Repeat]:
    """Every repeat of every regime, its clips in the order of ``clip_ids``."""
    for (regime, number), part in folds.to_pandas().groupby(["regime", "repeat"], sort=True):
        part = part.set_index("clip_id").loc[clip_ids]
        known = {
            name: None if part[name].isna().any() else part[name].to_numpy(str)
            for name in ("group", "recording")
        }
        fold, target = part["fold"].to_numpy(), part["target"].to_numpy(str)
        yield Repeat(regime, int(number), fold, target, **known)


def _nulls(
    y: np.ndarray, repeat: Repeat, permuted_in: str, settings: dict
) -> dict[str, np.ndarray]:
    """Labels (draws, clips) of each control that this repeat is to be fitted to.

    Permutations in the regime ``permuted_in``, the control task in the random one, both in the
    first repeat alone. They depend on the seed alone: all readouts and encoders have the same.
    """
    nulls = {}
    generator = np.random.default_rng(settings["seed"])
    if repeat.number == 0 and repeat.regime == permuted_in:
        drawn = [
            permute.permuted(y, repeat.apart, generator) for _ in range(settings["permutations"])
        ]
        nulls["permutation"] = np.stack(drawn)
    generator = np.random.default_rng(settings["seed"])
    named = repeat.group if repeat.recording is None else repeat.recording
    several = named is not None and len(set(named)) > 1
    if repeat.number == 0 and repeat.regime == "random" and several and settings["control_tasks"]:
        drawn = [
            permute.control_task(y, named, generator) for _ in range(settings["control_tasks"])
        ]
        nulls["control_task"] = np.stack(drawn)
    return nulls
