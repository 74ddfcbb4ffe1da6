"""Every score with its interval, for each encoder, readout, probe, control, regime and metric."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stratavox.inference.groups import Interval
from stratavox.inference.multiplicity import Joint
from stratavox.inference.study import Encoder, Key, Study

SHUFFLED_LABELS = ("permutation", "control_task")


def rows(study: Study) -> list[dict]:
    """Scores measured by group with bounds, the others as means over repeats or draws."""
    return [
        row
        for encoder in study.encoders
        for row in (*_measured(study, encoder), *_others(study, encoder))
    ]


def depth(encoder: Encoder, readout: str) -> float | None:
    """0 for the input of the first block, 1 for its output, ...; None for any other readout."""
    if readout in encoder.blocks:
        return 1.0 + encoder.blocks.index(readout)
    return 0.0 if readout == "input" and encoder.blocks else None


def _measured(study: Study, encoder: Encoder) -> Iterator[dict]:
    simultaneous = _simultaneous(study, encoder)
    for key, measure in study.correct.items():
        if key.encoder != encoder.name:
            continue
        low, high = simultaneous.get(key, (None, None))
        drawn = [study.correct[key._replace(encoder=name)].value for name in encoder.members]
        yield _row(encoder, key, study.kind.metric, study.estimate(key)) | {
            "band_low": low,
            "band_high": high,
            "draws_low": min(drawn) if len(drawn) > 1 else None,
            "draws_high": max(drawn) if len(drawn) > 1 else None,
            "n_clips": round(measure.clips.sum()),
            "n_groups": None if study.groups is None else len(measure.clips),
        }


def _others(study: Study, encoder: Encoder) -> Iterator[dict]:
    """Scores that have no measure by group: shuffled labels, other metrics."""
    scores = study.scores
    pooled = scores[scores["fold"].isna() & scores["encoder"].isin(encoder.members)]
    parts = ["readout", "probe", "control", "regime", "metric"]
    for (*cell, metric), part in pooled.groupby(parts, sort=False):
        key = Key(encoder.name, *cell)
        estimate = Interval(float(part["value"].mean()))
        if key.control in SHUFFLED_LABELS:
            low, high = np.quantile(part["value"], [0.025, 0.975])
            kind = "permutations" if key.control == "permutation" else "draws"
            estimate = Interval(estimate.value, float(low), float(high), kind)
        elif metric == study.kind.metric:
            continue
        yield _row(encoder, key, metric, estimate) | {"n_clips": int(part["n_test"].max())}


def _simultaneous(study: Study, encoder: Encoder) -> dict[Key, tuple[float, float]]:
    """Bounds that hold along the whole depth curve at once; none where groups are too few."""
    keys = [Key(encoder.name, readout, regime=study.regime) for readout in encoder.curve]
    keys = [key for key in keys if key in study.correct]
    if study.groups is None or study.regime == "random" or not keys:
        return {}
    bounds = Joint.of([study.correct[key] for key in keys], study.groups).bands(study.bounds)
    return {} if bounds is None else dict(zip(keys, bounds, strict=True))


def _row(encoder: Encoder, key: Key, metric: str, estimate: Interval) -> dict:
    return {
        **key._asdict(),
        "depth": depth(encoder, key.readout),
        "metric": metric,
        **estimate.bounds(),
    }
