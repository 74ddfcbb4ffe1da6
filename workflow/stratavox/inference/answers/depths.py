"""Which blocks suffice for the task, and which may be the best?"""

from __future__ import annotations

from collections.abc import Iterator

from stratavox.inference import paired
from stratavox.inference.answers.trends import decodable
from stratavox.inference.groups import Interval
from stratavox.inference.multiplicity import Joint, holm
from stratavox.inference.study import Encoder, Key, Study

ONSET, BEST = "onset", "confidence set"


def rows(study: Study) -> list[dict]:
    """Rows for every encoder with blocks from which the task is decodable (`trends.decodable`).

    The onset is the first block that is shown to be no more than the settings' ``margin`` below the
    block chosen in training (one-sided tests at 5 %, Holm over blocks); ``value`` is its score
    minus that of the chosen block. ``readouts`` is null where no block is shown to be.
    """
    return [
        row
        for encoder in study.encoders
        if len(encoder.blocks) > 1
        and Key(encoder.name, "nested") in study.correct
        and decodable(study, encoder)
        for row in _of_encoder(study, encoder)
    ]


def _of_encoder(study: Study, encoder: Encoder) -> Iterator[dict]:
    blocks = [study.correct[Key(encoder.name, block)] for block in encoder.blocks]
    best = Joint.of(blocks, study.groups).perhaps_largest()
    onset, shortfall = _onset(study, encoder)
    yield _row(study, encoder, ONSET, shortfall, onset)
    names = ", ".join(encoder.blocks[place] for place in best)
    yield _row(study, encoder, BEST, Interval(float("nan")), names)


def _onset(study: Study, encoder: Encoder) -> tuple[str | None, Interval]:
    chosen = study.correct[Key(encoder.name, "nested")]
    lone = study.chosen_block(encoder)
    differences, p_values = [], []
    for block in encoder.blocks:
        measure = study.correct[Key(encoder.name, block)]
        below = paired.Difference.of(measure, chosen, study.groups)
        p = paired.above_p(below.interval, below.influence, -study.settings["margin"])
        # the block that every fold chose is the chosen block itself
        p_values.append(0.0 if block == lone else 1.0 if p is None else p)
        differences.append(below.interval)
    for block, difference, p in zip(encoder.blocks, differences, holm(p_values), strict=True):
        if p < paired.SIGNIFICANT:
            return block, difference
    return None, Interval(float("nan"))


def _row(study: Study, encoder: Encoder, measure: str, value: Interval, blocks: str | None) -> dict:
    known = value.kind != "none"
    return {
        "encoder": encoder.name,
        "measure": measure,
        "readouts": blocks,
        "value": value.value if known else None,
        "low": value.low,
        "high": value.high,
        "interval": value.kind,
        "margin": study.settings["margin"],
        "n_groups": study.groups.n,
    }
