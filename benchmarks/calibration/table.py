"""All simulations, in the order of the printed table."""

from __future__ import annotations

from itertools import chain

from benchmarks.calibration import blocks, contrasts, crossvalidated, intervals, verdicts

SIMULATIONS = list(
    chain(
        verdicts.simulations(),
        verdicts.power(),
        intervals.simulations(),
        contrasts.simulations(),
        blocks.simulations(),
        crossvalidated.simulations(),
    )
)
