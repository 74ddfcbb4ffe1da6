"""All simulations, in the order of the printed table."""

from __future__ import annotations

from itertools import chain

from benchmarks.calibration import intervals, verdicts

SIMULATIONS = list(
    chain(
        verdicts.simulations(),
        verdicts.power(),
        intervals.simulations(),
    )
)
