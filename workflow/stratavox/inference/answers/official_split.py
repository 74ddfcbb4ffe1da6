"""The official split of a data set, and what the same readout scores on the other folds.

The two are not tested against each other: they test and train on other clips.
"""

from __future__ import annotations

from collections.abc import Iterator

from stratavox import words
from stratavox.inference.study import Encoder, Key, Study
from stratavox.probe.official import REGIME


def rows(study: Study) -> list[dict]:
    """A row for each encoder, of its chosen block or only readout; none without such a split."""
    return [row for encoder in study.encoders for row in _of_encoder(study, encoder)]


def _of_encoder(study: Study, encoder: Encoder) -> Iterator[dict]:
    key = Key(encoder.name, encoder.compared, regime=REGIME)
    if key not in study.correct:
        return
    official = study.estimate(key)
    held_out = study.estimate(key._replace(regime=study.regime))
    counts = study.task[REGIME]
    group = study.task["group"]
    other = words.REGIMES[study.regime].format(group=group and words.grouping(group))
    name = f"{encoder.name}, {words.READOUTS[encoder.compared]}" if encoder.blocks else encoder.name
    yield {
        "encoder": encoder.name,
        "readout": encoder.compared,
        **official.bounds(),
        "regime": study.regime,
        **{f"held_out_{name}": of for name, of in held_out.bounds().items()},
        **{name: counts[name] for name in ("train", "test", "groups", "groups_on_both", "chance")},
        "sentence": f"{name}: {words.estimate(official, 2)} on the official split, "
        f"{words.estimate(held_out, 2)} {other}.",
    }
