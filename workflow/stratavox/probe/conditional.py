"""Stage: what a block adds to the acoustic descriptors about the labels, and the reverse.

Reads the readouts of one encoder, the acoustic descriptors and the shared folds; writes out-of-fold
predictions (columns of probe.linear) of linear probes on the descriptors alone (``acoustics``), on
the descriptors and what is added by the last block (``acoustics+{block}``), and on the last block
and what is added by the descriptors (``{block}+acoustics``). The gain in log-probability over the
first part alone is conditional usable information (Hewitt et al. 2021, EMNLP, section 3). Only the
strictest regime is probed.

The second part enters as the residual of a ridge regression on the first, cross-fitted as in
Chernozhukov et al. 2018 (Econom. J. 21:C1, section 1): what the first part predicts of it is not
added. The block is predicted from the descriptors, their squares and products, as a curve of them
is not something new. Each part has a penalty of its own; that of the first is chosen without the
second, so that a gain does not come from another penalty.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from stratavox import tables
from stratavox.probe import descriptors, logistic, nested_cv, ridge
from stratavox.probe.metrics import of_the_label
from stratavox.probe.readouts import clips_of, matrix, strictest
from stratavox.probe.repeats import Repeat, repeats
from stratavox.probe.rotation import Rotation
from stratavox.probe.workers import of_each_readout
from stratavox.stage import Job

ALONE = "acoustics"


def run(job: Job) -> None:
    encoder, folder = tables.read_json(job.input.encoder), job.input.encoder.parent
    folds = strictest(tables.read_table(job.input.folds))
    described = descriptors.read(job.input.acoustics, clips_of(folds)[0])
    last = encoder["blocks"][-1]
    arguments = {name: (folder, name, described, folds, job.settings) for name in (ALONE, last)}
    probed = of_each_readout(f"acoustics and {encoder['encoder']}", probes, arguments, job.threads)
    tables.write_table(pa.concat_tables(probed.values()), job.output.predictions, job.provenance)


def probes(
    folder: Path, readout: str, described: pd.DataFrame, folds: pa.Table, settings: dict
) -> pa.Table:
    """Predictions of both probes on ``described`` and a readout, or on ``described`` alone."""
    clip_ids, _ = clips_of(folds)
    alone = readout == ALONE
    block = None if alone else matrix(folder, readout, clip_ids)
    names = [ALONE] if alone else [f"{readout}+{ALONE}", f"{ALONE}+{readout}"]
    return pa.concat_tables(
        _predictions(names, described, block, repeat, clip_ids, settings)
        for repeat in repeats(folds, clip_ids)
    )


def _predictions(
    names: list[str],
    described: pd.DataFrame,
    block: np.ndarray | None,
    repeat: Repeat,
    clip_ids: list[str],
    settings: dict,
) -> pa.Table:
    """Out-of-fold predictions, by the name of each probe, in one repeat of the folds."""
    labels, y = np.unique(repeat.target, return_inverse=True)
    predicted = np.zeros((len(names), len(y)), dtype=np.int64)
    log_p = np.zeros(predicted.shape)
    for k in range(repeat.fold.max() + 1):
        test = repeat.fold == k
        probe = on_descriptors if block is None else on_both
        given = [described] if block is None else [described, block]
        predicted[:, test], log_p[:, test] = probe(*given, y, repeat.apart, test, settings)
    return pa.concat_tables(
        repeat.predictions(
            {"readout": name, "probe": "linear", "control": "none"}, clip_ids, labels[own], log_own
        )
        for name, own, log_own in zip(names, predicted, log_p, strict=True)
    )


def on_descriptors(
    described: pd.DataFrame,
    target: np.ndarray,
    group: np.ndarray | None,
    test: np.ndarray,
    settings: dict,
) -> tuple[np.ndarray, np.ndarray]:
    """Class and log-probability of the label (tested clips,), from the descriptors alone.

    The arguments are as in `on_both`.
    """
    columns = descriptors.complete(described, ~test)
    outer, _ = nested_cv.outer_fold(columns, target, group, test, settings)
    return outer.predicted, outer.log_probability


def on_both(
    described: pd.DataFrame,
    block: np.ndarray,
    target: np.ndarray,
    group: np.ndarray | None,
    test: np.ndarray,
    settings: dict,
) -> tuple[np.ndarray, np.ndarray]:
    """Classes and log-probabilities of the labels (2, tested clips), of two probes on two parts.

    The first is that of ``block`` (clips, width) and what the descriptors add, the second that of
    the descriptors and what the block adds. ``described`` (clips, descriptors) has columns of
    `corpus.targets.TARGETS`, NaN where undefined; ``target`` (clips,) class numbers; ``group``
    (clips,) is what the folds keep on one side, None where it is the clip; ``test`` (clips,) bool;
    ``settings`` inner_folds, c_grid and seed.
    """
    train = ~test
    columns = descriptors.complete(described, train)
    first, second = np.triu_indices(columns.shape[1])
    curves = np.hstack([columns, columns[:, first] * columns[:, second]])
    own, of_descriptors = _axes(block, train), _axes(columns, train)
    folds = group, test, settings
    lacking = _residual(of_descriptors, block, *folds), _residual(own, curves, *folds)
    beside = _with_residual(own, lacking[0], target, *folds)
    after = _with_residual(of_descriptors, lacking[1], target, *folds)
    predicted, log_p = zip(beside, after, strict=True)
    return np.array(predicted), np.array(log_p)


def _axes(x: np.ndarray, train: np.ndarray, standardise: bool = True) -> np.ndarray:
    """``x`` (clips, width) on the principal axes of its clips ``train`` (clips, rank)."""
    return Rotation.of(x, train, standardise).apply(x)


def _residual(
    part: np.ndarray,
    predictors: np.ndarray,
    group: np.ndarray | None,
    test: np.ndarray,
    settings: dict,
) -> np.ndarray:
    """What ``predictors`` (clips, columns) do not predict of a part (clips, rank), on axes.

    It is not standardised again: where it is nearly 0, as the part is predicted, it stays so.
    """
    left = part - ridge.cross_fitted(predictors, part, group, test, settings)
    return _axes(left, ~test, standardise=False)


def _with_residual(
    base: np.ndarray,
    residual: np.ndarray,
    target: np.ndarray,
    group: np.ndarray | None,
    test: np.ndarray,
    settings: dict,
) -> tuple[np.ndarray, np.ndarray]:
    """Class and log-probability of the label, from one part and what it lacks of the other."""
    train = ~test
    classes, y = np.unique(target[train], return_inverse=True)
    apart = None if group is None else group[train]
    c = nested_cv.choose_c(base[train], y, apart, settings).c
    scale = _scale(base[train], residual[train], y, apart, c, settings)
    x = np.hstack([base, scale * residual])
    fit = logistic.fit(x[train], y[None], len(classes), c)
    log_p = fit.log_probabilities(x[test])[0]
    return classes[log_p.argmax(axis=0)], of_the_label(log_p.T, classes, target[test])


def _scale(
    base: np.ndarray,
    residual: np.ndarray,
    y: np.ndarray,
    group: np.ndarray | None,
    c: float,
    settings: dict,
) -> np.float32:
    """What multiplies ``residual`` (clips, rank) beside ``base`` at ``c``; 0 leaves it out.

    By sqrt(d / c) its penalty becomes that of a C of d. The d with the least held-out log-loss is
    taken from 0 and the grid of C.
    """
    inner = nested_cv.Inner.of(y, group, settings)
    scales = np.sqrt(np.array([0.0, *sorted(settings["c_grid"])]) / c).astype(np.float32)
    losses: list[float] = []
    fits, last = None, np.float32(0)
    for scale in scales:
        if fits is not None:
            # the next fit begins where this one ended: weight times scale is as before
            fits.weights[..., base.shape[1] :] *= last / scale
        loss, fits = inner.fit(np.hstack([base, scale * residual]), c, fits)
        losses.append(loss)
        last = scale
        if nested_cv.rises(losses):
            break
    return scales[int(np.argmin(losses))]
