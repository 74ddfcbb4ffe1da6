"""L-BFGS for many problems of one shape at once, each with its own line search and stop.

Nocedal & Wright 2006, Numerical Optimization, section 7.2, with every vector a row of a batch: all
problems share one evaluation, and a problem that has converged leaves the batch.
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
    history = _History.empty(x)
    for _ in range(STEPS):
        gap = 0.5 * _dot(gradient, gradient)
        done = (gap <= tolerance) | (length < SHORTEST)
        if done.any():
            ended[active[done]], gaps[active[done]] = x[done], gap[done]
            stay = ~done
            active, x, value, gradient = active[stay], x[stay], value[stay], gradient[stay]
            direction, length, slope = direction[stay], length[stay], slope[stay]
            scale = scale[stay]
            history = history.of(stay)
        if not len(active):
            return ended, gaps
        step = direction if (length == 1).all() else length[:, None] * direction
        trial = x + step
        new_value, new_gradient = loss(trial, active)
        rounding = SLACK * np.maximum(1, np.abs(value))
        taken = new_value <= value + ARMIJO * length * slope + rounding
        change = new_gradient - gradient
        # a pair that a problem cannot use is 0 there
        bend = np.maximum(0, np.where(taken, _dot(step, change), 0))
        curved = bend > 0
        np.divide(bend, _dot(change, change), out=scale, where=curved)
        inverse = np.divide(1, bend, out=bend, where=curved)
        history.add(step, change, np.sqrt(inverse))
        if taken.all():
            x, value, gradient = trial, new_value, new_gradient
            direction = history.towards(gradient, scale)
            slope = _dot(direction, gradient)
            length.fill(1)
            continue
        x[taken], value[taken], gradient[taken] = (
            trial[taken],
            new_value[taken],
            new_gradient[taken],
        )
        moved = history.towards(gradient, scale)
        direction[taken], slope[taken] = moved[taken], _dot(moved, gradient)[taken]
        rise = new_value - value - length * slope
        # the minimum of the parabola through the place, its slope and the trial
        parabola = -0.5 * slope * length / np.where(rise > 0, rise, np.inf)
        length = np.where(taken, 1, length * np.clip(parabola, 0.1, 0.5)).astype(np.float32)
    ended[active], gaps[active] = x, 0.5 * _dot(gradient, gradient)
    return ended, gaps


class _History:
    """The last pairs of steps and changes of the gradient, and the direction that they give.

    ``pairs`` (problems, 2 * MEMORY, width) are the steps, then the changes, so scaled that the
    product of a step and its change is 1. ``inverse`` (problems, MEMORY, MEMORY) is that of the
    matrix of the products of each step with its own and all later changes, and ``square`` of the
    same shape has the products of the changes.
    """

    def __init__(self, pairs: np.ndarray, inverse: np.ndarray, square: np.ndarray, added: int):
        self.pairs, self.inverse, self.square, self.added = pairs, inverse, square, added

    @classmethod
    def empty(cls, x: np.ndarray) -> _History:
        problems, width = x.shape
        pairs = np.zeros((problems, 2 * MEMORY, width), x.dtype)
        return cls(pairs, *np.zeros((2, problems, MEMORY, MEMORY)), 0)

    def of(self, problems: np.ndarray) -> _History:
        """That of some problems."""
        arrays = (self.pairs, self.inverse, self.square)
        return _History(*(array[problems] for array in arrays), self.added)

    def add(self, step: np.ndarray, change: np.ndarray, scale: np.ndarray) -> None:
        """Take a pair (problems, width) in place of the oldest; of ``scale`` 0 where of no use."""
        place = self.added % MEMORY
        self.added += 1
        newest = self.pairs[:, MEMORY + place]
        np.multiply(step, scale[:, None], out=self.pairs[:, place])
        np.multiply(change, scale[:, None], out=newest)
        products = np.matvec(self.pairs, newest)
        self.square[:, :, place] = self.square[:, place] = products[:, MEMORY:]
        # without its first row and column an upper triangle has the inverse without these
        self.inverse[:, place] = self.inverse[:, :, place] = 0
        self.inverse[:, :, place] = -np.matvec(self.inverse, products[:, :MEMORY])
        self.inverse[:, place, place] = 1

    def towards(self, gradient: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """The direction (problems, width).

        By the compact form of the matrix (Byrd, Nocedal & Schnabel 1994, Math Program 63:129,
        theorem 2.2): a few large products in place of many small ones.
        """
        scale = scale[:, None]
        times = np.matvec(self.pairs, gradient)
        of_change = np.matvec(self.inverse, times[:, :MEMORY])
        right = of_change + scale * (np.matvec(self.square, of_change) - times[:, MEMORY:])
        of_step = np.matvec(self.inverse.swapaxes(1, 2), right)
        parts = np.concatenate([-of_step, scale * of_change], axis=1, dtype=gradient.dtype)
        return np.matvec(self.pairs.swapaxes(1, 2), parts) - scale * gradient


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.vecdot(a, b)
