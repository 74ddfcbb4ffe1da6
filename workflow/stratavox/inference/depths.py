"""Where along its depth an encoder lets a target be decoded: centres, saturation, best blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from stratavox.corpus.targets import NUISANCE
from stratavox.inference.atlas import Place
from stratavox.inference.groups import RANGE, Interval, Statistic, interval
from stratavox.inference.measures import Explained, centre
from stratavox.inference.multiplicity import confidence_set
from stratavox.inference.study import Encoder, Key, Study

DEPTHS = pa.schema(
    [
        ("encoder", pa.string()),
        ("target", pa.string()),
        ("kind", pa.string()),
        ("measure", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("interval", pa.string()),
        ("error", pa.float64()),
        ("freedom", pa.int32()),
        ("readouts", pa.string()),
        ("n_groups", pa.int32()),
    ]
)
# Names that the table uses for what stands for several targets, or for none.
ACOUSTICS, APART = "acoustic targets", "task less acoustic targets"
CENTRE, SATURATION, BEST = "centre", "saturation", "confidence set"
NO_CENTRE = Interval(float("nan"), None, None, "none")


def depths(study: Study, found: dict[Place, Explained], task: str, margin: float) -> list[dict]:
    """Rows of the depths table for every encoder with a curve; none where groups are unknown.

    Centres are of relative depth, 0 for the first readout and 1 for the last block. Of the
    acoustic targets those count whose variance all blocks together explain, by the interval. A
    curve that varies by no more than ``margin`` is flat and has no centre: normalised by its own
    range, it would be noise made large. Nor has one that is above chance by one group alone.
    """
    if study.groups is None:
        return []
    return [
        row
        for encoder in study.encoders
        if len(encoder.curve) > 1
        for row in _of(study, encoder, found, task, margin)
    ]


def _of(
    study: Study, encoder: Encoder, found: dict[Place, Explained], task: str, margin: float
) -> Iterator[dict]:
    keys = [Key(encoder.name, readout) for readout in encoder.curve]
    if any(key not in study.correct for key in keys):
        return
    curve = [study.correct[key] for key in keys]
    own = _centre(curve, study.chance)
    flat = _varies(curve, study) <= margin
    whole = not flat and _defined(own, study)
    told = interval(own, study.groups, share=True) if whole else NO_CENTRE
    yield _row(study, encoder, task, "task", CENTRE, told)
    acoustic = []
    targets = dict.fromkeys(target for name, target, _ in found if name == encoder.name)
    for target in targets:
        readouts = [found[encoder.name, target, readout] for readout in encoder.curve]
        everything = found.get((encoder.name, target, "concat"), readouts[0])
        told = interval(everything, study.groups)
        if told.kind != RANGE and told.low <= 0:
            continue
        kind = "nuisance" if target in NUISANCE else "acoustic"
        statistic = _centre(readouts, 0.0)
        if _varies(readouts, study) <= margin or not _defined(statistic, study):
            yield _row(study, encoder, target, kind, CENTRE, NO_CENTRE)
            continue
        told = interval(statistic, study.groups, share=True)
        yield _row(study, encoder, target, kind, CENTRE, told)
        if kind == "acoustic":
            acoustic.append(statistic)
    if acoustic:

        def together(weights: np.ndarray) -> np.ndarray:
            return np.mean([statistic(weights) for statistic in acoustic], axis=0)

        mean = interval(together, study.groups, share=True)
        yield _row(study, encoder, ACOUSTICS, "acoustic", CENTRE, mean)
        apart = interval(lambda w: own(w) - together(w), study.groups) if whole else NO_CENTRE
        yield _row(study, encoder, APART, "task", CENTRE, apart)
    elif targets:
        yield _row(study, encoder, APART, "task", CENTRE, NO_CENTRE)
    yield from _blocks(study, encoder, task)


def _varies(curve: Sequence[Statistic], study: Study) -> float:
    return float(np.ptp([score(study.groups.everyone)[0] for score in curve]))


def _defined(centre: Statistic, study: Study) -> bool:
    """Whether a curve has a centre whichever group is left out: else it hangs on one of them."""
    return bool(np.isfinite(centre(study.groups.without)).all())


def _blocks(study: Study, encoder: Encoder, task: str) -> Iterator[dict]:
    """The earliest block that is as good as the chosen one, and the blocks that may be the best."""
    blocks = [study.correct[Key(encoder.name, block)] for block in encoder.blocks]
    chosen = study.correct[Key(encoder.name, "nested")]
    reach = interval(chosen, study.groups)
    empty = Interval(float("nan"), None, None, reach.kind)
    if reach.error is not None:
        # One standard error: Breiman et al. 1984, Classification and Regression Trees, sec. 3.4.3;
        # here below the block chosen in training, as the best on test clips is too good.
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
    found: Interval,
    named=None,
) -> dict:
    known = np.isfinite(found.value)
    return {
        "encoder": encoder.name,
        "target": target,
        "kind": kind,
        "measure": measure,
        "value": found.value if known else None,
        "low": found.low if known else None,
        "high": found.high if known else None,
        "interval": found.kind,
        "error": found.error if known else None,
        "freedom": found.freedom if known else None,
        "readouts": named,
        "n_groups": study.groups.n,
    }
