"""Each held-out clip of a regression: its number, and what was predicted of it."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from scipy.stats import spearmanr

from stratavox import words
from stratavox.inference.study import Encoder, Study


def rows(study: Study) -> list[dict]:
    """A row for each encoder and tested clip, of its chosen block or only readout.

    The prediction is the mean over repeats and random draws. There are none for other kinds.
    """
    return [row for encoder in study.encoders for row in _of_encoder(study, encoder)]


def _of_encoder(study: Study, encoder: Encoder) -> Iterator[dict]:
    tested = [study.tested[name] for name in encoder.members if name in study.tested]
    if not tested or "predicted_value" not in tested[0]:
        return
    columns = {"group": "first", "value": "first", "predicted_value": "mean"}
    clips = pd.concat(tested).groupby("clip_id", sort=True).agg(columns).reset_index()
    rho = float(spearmanr(clips["value"], clips["predicted_value"]).statistic)
    known = study.groups is not None
    for number, clip in enumerate(clips.to_dict("records")):
        sentence = f"{encoder.name}: Spearman's rho {words.number(rho, 2)} over held-out clips."
        yield {
            "encoder": encoder.name,
            "readout": encoder.compared,
            **clip,
            "group": clip["group"] if known else None,
            "rho": rho,
            "sentence": None if number else sentence,
        }
