"""At which depth of an encoder a target is decodable: centres, saturation, best blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from stratavox.corpus.targets import NUISANCE
from stratavox.inference.groups import RANGE, Interval, Statistic, interval
from stratavox.inference.measures import centre
from stratavox.inference.multiplicity import confidence_set
from stratavox.inference.study import Encoder, Key, Study

# Rows about several targets together.
ACOUSTICS, APART = "acoustic targets", "task less acoustic targets"
CENTRE, SATURATION, BEST = "centre", "saturation", "confidence set"
NO_CENTRE = Interval(float("nan"))


def rows(study: Study) -> list[dict]:
    """Rows for every encoder with a curve; none where groups are unknown.

    Centres are of relative depth, 0 for the first readout and 1 for the last block. The mean over
    acoustic targets includes those whose variance all blocks together explain (lower bound above
    0). A curve that varies by no more than the settings' ``margin`` has no centre, because
    normalising by its range would enlarge noise. A curve that is above chance because of only one
    group has no centre either.
    """
    if study.groups is None:
        return []
    return [
        row
        for encoder in study.encoders
        if len(encoder.curve) > 1
        for row in _of_encoder(study, encoder)
    ]


def _of_encoder(study: Study, encoder: Encoder) -> Iterator[dict]:
    keys = [Key(encoder.name, readout) for readout in encoder.curve]
    if any(key not in study.correct for key in keys):
        return
    task = study.settings["task"]
    curve = [study.correct[key] for key in keys]
    own = _centre(curve, study.chance)
    has_centre = _has_centre(curve, own, study)
    estimate = interval(own, study.groups, share=True) if has_centre else NO_CENTRE
    yield _row(study, encoder, task, "task", CENTRE, estimate)
    acoustic = []
    explained = study.explained
    targets = dict.fromkeys(place.target for place in explained if place.encoder == encoder.name)
    for target in targets:
        readouts = [explained[encoder.name, target, readout] for readout in encoder.curve]
        everything = explained.get((encoder.name, target, "concat"), readouts[0])
        variance = interval(everything, study.groups)
        if variance.kind != RANGE and variance.low <= 0:
            continue
        kind = "nuisance" if target in NUISANCE else "acoustic"
        statistic = _centre(readouts, 0.0)
        if not _has_centre(readouts, statistic, study):
            yield _row(study, encoder, target, kind, CENTRE, NO_CENTRE)
            continue
        estimate = interval(statistic, study.groups, share=True)
        yield _row(study, encoder, target, kind, CENTRE, estimate)
        if kind == "acoustic":
            acoustic.append(statistic)
    if acoustic:

        def together(weights: np.ndarray) -> np.ndarray:
            return np.mean([statistic(weights) for statistic in acoustic], axis=0)

        mean = interval(together, study.groups, share=True)
        yield _row(study, encoder, ACOUSTICS, "acoustic", CENTRE, mean)
        apart = NO_CENTRE
        if has_centre:
            apart = interval(lambda w: own(w) - together(w), study.groups)
        yield _row(study, encoder, APART, "task", CENTRE, apart)
    elif targets:
        yield _row(study, encoder, APART, "task", CENTRE, NO_CENTRE)
    yield from _blocks(study, encoder, task)


def _has_centre(curve: Sequence[Statistic], centre: Statistic, study: Study) -> bool:
    """Whether a curve varies enough, and still does whichever single group is left out."""
    if (
        float(np.ptp([score(study.groups.everyone)[0] for score in curve]))
        <= study.settings["margin"]
    ):
        return False
    return bool(np.isfinite(centre(study.groups.without)).all())


def _blocks(study: Study, encoder: Encoder, task: str) -> Iterator[dict]:
    """The earliest block within one standard error of the chosen one, and the best blocks."""
    blocks = [study.correct[Key(encoder.name, block)] for block in encoder.blocks]
    chosen = study.correct[Key(encoder.name, "nested")]
    reach = interval(chosen, study.groups)
    empty = Interval(float("nan"), None, None, reach.kind)
    if reach.error is not None:
        # One standard error: Breiman et al. 1984, Classification and Regression Trees, sec. 3.4.3;
        # here below the block chosen in training, as the best score on test clips is optimistic.
        enough = [measure.value >= reach.value - reach.error for measure in blocks]
        if any(enough):
            first = encoder.blocks[enough.index(True)]
            yield _row(study, encoder, task, "task", SATURATION, empty, first)
    best = confidence_set(blocks, study.groups)
    if best is not None:
        named = ", ".join(encoder.blocks[place] for place in best)
        yield _row(study, encoder, task, "task", BEST, empty, named)


def _centre(curve: list[Statistic], chance: float) -> Statistic:
    return lambda w: centre(np.stack([score(w) for score in curve], axis=1), chance)


def _row(
    study: Study,
    encoder: Encoder,
    target: str,
    kind: str,
    measure: str,
    estimate: Interval,
    blocks: str | None = None,
) -> dict:
    known = np.isfinite(estimate.value)
    return {
        "encoder": encoder.name,
        "target": target,
        "kind": kind,
        "measure": measure,
        "value": estimate.value if known else None,
        "low": estimate.low if known else None,
        "high": estimate.high if known else None,
        "interval": estimate.kind,
        "error": estimate.error if known else None,
        "freedom": estimate.freedom if known else None,
        "readouts": blocks,
        "n_groups": study.groups.n,
    }
