"""The probe that is applied, fitted on all labelled clips of a task, and its file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from scipy.special import log_softmax
from threadpoolctl import threadpool_limits

from stratavox import tables
from stratavox.apply import calibration, distance, linear
from stratavox.errors import BrokenFile
from stratavox.probe.metrics import metric_rows
from stratavox.probe.readouts import clips_of, strictest
from stratavox.probe.regimes import APART
from stratavox.probe.repeats import repeats

PROVENANCE = "stratavox"


@dataclass(frozen=True)
class Trained:
    """A calibrated probe and the training clips that new ones are compared with.

    A clip further than ``far`` from its ``neighbours`` is unlike the training clips.
    ``provenance`` is what the file's metadata hold.
    """

    probe: linear.Linear
    neighbours: distance.Neighbours
    classes: list[str]
    temperature: float
    far: float
    provenance: dict

    def log_probabilities(self, x: np.ndarray) -> np.ndarray:
        """Calibrated log-probabilities (clips, classes) of readouts ``x`` (clips, width)."""
        return log_softmax(self.probe.log_probabilities(x) / self.temperature, axis=1)


def train(x: np.ndarray, folds: pa.Table, settings: dict, provenance: dict) -> Trained:
    """Fit all clips of ``folds`` whose readout is ``x`` (clips, width), in the order of `clips_of`.

    ``settings`` holds inner_folds, c_grid and seed. Temperature and limit come from clips that were
    held out in the first repeat of the strictest regime; what they are worth there is measured by
    cross-fitting over its folds, or over groups where there is one fold alone (transfer).
    """
    clip_ids, target = clips_of(folds)
    classes, y = np.unique(target, return_inverse=True)
    repeat = next(r for r in repeats(strictest(folds), clip_ids) if r.number == 0)
    group, fold = repeat.apart, repeat.fold
    tested = fold >= 0
    part = fold[tested] if fold.max() or group is None else group[tested]
    with threadpool_limits(1):  # products of this size are slower on several threads
        whole = linear.fit(x, y, group, np.ones(len(y), bool), settings)
        log_p = linear.held_out(x, y, group, fold, settings)
    apart = distance.held_out(x, fold)
    t = calibration.temperature(log_p, y[tested])
    calibrated = calibration.cross_fitted(log_p, y[tested], part)
    predicted = log_p.argmax(axis=1)
    measures = {row["metric"]: row["value"] for row in metric_rows(y[tested], predicted, {})}
    far = distance.limit(apart)
    provenance = provenance | {
        "clips": len(y),
        "groups": len(set(group)) if APART[repeat.regime] else None,
        "regime": repeat.regime,
        "classes": {name: int((y == number).sum()) for number, name in enumerate(classes)},
        "c": whole.c,
        "converged": whole.converged,
        "temperature": t,
        "held_out": {
            "clips": int(tested.sum()),
            "balanced_accuracy": measures["balanced_accuracy"],
            "accuracy": measures["accuracy"],
            "accuracy_of_groups": _range(predicted == y[tested], repeat.group, tested),
            "calibration_error": calibration.error(calibrated, y[tested]),
            "calibration_error_uncalibrated": calibration.error(log_p, y[tested]),
            "calibration_error_by_chance": calibration.least_error(calibrated, settings["seed"]),
            "log_loss": calibration.log_loss(calibrated, y[tested]),
            "log_loss_uncalibrated": calibration.log_loss(log_p, y[tested]),
            "unlike_training": float(distance.flagged(apart, part).mean()),
        },
        "far": far,
    }
    neighbours = distance.Neighbours.of(x)
    return Trained(whole.probe, neighbours, list(map(str, classes)), t, far, provenance)


def _range(right: np.ndarray, group: np.ndarray | None, tested: np.ndarray) -> list[float] | None:
    """Least and largest share that is ``right`` in a group; None where groups are unknown."""
    if group is None:
        return None
    shares = [float(right[group[tested] == name].mean()) for name in set(group[tested])]
    return [min(shares), max(shares)]


def save(trained: Trained, path: Path) -> None:
    """Write a .safetensors file: numbers alone, so that reading it runs no code."""
    tensors = vars(trained.probe) | vars(trained.neighbours)
    tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    with tables.atomic_path(path) as temporary:
        save_file(tensors, temporary, {PROVENANCE: json.dumps(trained.provenance, sort_keys=True)})


def load(path: Path, key: str) -> Trained | None:
    """Read what `save` wrote; None where it was made from something else than ``key`` says.

    Raises `BrokenFile` for a file that is not whole.
    """
    try:
        with safe_open(path, "numpy") as file:
            provenance = json.loads(file.metadata()[PROVENANCE])
            if provenance["key"] != key:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise BrokenFile(path, f"not a whole file of a probe ({error})") from None
    probe, neighbours = (
        kind(**{name: tensors[name] for name in kind.__dataclass_fields__})
        for kind in (linear.Linear, distance.Neighbours)
    )
    classes, t, far = (provenance[name] for name in ("classes", "temperature", "far"))
    return Trained(probe, neighbours, list(classes), t, far, provenance)
