"""Do the task and the acoustic targets rise, fall or stay level with depth?

The trend of a curve is the mean score of its last third minus that of its first third. It is a
linear function of the scores, so its interval is as good as theirs; a centre of gravity is not, and
makes structure of noise (answers/robustness.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stratavox.corpus.targets import NUISANCE
from stratavox.inference import paired
from stratavox.inference.answers import rows_of
from stratavox.inference.groups import RANGE, Interval, interval
from stratavox.inference.measures import third, thirds
from stratavox.inference.multiplicity import Joint, holm
from stratavox.inference.study import Encoder, Key, Study

ACOUSTICS = "acoustic targets"
TASK, ACOUSTIC, NUISANCE_KIND = "task", "acoustic", "nuisance"
RISES, FALLS, LEVEL, UNDETERMINED = "rises", "falls", "level", "undetermined"
# Without a trend: the task is at chance everywhere, or the groups are too few for a test.
UNDECODABLE, UNTESTED = "not decodable", "not tested"
# A mean over fewer targets says nothing about other targets.
FEWEST_TARGETS = 3


def rows(study: Study) -> list[dict]:
    """Rows for every encoder with a curve; none where groups are unknown.

    A curve rises or falls if its trend is resolved, larger than the settings' ``margin``, and a
    max-t test rejects a flat curve; it is level if the trend is shown to be within the margin. For
    the acoustic targets all this holds for all of them at once. They are those whose variance all
    blocks together explain (lower bound above 0). Their mean counts groups and targets as random
    (`_together`).
    """
    if study.groups is None:
        return []
    return [
        row
        for encoder in study.encoders
        if len(encoder.curve) > 1 and Key(encoder.name, encoder.curve[0]) in study.correct
        for row in _of_encoder(study, encoder)
    ]


def decodable(study: Study, encoder: Encoder) -> bool:
    """Whether the task was shown to be decodable at some depth of the encoder."""
    return any(
        row["direction"] not in (UNDECODABLE, UNTESTED)
        for row in rows_of(study, "trends")
        if row["encoder"] == encoder.name and row["kind"] == TASK
    )


def _above_null(study: Study, encoder: Encoder, scores: Joint) -> bool | None:
    """Whether the simultaneous band of ``scores`` lies above permuted labels at some readout.

    None where groups are too few.
    """
    bands, null = scores.bands(study.bounds), study.null(encoder)
    if bands is None:
        return None
    return any(low > null.value + 2 * null.error for low, _ in bands)


def explained(study: Study, encoder: Encoder) -> dict[str, list]:
    """Acoustic target -> its measures along the curve, of targets that the blocks explain."""
    measures = study.explained
    targets = dict.fromkeys(place.target for place in measures if place.encoder == encoder.name)
    kept = {}
    for target in targets:
        readouts = [measures[encoder.name, target, readout] for readout in encoder.curve]
        everything = measures.get((encoder.name, target, "concat"), readouts[0])
        variance = interval(everything, study.groups.pooled)
        if variance.kind == RANGE or variance.low > 0:
            kept[target] = readouts
    return kept


def _of_encoder(study: Study, encoder: Encoder) -> Iterator[dict]:
    keys = [Key(encoder.name, name) for name in encoder.curve]
    scores = Joint.of([study.correct[key] for key in keys], study.groups)
    yield _row(study, encoder, study.settings["task"], TASK, scores) | _task(study, encoder, scores)
    curves = {
        target: Joint.of(readouts, study.groups.pooled)
        for target, readouts in explained(study, encoder).items()
    }
    for kind in (ACOUSTIC, NUISANCE_KIND):
        own = {
            target: joint
            for target, joint in curves.items()
            if (target in NUISANCE) == (kind == NUISANCE_KIND)
        }
        if not own:
            continue
        trends = _trends(list(own.values()))
        estimates = trends.intervals(trends.times if trends.groups.kind != RANGE else None)
        levels = _levels(trends, study)
        if None not in levels:
            levels = holm(levels)
        for (target, joint), estimate, level in zip(own.items(), estimates, levels, strict=True):
            yield _row(study, encoder, target, kind, joint) | _answer(
                study, estimate, joint.differ(), level
            )
        if kind == ACOUSTIC:
            mean = Joint(
                np.mean([joint.values for joint in own.values()], axis=0),
                np.mean([joint.influence for joint in own.values()], axis=0),
                trends.groups,
            )
            yield _row(study, encoder, ACOUSTICS, kind, mean) | _together(study, trends)


def _task(study: Study, encoder: Encoder, scores: Joint) -> dict:
    trend = _trends([scores])
    (estimate,), (level,) = trend.intervals(), _levels(trend, study)
    answer = _answer(study, estimate, scores.differ(), level)
    if _above_null(study, encoder, scores) is False:
        answer["direction"] = UNDECODABLE
    return answer


def _trends(curves: list[Joint]) -> Joint:
    """The trends of several curves of the same groups."""
    each = [joint.combined(thirds(len(joint.values))[:, None]) for joint in curves]
    return Joint(
        np.concatenate([trend.values for trend in each]),
        np.concatenate([trend.influence for trend in each], axis=1),
        each[0].groups,
    )


def _levels(trends: Joint, study: Study) -> list[float | None]:
    """P of the claim that a trend is within the margin, for each."""
    margin = study.settings["margin"]
    pairs = zip(trends.intervals(), trends.influence.T, strict=True)
    return [paired.equivalence_p(estimate, influence, margin) for estimate, influence in pairs]


def _together(study: Study, trends: Joint) -> dict:
    """The mean trend of the targets, with groups and targets as crossed random factors.

    So it holds for other groups and for other acoustic targets of the kind (Clark 1973, J. Verbal
    Learning and Verbal Behavior 12:335-359).
    """
    count = len(trends.values)
    mean = trends.combined(np.full((count, 1), 1 / count))
    (estimate,) = mean.intervals()
    if count < FEWEST_TARGETS:
        return _answer(study, Interval(estimate.value), None, None)
    spread = float(trends.values.std(ddof=1) / np.sqrt(count))
    estimate = estimate.beside(spread, count - 1)
    # the spread over targets enlarges the error, so t alone is on the safe side here
    (level,) = _levels(mean, study)
    if level is not None:
        level = max(level, paired.within_p(estimate, study.settings["margin"]))
    return _answer(study, estimate, True, level)


def _answer(study: Study, estimate: Interval, varies: bool | None, level: float | None) -> dict:
    margin, direction = study.settings["margin"], UNDETERMINED
    if estimate.error is None:
        direction = UNTESTED
    elif varies and estimate.low > 0 and estimate.value > margin:
        direction = RISES
    elif varies and estimate.high < 0 and estimate.value < -margin:
        direction = FALLS
    elif level is not None and level < paired.SIGNIFICANT:
        direction = LEVEL
    tested = bool(estimate.error)
    return {
        **estimate.bounds(),
        "error": estimate.error,
        "freedom": estimate.freedom,
        "p_value": paired.two_sided(estimate) if tested else None,
        "p_level": level,
        "varies": varies,
        "direction": direction,
    }


def _row(study: Study, encoder: Encoder, target: str, kind: str, joint: Joint) -> dict:
    size = third(len(encoder.curve))
    return {
        "encoder": encoder.name,
        "random_weights": encoder.untrained,
        "target": target,
        "kind": kind,
        "early": float(joint.values[:size].mean()),
        "late": float(joint.values[-size:].mean()),
        "readouts_each": size,
        "margin": study.settings["margin"],
        "n_clips": study.task["clips"],
        "n_groups": study.groups.n,
    }
