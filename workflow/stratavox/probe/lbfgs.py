"""L-BFGS for many problems of one shape at once, each with its own line search and stop.

Nocedal & Wright 2006, Numerical Optimization, algorithm 7.4, with every vector a row of a batch:
all problems share one evaluation, and a problem that has converged leaves the batch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

STEPS = 1000
MEMORY = 10
ARMIJO = 1e-4
SHORTEST = 1e-6  # where a line search ends: float32 cannot resolve shorter steps
SLACK = 1e-6  # a rise of a loss below this is rounding, relative to the loss or to 1

Loss = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def minimise(loss: Loss, first: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Minimise convex losses from ``first`` (problems, width); returns places and their gaps.

    ``loss(places, problems)`` gives values (b,) and gradients (b, width) of the problems numbered
    ``problems`` at ``places`` (b, width), scaled so that the Hessian is near the identity. Half the
    squared norm of the gradient then estimates how far a loss is above its minimum: the gap
    (problems,). A problem stops at a gap of ``tolerance``; one that ends above it did not converge.
    """
    ended, gaps = first.copy(), np.full(len(first), np.inf)
    active = np.arange(len(first))
    x = first.copy()
    value, gradient = loss(x, active)
    direction, length = -gradient, np.ones(len(x), np.float32)
    slope = -_dot(gradient, gradient)
    scale = np.ones(len(x), np.float32)
    history: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for _ in range(STEPS):
        gap = 0.5 * _dot(gradient, gradient)
        done = (gap <= tolerance) | (length < SHORTEST)
        if done.any():
            ended[active[done]], gaps[active[done]] = x[done], gap[done]
            stay = ~done
            active, x, value, gradient = active[stay], x[stay], value[stay], gradient[stay]
            direction, length, slope = direction[stay], length[stay], slope[stay]
            scale = scale[stay]
            history = [(s[stay], y[stay], rho[stay]) for s, y, rho in history]
        if not len(active):
            return ended, gaps
        step = length[:, None] * direction
        trial = x + step
        new_value, new_gradient = loss(trial, active)
        rounding = SLACK * np.maximum(1, np.abs(value))
        taken = new_value <= value + ARMIJO * length * slope + rounding
        change = new_gradient - gradient
        bend = np.where(taken, _dot(step, change), 0)
        curved = bend > 0
        # a pair that a problem cannot use has weight 0 there
        inverse = np.divide(1, bend, out=np.zeros_like(bend), where=curved)
        stretch = np.divide(bend, _dot(change, change), out=scale.copy(), where=curved)
        scale = np.where(curved, stretch, scale).astype(np.float32)
        history.append((step, change, inverse.astype(np.float32)))
        del history[:-MEMORY]
        if taken.all():
            x, value, gradient = trial, new_value, new_gradient
            direction = _towards(history, gradient, scale)
            slope, length = _dot(direction, gradient), np.ones_like(length)
            continue
        x[taken], value[taken], gradient[taken] = (
            trial[taken],
            new_value[taken],
            new_gradient[taken],
        )
        moved = _towards(history, gradient, scale)
        direction[taken], slope[taken] = moved[taken], _dot(moved, gradient)[taken]
        rise = new_value - value - length * slope
        # the minimum of the parabola through the place, its slope and the trial
        parabola = -0.5 * slope * length / np.where(rise > 0, rise, np.inf)
        length = np.where(taken, 1, length * np.clip(parabola, 0.1, 0.5)).astype(np.float32)
    ended[active], gaps[active] = x, 0.5 * _dot(gradient, gradient)
    return ended, gaps


def _towards(history: list, gradient: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The direction (problems, width) of the two-loop recursion."""
    q = -gradient
    alphas = []
    for s, y, rho in reversed(history):
        alphas.append(rho * _dot(s, q))
        q -= alphas[-1][:, None] * y
    q *= scale[:, None]
    for (s, y, rho), alpha in zip(history, reversed(alphas), strict=True):
        q += (alpha - rho * _dot(y, q))[:, None] * s
    return q


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.vecdot(a, b)
