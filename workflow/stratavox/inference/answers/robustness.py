"""The order of acoustics and task by three other definitions of depth: it never decides.

A reader sees whether the verdict depends on the definition of the trend. The three are known to
mislead: a centre of gravity makes structure of noise, and each is pulled to the middle by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from stratavox.corpus.targets import NUISANCE
from stratavox.inference.answers.trends import decodable, explained
from stratavox.inference.groups import LEVEL
from stratavox.inference.measures import centre, depth_correlation, expected_depth
from stratavox.inference.study import Encoder, Key, Study
from stratavox.inference.verdicts import REFUTED, SUPPORTED, UNDETERMINED

RESAMPLES = 1000
CORRELATION = "rank correlation with depth"
# Curves (draws, readouts) and their zero to values (draws,).
DEFINITIONS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "centre of gravity": centre,
    "expected depth of the gain": lambda scores, chance: expected_depth(scores),
    CORRELATION: lambda scores, chance: depth_correlation(scores),
}


def rows(study: Study) -> list[dict]:
    """A row for each encoder and definition: the value of the task, and of the acoustic targets.

    Intervals are quantiles of resamples of groups (Efron & Tibshirani 1993, chapter 13), as the
    definitions are not smooth.
    """
    return [
        row
        for encoder in study.encoders
        if len(encoder.curve) > 2 and decodable(study, encoder)
        for row in _of_encoder(study, encoder)
    ]


def _of_encoder(study: Study, encoder: Encoder) -> Iterator[dict]:
    generator = np.random.default_rng(0)
    n = study.groups.n
    weights = generator.multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(float)
    weights = np.vstack([np.ones(n), weights])

    def scores(curve) -> np.ndarray:
        return np.nan_to_num(np.stack([score(weights) for score in curve], axis=1))

    own = scores([study.correct[Key(encoder.name, name)] for name in encoder.curve])
    targets = [
        scores(curve)
        for target, curve in explained(study, encoder).items()
        if target not in NUISANCE
    ]
    if not targets:
        return
    for name, definition in DEFINITIONS.items():
        task = definition(own, study.chance)
        acoustic = np.stack([definition(target, 0.0) for target in targets])
        defined = np.isfinite(acoustic)
        total = np.where(defined, acoustic, 0).sum(axis=0)
        acoustics = np.divide(
            total, defined.sum(axis=0), out=np.full(len(total), np.nan), where=defined.any(axis=0)
        )
        apart = task - acoustics
        low, high = _bounds(apart)
        verdict = UNDETERMINED
        if name == CORRELATION:
            (task_low, task_high), (acoustic_low, acoustic_high) = _bounds(task), _bounds(acoustics)
            if task_low > 0 > acoustic_high:
                verdict = SUPPORTED
            elif task_high < 0 or acoustic_low > 0:
                verdict = REFUTED
        elif low > 0:
            verdict = SUPPORTED
        elif high < 0:
            verdict = REFUTED
        yield {
            "encoder": encoder.name,
            "definition": name,
            "task": _known(task[0]),
            "acoustics": _known(acoustics[0]),
            "difference": _known(apart[0]),
            "low": _known(low),
            "high": _known(high),
            "verdict": verdict,
            "n_targets": len(targets),
            "n_groups": n,
        }


def _bounds(values: np.ndarray) -> tuple[float, float]:
    """Quantiles over resamples; not a number where a value is undefined in the data itself."""
    known = values[np.isfinite(values)]
    if not np.isfinite(values[0]) or not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
