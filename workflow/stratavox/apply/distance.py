"""How far a clip is from the training clips, and from where on it is unlike all of them.

The mean Euclidean distance to the `NEAREST` nearest training clips in standardised columns: the
distance of Angiulli & Pizzuti 2002 (PKDD, LNCS 2431:15-27), used for features of deep networks as
in Sun et al. 2022 (ICML, PMLR 162:20827-20840). It is divided by the root of the width: 1 is then
a difference of one standard deviation in every column. A linear probe alone is sure of its class
for any sound far from all classes; this distance is large there.
"""

from __future__ import annotations

import numpy as np

NEAREST = 5
# A clip beyond this share of held-out clips' distances is unlike the training clips.
QUANTILE = 0.99
ROWS = 1024


def distances(
    x: np.ndarray,
    reference: np.ndarray,
    unit: np.ndarray | None = None,
    of_reference: np.ndarray | None = None,
) -> np.ndarray:
    """Mean distance (clips,) of ``x`` (clips, width) to its nearest of ``reference`` (n, width).

    With ``unit`` (clips,) and ``of_reference`` (n,), clips of one unit are no neighbours. A clip
    without a neighbour is infinitely far.
    """
    power = np.einsum("nw,nw->n", reference, reference)
    means = np.empty(len(x))
    for start in range(0, len(x), ROWS):
        rows = slice(start, start + ROWS)
        squares = np.einsum("nw,nw->n", x[rows], x[rows])[:, None] + power
        squares -= 2 * (x[rows] @ reference.T)
        if unit is not None:
            squares[unit[rows][:, None] == of_reference] = np.inf
        count = min(NEAREST, len(reference))
        nearest = np.sort(np.partition(squares, count - 1, axis=1)[:, :count], axis=1)
        there = np.isfinite(nearest)
        roots = np.sqrt(np.where(there, nearest, 0).clip(min=0))
        with np.errstate(divide="ignore"):
            means[rows] = np.where(there.any(axis=1), 0, np.inf)
            means[rows] += roots.sum(axis=1) / there.sum(axis=1).clip(min=1)
    return means / np.sqrt(x.shape[1])


def held_out(x: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Distance (clips,) of each training clip to those of the other units.

    ``x`` (clips, width) is standardised; ``unit`` (clips,) is the group, or what takes its place.
    """
    return distances(x, x, unit, unit)


def limit(held_out: np.ndarray) -> float:
    """The distance beyond which a clip is unlike the training clips."""
    return float(np.quantile(held_out[np.isfinite(held_out)], QUANTILE))


def flagged(held_out: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Whether each training clip (clips,) is beyond the limit of the other parts.

    ``part`` (clips,) are sets of whole units.
    """
    flags = np.zeros(len(part), dtype=bool)
    for name in np.unique(part) if len(np.unique(part)) > 1 else ():
        here = part == name
        flags[here] = held_out[here] > limit(held_out[~here])
    return flags
