"""Each class of a multilabel task: its average precision and AUROC beside what guessing scores."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.metrics import roc_auc_score

from stratavox import words
from stratavox.inference.choice import key
from stratavox.inference.groups import Groups, Interval, interval
from stratavox.inference.measures import Ranked
from stratavox.inference.study import Encoder, Study
from stratavox.probe.sets import of_guessing


def rows(study: Study) -> list[dict]:
    """A row for each encoder and class, of its chosen block or only readout; none for other kinds.

    The interval is over groups; that of a class that hardly any group has is a range.
    """
    return [row for encoder in study.encoders for row in _of_encoder(study, encoder)]


def _of_encoder(study: Study, encoder: Encoder) -> Iterator[dict]:
    measure = study.correct.get(key(study, encoder, encoder.compared))
    if not isinstance(measure, Ranked):
        return
    made = [
        _row(study, encoder, measure, place, name)
        for place, name in enumerate(sorted(study.task["classes"]))
    ]
    of_each = ", ".join(
        f"{row['class']} {words.number(row['value'], 2)} ({words.number(row['chance'], 2)})"
        for row in sorted(made, key=lambda row: -row["value"])
    )
    made[0]["sentence"] = (
        f"{encoder.name}: average precision of each class, in brackets that of guessing: {of_each}."
    )
    yield from made


def _row(study: Study, encoder: Encoder, measure: Ranked, place: int, name: str) -> dict:
    alone = measure.of_class(place)
    present = measure.present[:, place]
    estimate = Interval(alone.value)
    if study.groups is not None and study.regime != "random":
        estimate = interval(alone, Groups.of(alone.clips), study.bounds)
    auroc = [roc_auc_score(present, scores[:, place]) for scores in measure.scores]
    return {
        "encoder": encoder.name,
        "readout": encoder.compared,
        "class": name,
        "prevalence": float(present.mean()),
        "chance": of_guessing(int(present.sum()), len(present)),
        **estimate.bounds(),
        "auroc": float(np.mean(auroc)),
        "n_clips": int(present.sum()),
        "n_groups": len(set(measure.group[present])) if study.groups is not None else None,
        "sentence": None,
    }
