"""The search for the penalty, and what the readouts of a task share."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from stratavox.probe import nested_cv
from stratavox.probe.once import once

GRID = [0.001, 0.01, 0.1, 1.0, 10.0]


def search(losses: dict[float, float], loose: dict[float, float]) -> tuple:
    """The choice on `GRID` where losses are these, ``loose`` after an early end, and the fits."""
    fitted = []

    def fit(c, start, tolerance):
        fitted.append((c, tolerance))
        own = loose if tolerance == nested_cv.LOOSE else losses
        return own[c], SimpleNamespace(converged=np.array([True]))

    return nested_cv.least_of(GRID, fit), fitted


def test_a_fit_that_shows_the_second_rise_ends_early():
    losses = dict(zip(GRID, (3.0, 1.0, 2.0, 4.0, 5.0), strict=True))
    chosen, fitted = search(losses, losses)
    rough = [(c, nested_cv.ROUGH) for c in GRID[:3]]
    assert fitted == [*rough, (1.0, nested_cv.LOOSE)]
    assert 0.001 < chosen.c < 0.1
    assert chosen.log_loss == 1.0


def test_a_dip_after_a_rise_is_fitted_to_the_end():
    losses = dict(zip(GRID, (3.0, 1.0, 2.0, 0.5, 5.0), strict=True))
    chosen, fitted = search(losses, losses | {1.0: 0.7})
    assert (1.0, nested_cv.ROUGH) in fitted
    assert chosen.log_loss == 0.5
    assert not chosen.at_edge


def test_a_dip_that_was_none_ends_the_search():
    losses = dict(zip(GRID, (3.0, 1.0, 2.0, 1.5, 0.1), strict=True))
    chosen, fitted = search(losses, losses | {1.0: 0.7})
    assert fitted[-1] == (1.0, nested_cv.ROUGH)
    assert chosen.log_loss == 1.0


def test_what_readouts_share_is_computed_once():
    calls = []

    @once
    def doubled(values: np.ndarray, name: str) -> np.ndarray:
        calls.append(name)
        return 2 * values

    values = np.arange(3)
    assert doubled(values, "a") is doubled(values.copy(), "a")
    assert doubled(np.arange(4), "a").tolist() == [0, 2, 4, 6]
    assert doubled(values.astype(float), "b").dtype == float
    assert calls == ["a", "a", "b"]
