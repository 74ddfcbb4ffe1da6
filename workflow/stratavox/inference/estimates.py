"""Every score with its interval: one row an encoder, readout, probe, control, regime and metric."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa

from stratavox.inference.groups import Interval, interval
from stratavox.inference.multiplicity import bands
from stratavox.inference.study import Encoder, Key, Study

ESTIMATES = pa.schema(
    [
        ("encoder", pa.string()),
        ("readout", pa.string()),
        ("depth", pa.float64()),
        ("probe", pa.string()),
        ("control", pa.string()),
        ("regime", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("interval", pa.string()),
        ("band_low", pa.float64()),
        ("band_high", pa.float64()),
        ("draws_low", pa.float64()),
        ("draws_high", pa.float64()),
        ("n_clips", pa.int32()),
        ("n_groups", pa.int32()),
    ]
)
SHUFFLED_LABELS = ("permutation", "control_task")


def estimates(study: Study) -> pa.Table:
    """All rows (schema `ESTIMATES`): measured ones with bounds, the rest as means over repeats."""
    rows = [row for encoder in study.encoders for row in _of(study, encoder)]
    return pa.Table.from_pylist(rows, schema=ESTIMATES)


def depth(encoder: Encoder, readout: str) -> float | None:
    """0 for what enters the first block, 1 for that block's output; None for any other readout."""
    if readout in encoder.blocks:
        return 1.0 + encoder.blocks.index(readout)
    return 0.0 if readout == "input" and encoder.blocks else None


def _of(study: Study, encoder: Encoder) -> Iterator[dict]:
    simultaneous = _simultaneous(study, encoder)
    for key, measure in study.correct.items():
        if key.encoder != encoder.name:
            continue
        found = Interval(measure.value, None, None, "none")
        if study.groups is not None and key.regime != "random":
            found = interval(measure, study.groups, share=True)
        low, high = simultaneous.get(key, (None, None))
        drawn = [study.correct[key._replace(encoder=name)].value for name in encoder.members]
        yield _row(encoder, key, "balanced_accuracy", found) | {
            "band_low": low,
            "band_high": high,
            "draws_low": min(drawn) if len(drawn) > 1 else None,
            "draws_high": max(drawn) if len(drawn) > 1 else None,
            "n_clips": int(measure.clips.sum()),
            "n_groups": study.groups.n if study.groups is not None else None,
        }
    yield from _others(study, encoder)


def _others(study: Study, encoder: Encoder) -> Iterator[dict]:
    """Scores that have no measure by group: shuffled labels, macro-F1, accuracy."""
    scores = study.scores
    pooled = scores[scores["fold"].isna() & scores["encoder"].isin(encoder.members)]
    parts = ["readout", "probe", "control", "regime", "metric"]
    for where, part in pooled.groupby(parts, sort=False):
        key, metric = Key(encoder.name, *where[:4]), where[4]
        value = float(part["value"].mean())
        found = Interval(value, None, None, "none")
        if key.control in SHUFFLED_LABELS:
            low, high = np.quantile(part["value"], [0.025, 0.975])
            kind = "permutations" if key.control == "permutation" else "draws"
            found = Interval(value, float(low), float(high), kind)
        elif metric == "balanced_accuracy":
            continue
        yield _row(encoder, key, metric, found) | {"n_clips": int(part["n_test"].max())}


def _simultaneous(study: Study, encoder: Encoder) -> dict[Key, tuple[float, float]]:
    """Bounds that hold along the whole depth curve at once, where groups allow any."""
    keys = [Key(encoder.name, readout, regime=study.regime) for readout in encoder.curve]
    keys = [key for key in keys if key in study.correct]
    if study.groups is None or study.regime == "random" or not keys:
        return {}
    found = bands([study.correct[key] for key in keys], study.groups)
    if found is None:
        return {}
    cut = [(max(0.0, low), min(1.0, high)) for low, high in found]
    return dict(zip(keys, cut, strict=True))


def _row(encoder: Encoder, key: Key, metric: str, found: Interval) -> dict:
    return {
        "encoder": encoder.name,
        "readout": key.readout,
        "depth": depth(encoder, key.readout),
        "probe": key.probe,
        "control": key.control,
        "regime": key.regime,
        "metric": metric,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "interval": found.kind,
    }


def fits(study: Study) -> dict[str, dict]:
    """Counts of the fits by encoder: outer ones, penalty at the grid's edge, not converged."""
    told: dict[str, dict] = {"outer_fits": {}, "at_edge": {}, "not_converged": {}, "nested": {}}
    scores = study.scores
    outer = scores[
        scores["fold"].notna()
        & (scores["metric"] == "balanced_accuracy")
        & (scores["readout"] != "nested")
        & (scores["probe"] == "linear")
    ]
    for encoder in study.encoders:
        own = outer[outer["encoder"].isin(encoder.members)]
        told["outer_fits"][encoder.name] = len(own)
        told["at_edge"][encoder.name] = int(own["at_edge"].astype(bool).sum())
        told["not_converged"][encoder.name] = int((~own["converged"].astype(bool)).sum())
        chosen = own[(own["chosen"] == True) & (own["regime"] == study.regime)]  # noqa: E712
        if encoder.blocks:
            counts = pd.Series(chosen["readout"]).value_counts(sort=False).sort_index()
            told["nested"][encoder.name] = {k: int(v) for k, v in counts.items()}
    return told
