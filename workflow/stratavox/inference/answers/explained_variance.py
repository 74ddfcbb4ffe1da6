"""The acoustic atlas: the variance of each descriptor that each readout explains."""

from __future__ import annotations

import numpy as np

from stratavox.inference.answers.estimates import depth
from stratavox.inference.groups import Interval, interval
from stratavox.inference.study import Study


def rows(study: Study) -> list[dict]:
    """A row for each encoder, target and readout, with bounds where groups are known."""
    return [
        row
        for encoder in study.encoders
        if encoder.members[0] in study.atlases
        for row in _of_encoder(study, encoder)
    ]


def _of_encoder(study: Study, encoder) -> list[dict]:
    clips = study.atlases[encoder.members[0]].groupby(["target", "readout"])["n_clips"].sum()
    rows = []
    for place, measure in study.explained.items():
        if place.encoder != encoder.name:
            continue
        estimate = Interval(float(measure(np.ones((1, len(measure.error))))[0]))
        if study.groups is not None:
            estimate = interval(measure, study.groups.pooled)
        rows.append(
            {
                **place._asdict(),
                "depth": depth(encoder, place.readout),
                **estimate.bounds(),
                "n_clips": int(clips[place.target, place.readout]),
                "n_groups": int(np.sum(measure.spread > 0)) if study.groups is not None else None,
            }
        )
    return rows
