"""How far a clip is from the training clips, and from where on it is unlike all of them.

A linear probe alone is sure of its class for any sound that is far from all classes. So the mean
distance to the `NEAREST` nearest training clips is given (Angiulli & Pizzuti 2002, PKDD, LNCS
2431:15-27; on features of deep networks: Sun et al. 2022, ICML, PMLR 162:20827-20840). It is a
Mahalanobis distance, as of Lee et al. 2018 (NeurIPS 31): what gives a strange sound away is that it
lies off the few directions in which training clips differ. Their covariance is that of standardised
columns, shrunk as by Ledoit & Wolf 2004 (J. Multivariate Anal. 88:365-411), since there are often
fewer clips than columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.covariance import ledoit_wolf

NEAREST = 5
# A clip beyond this share of the held-out clips' distances is unlike the training clips.
QUANTILE = 0.99
ROWS = 1024


@dataclass(frozen=True)
class Neighbours:
    """Training clips in whitened axes.

    ``centre`` (width,) is subtracted from a readout, ``axes`` (width, width) whiten it;
    ``reference`` (clips, width) are the training clips so.
    """

    centre: np.ndarray
    axes: np.ndarray
    reference: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray) -> Neighbours:
        """The training clips ``x`` (clips, width)."""
        x = x.astype(np.float64)
        centre, deviation = x.mean(axis=0), x.std(axis=0)
        constant = deviation <= 1e-7 * np.abs(centre)
        scale = 1 / np.where(constant, np.inf, deviation)
        covariance, _ = ledoit_wolf((x - centre) * scale, assume_centered=True)
        power, vectors = np.linalg.eigh(covariance)
        axes = scale[:, None] * vectors / np.sqrt(power)
        reference = (x - centre) @ axes
        return cls(*(part.astype(np.float32) for part in (centre, axes, reference)))

    def distances(self, x: np.ndarray) -> np.ndarray:
        """Mean distance (clips,) of readouts ``x`` (clips, width) to the nearest training clips.

        It is divided by the root of the width, so that widths compare.
        """
        count = min(NEAREST, len(self.reference))
        power = np.einsum("nw,nw->n", self.reference, self.reference)
        means = np.empty(len(x))
        for start in range(0, len(x), ROWS):
            z = (x[start : start + ROWS] - self.centre) @ self.axes
            squares = np.einsum("nw,nw->n", z, z)[:, None] + power - 2 * (z @ self.reference.T)
            nearest = np.partition(squares, count - 1, axis=1)[:, :count]
            means[start : start + ROWS] = np.sqrt(nearest.clip(min=0)).mean(axis=1)
        return means / np.sqrt(x.shape[1])


def held_out(x: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Distances (tested clips,) of clips with a ``fold`` (clips,) of 0 or more to all others.

    Axes too are those of the other clips: with its own group in the axes, a clip would seem near.
    """
    distances = np.empty(len(x))
    for number in range(fold.max() + 1):
        test = fold == number
        distances[test] = Neighbours.of(x[~test]).distances(x[test])
    return distances[fold >= 0]


def limit(held_out: np.ndarray) -> float:
    """The distance beyond which a clip is unlike the training clips."""
    return float(np.quantile(held_out, QUANTILE))


def flagged(held_out: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Whether a held-out clip (clips,) is beyond the limit that the other parts give.

    ``part`` (clips,) are sets of whole groups; with one part alone no clip is flagged.
    """
    flags = np.zeros(len(part), dtype=bool)
    for name in np.unique(part) if len(np.unique(part)) > 1 else ():
        here = part == name
        flags[here] = held_out[here] > limit(held_out[~here])
    return flags
