"""Claims in worlds whose truth is known: a small version of `python -m benchmarks.calibration`."""

import numpy as np
import pytest
from benchmarks.calibration import (
    blocks,
    contrasts,
    intervals,
    numbers,
    permuted,
    recommendation,
    sets,
    verdicts,
)
from benchmarks.calibration.simulation import (
    COVERAGE,
    Measured,
    Row,
    Simulation,
    at_most,
    column,
    each,
)

PARTS = [
    *(verdicts.simulations, verdicts.power, intervals.simulations, contrasts.simulations),
    *(blocks.simulations, permuted.simulations, recommendation.simulations),
    *(numbers.simulations, sets.simulations),
]
SIMULATIONS = {one.setting: one for part in PARTS for one in part()}
# Settings that intervals, tests or verdicts of an earlier version did not hold in.
FEW_RUNS = {
    "task at chance, acoustics early, 12 uneven groups": 20,
    "task flat at .60, acoustics early, 20 uneven groups": 20,
    "task and acoustics late, task .25-.55, 6 even groups": 20,
    "task rises .25-.55, acoustics of any trend, 12 uneven groups": 20,
    "task rises and acoustics fall by 0.2, 20 even groups": 20,
    "6 groups, each group all 3 classes": 150,
    "15 groups, each group one of 3 classes": 150,
    "truth 0.99, 6 groups of 20 clips, sd of logits 1.5": 300,
    "nested, 5, 5, 5, 5 groups of a class": 300,
    "one of 4 classes in 5 of 20 groups": 300,
    "groups' differences have sd .04, 12 groups": 60,
    "they differ by .02, only a fifth of the groups differ, 12 groups": 60,
    "it is one more random draw beside 5 twins, 20 groups": 60,
    "its order is one more draw beside 3 twins, 12 groups": 10,
    "blocks rise .50 to .80, 12 groups": 40,
    "5 encoders of noise, 12 groups": 6,
    "12 groups, 90% of the target of groups, log errors of groups with sd 0.25": 300,
    "no signal, 12 groups with signatures, 30% of the target of groups": 10,
    "12 groups, classes 1.0 apart, sd 1.0 of groups": 150,
    "12 uneven groups, rare classes, sd 1.0 of groups": 150,
    "no signal, 12 sites with signatures and shares of classes of their own": 8,
}


@pytest.mark.parametrize("setting, runs", FEW_RUNS.items())
def test_claims_are_as_often_false_as_they_may_be(setting, runs):
    simulation = SIMULATIONS[setting]
    records = simulation.records(range(runs))
    for row in simulation.rows:
        measured = Measured.of(row, records)
        assert measured.runs > 0.8 * runs
        if row.bound is COVERAGE:
            # so few runs that the bound of 300 would often fail by chance
            assert measured.value >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / measured.runs)
        else:
            assert measured.ok, f"{row.claim}: {measured.value:.3f} +- {measured.error:.3f}"


@pytest.mark.parametrize(
    "setting", ["nested, 2, 15 groups of a class", "one of 4 classes in 2 of 40 groups"]
)
def test_a_class_in_two_groups_has_a_range_and_no_interval(setting):
    simulation = SIMULATIONS[setting]
    measured = Measured.of(simulation.rows[0], simulation.records(range(20)))
    assert (measured.runs, measured.verdict) == (0, "range over groups")


def test_a_rate_above_the_nominal_one_is_not_ok():
    def once(generator):
        return {"false": float(generator.random() < 0.2)}

    row = Row("claim", at_most(0.05), column("false"))
    simulation = Simulation("a test that is false in a fifth of the runs", (row,), each(once))
    measured = Measured.of(row, simulation.records(range(300)))
    assert measured.value == pytest.approx(0.2, abs=0.1)
    assert measured.error == pytest.approx(np.sqrt(measured.value * (1 - measured.value) / 300))
    assert measured.verdict == "NOT OK"


def test_a_run_is_the_same_whatever_else_is_run():
    simulation = SIMULATIONS["truth 0.99, 6 groups of 20 clips, sd of logits 1.5"]
    assert simulation.records(range(5)) == simulation.records([0, 1]) + simulation.records(
        [2, 3, 4]
    )


def test_each_setting_occurs_once():
    """Runs are seeded by their setting."""
    made = sum(len(list(part())) for part in PARTS)
    assert made == len(SIMULATIONS)
