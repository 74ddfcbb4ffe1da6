"""Fusions: readouts made of all blocks of an encoder.

``concat`` is all blocks side by side; ``concat_pca`` is its principal components on the training
clips, as many as one block has columns, so that an effect of width is not mistaken for one of depth
(with fewer training clips than that, the two are equal); ``mean`` is the mean over blocks of a
clip's layer-normalised vectors, so that no block dominates by its scale; ``weighted`` is their
weighted sum with softmax weights learned on the training clips: the scalar mix of ELMo (Peters et
al. 2018, NAACL, section 3.2). A weight does not measure how important a block is.

``concat_avex`` is what avex calls all layers of a BEATs: the projected patch embedding and the
feed-forward branch of every block before its residual sum, side by side; none of the blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

from stratavox.encoders.sites import branches
from stratavox.probe import logistic, nested_cv
from stratavox.probe.readouts import matrix, refuse_straddling
from stratavox.probe.rotation import Rotation

FUSIONS = ("concat", "concat_pca", "mean", "weighted", "concat_avex")
# Sums over blocks, which must all have the same width.
SUMS = ("mean", "weighted")
EPSILON = 1e-5  # added to the variance of a vector, as torch's layer norm does
STEPS = 30  # of the search for weights; each step fits the head again
# The search ends when a step lowers the loss by a smaller share than this, or at a smaller slope.
STILL = 1e-5


@dataclass(frozen=True)
class Source:
    """A readout: its columns (``columns``), or the blocks that each fold mixes (``blocks``).

    ``columns`` (clips, width); ``blocks`` (blocks, clips, width), layer-normalised; ``components``
    limits a probe to so many principal components.
    """

    columns: np.ndarray | None = None
    blocks: np.ndarray | None = None
    components: int | None = None

    def of_clips(self, rows: np.ndarray) -> Source:
        """The same for the clips at ``rows``, ascending."""
        whole = self.columns if self.blocks is None else self.blocks[0]
        if len(rows) == len(whole):
            return self
        columns = None if self.columns is None else self.columns[rows]
        blocks = None if self.blocks is None else self.blocks[:, rows]
        return Source(columns, blocks, self.components)

    def of_fold(
        self, y: np.ndarray, group: np.ndarray | None, test: np.ndarray, settings: dict
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Columns (clips, width) for an outer fold, and the learned weights (blocks,) or None."""
        if self.blocks is None:
            return self.columns, None
        layer_weights = learned_weights(self.blocks, y, group, test, settings)
        return mixed(layer_weights, self.blocks), layer_weights


def members(readout: str, encoder: dict) -> list[str]:
    """The readouts that a fusion is made of; fewer than two where an encoder has no such fusion.

    ``encoder`` is its encoder.json.
    """
    if readout == "concat_avex":
        ffn = branches(encoder["readouts"]).get("ffn", [])
        return ["patch", *ffn] if ffn and "patch" in encoder["readouts"] else []
    blocks = encoder["blocks"]
    several = len({encoder["widths"][name] for name in blocks}) > 1
    return [] if several and readout in SUMS else blocks


def source(folder: Path, readout: str, blocks: list[str], clip_ids: list[str]) -> Source:
    """Read a readout of the encoder in ``folder``, or the ``blocks`` that a fusion is made of.

    ``blocks`` are those of `members`.
    """
    if readout not in FUSIONS:
        return Source(matrix(folder, readout, clip_ids))
    parts = [matrix(folder, name, clip_ids) for name in blocks]
    if readout in ("concat", "concat_avex"):
        return Source(np.hstack(parts))
    if readout == "concat_pca":
        return Source(np.hstack(parts), components=max(part.shape[1] for part in parts))
    normalised = np.stack([layer_normalised(part) for part in parts])
    if readout == "mean":
        return Source(normalised.mean(axis=0))
    return Source(blocks=normalised)


def layer_normalised(x: np.ndarray) -> np.ndarray:
    """Each row of ``x`` (clips, width) with mean 0 and variance 1."""
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + EPSILON)


def mixed(weights: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """The weighted sum (clips, width) of ``blocks`` (blocks, clips, width)."""
    return np.tensordot(weights.astype(np.float32), blocks, 1)


def learned_weights(
    blocks: np.ndarray,
    y: np.ndarray,
    group: np.ndarray | None,
    test: np.ndarray,
    settings: dict,
) -> np.ndarray:
    """Softmax weights (blocks,) with which a linear head predicts the training clips best.

    Arguments as in `nested_cv.outer_fold`, for ``blocks`` (blocks, clips, width). Weights and head
    are learned together: the loss of a set of weights is that of its best head, found exactly, and
    its slope the slope at that head (variable projection; Golub & Pereyra 1973, SIAM J. Numer.
    Anal. 10:413-432). The head's C is the one that the inner folds choose for equal weights.
    """
    refuse_straddling(group, test)
    classes, y = np.unique(y[~test], return_inverse=True)
    inner = None if group is None else group[~test]
    # columns are scaled by their spread in the equal mixture, whatever the weights
    x = np.compress(~test, blocks, axis=1)
    x -= x.mean(axis=1, keepdims=True)
    spread = x.mean(axis=0).std(axis=0)
    x /= np.where(spread > EPSILON, spread, np.float32(np.inf))
    count, n, width = x.shape
    every = np.ones(n, dtype=bool)
    equal = Rotation.of(x.mean(axis=0), every, standardise=False)
    c = nested_cv.choose_c(equal.train, y, inner, settings).c
    penalty = (2 if len(classes) == 2 else 1) / (c * n)
    truth = np.eye(len(classes))[y]
    flat = x.reshape(count, -1)
    alike = (flat @ flat.T).astype(np.float64) / flat.shape[1]

    def loss(scores: np.ndarray) -> tuple[float, np.ndarray]:
        weights = softmax(scores)
        # ELMo's scale, here for a mixture of mean square 1: otherwise the penalty would favour few
        # blocks, as their sum is larger
        square = weights @ alike @ weights
        scale = 1 / np.sqrt(square)
        rotation = Rotation.of(mixed(scale * weights, x), every, standardise=False)
        fit = logistic.fit(rotation.train, y[None], len(classes), c, tolerance=nested_cv.ROUGH)
        log_p = fit.log_probabilities(rotation.train)[0].T.astype(np.float64)
        value = -np.mean(log_p[np.arange(n), y]) + penalty / 2 * np.sum(np.square(fit.weights))
        head = rotation.axes @ fit.weights[0].T
        logits = (x.reshape(-1, width) @ head).reshape(count, n, -1)
        slope = scale * np.einsum("nk,bnk->b", np.exp(log_p) - truth, logits) / n
        slope -= weights @ slope * (alike @ weights) / square  # and so weights @ slope is 0
        return value, weights * slope

    solution = minimize(
        loss,
        np.zeros(count),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": STEPS, "ftol": STILL, "gtol": STILL},
    )
    return softmax(solution.x)
