"""All simulations, in the order of the printed table."""

from __future__ import annotations

from benchmarks.calibration import intervals

SIMULATIONS = [simulation for part in (intervals,) for simulation in part.simulations()]
