"""Which block is best with readouts of different widths, and with all cut to the narrowest.

Both blocks are chosen in training, by the inner folds of each outer fold.
"""

from __future__ import annotations

from collections.abc import Iterator

from stratavox import words
from stratavox.inference.study import Encoder, Key, Study

CONTROL = "width_matched"


def rows(study: Study) -> list[dict]:
    """A row for each encoder with a width-matched curve (the control of probe.linear)."""
    return [row for encoder in study.encoders for row in _of_encoder(study, encoder)]


def _of_encoder(study: Study, encoder: Encoder) -> Iterator[dict]:
    whole = Key(encoder.name, "nested", regime=study.regime)
    matched = whole._replace(control=CONTROL)
    if matched not in study.correct:
        return
    widths = [encoder.description["widths"][name] for name in encoder.curve]
    first, second = (study.score(study.correct[key]) for key in (whole, matched))
    scored, scored_matched = words.estimate(first), words.estimate(second)
    often, often_matched = (
        words.most_often(study.chosen(encoder.members, control)["readout"])
        for control in ("none", CONTROL)
    )
    yield {
        "encoder": encoder.name,
        "narrowest": min(widths),
        "widest": max(widths),
        **first.bounds(),
        **{f"matched_{name}": getattr(second, name) for name in ("value", "low", "high")},
        "n_groups": study.groups.n if study.groups is not None else None,
        "sentence": f"{encoder.name}: the block chosen in training scores {scored} with all "
        f"columns ({min(widths):,} to {max(widths):,} of a readout; {often}) and {scored_matched} "
        f"with {words.count(min(widths), 'principal component')} of each readout "
        f"({often_matched}).",
    }
