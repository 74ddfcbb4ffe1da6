"""All simulations, in the order of the printed table."""

from __future__ import annotations

from itertools import chain

from benchmarks.calibration import (
    bits,
    blocks,
    contrasts,
    crossvalidated,
    default_run,
    intervals,
    nulls,
    numbers,
    recommendation,
    sets,
    verdicts,
)

SIMULATIONS = list(
    chain(
        default_run.simulations(),
        verdicts.simulations(),
        verdicts.power(),
        intervals.simulations(),
        crossvalidated.simulations(),
        contrasts.simulations(),
        blocks.simulations(),
        nulls.simulations(),
        bits.simulations(),
        recommendation.simulations(),
        numbers.simulations(),
        sets.simulations(),
    )
)
