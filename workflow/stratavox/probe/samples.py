"""Stage: what a linear probe reaches with few labelled clips: 1, 2, 4, 8, ... of each class.

Reads the readouts of one encoder and the shared folds; writes, for each readout of its depth curve
(the only one of a baseline) and each number of clips, how many held-out clips of each group and
class were right. The clips are drawn from the training clips of each outer fold, so the held-out
groups stay held out. Only the strictest regime is probed.

Groups take turns within a class: 8 clips are of 8 groups where a class has so many. All readouts
and encoders have the same draws, and a larger sample of a draw holds the smaller ones. Columns are
standardised by all training clips, whose labels are not used: someone with few labels has many
clips without one.

The penalty is not chosen: one or two clips cannot choose it, and a choice by all training clips
would use labels that someone with few does not have. It is the same for all numbers of clips
(`LOGIT_VARIANCE`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from stratavox import columns, tables
from stratavox.probe import logistic
from stratavox.probe.readouts import clips_of, matrix, refuse_straddling, strictest
from stratavox.probe.repeats import Repeat, repeats
from stratavox.probe.rotation import Rotation
from stratavox.probe.workers import of_each_readout
from stratavox.stage import Job

# A penalty is a normal prior of the weights (Bishop 2006, Pattern Recognition and Machine Learning,
# section 4.5.1). C is such that, before any label is seen, the logits of clips have this variance:
# a weak prior, as probabilities of .04 and .96 are both within a standard deviation.
LOGIT_VARIANCE = 10
TOLERANCE = 1e-6  # of a fit's mean log-loss; one of 1e-9 moves a score by .001 at most
SCHEMA = columns.schema("samples/{encoder}/{dataset}/{task}.parquet")


def run(job: Job) -> None:
    encoder, folder = tables.read_json(job.input.encoder), job.input.encoder.parent
    folds, settings = strictest(tables.read_table(job.input.folds)), job.settings
    deep, readouts = encoder["blocks"], encoder["readouts"]
    curve = [name for name in readouts if not deep or name in ("input", *deep)]
    arguments = {
        name: (folder, name, folds, settings["samples"]["draws"], settings["seed"])
        for name in curve
    }
    title = f"samples of {encoder['encoder']}"
    probed = of_each_readout(title, probe_readout, arguments, job.threads)
    tables.write_table(pa.concat_tables(probed.values()), job.output.samples, job.provenance)


def probe_readout(folder: Path, readout: str, folds: pa.Table, draws: int, seed: int) -> pa.Table:
    """Clips that are right, summed by fold, group and class, at each number of clips a class."""
    clip_ids, _ = clips_of(folds)
    x = matrix(folder, readout, clip_ids)
    repeated = repeats(folds, clip_ids)
    sizes = ladder(repeated)
    parts = [
        _fold(x, readout, repeat, fold, sizes, draws, seed)
        for repeat in repeated
        for fold in range(repeat.fold.max() + 1)
    ]
    return pa.concat_tables(parts)


def ladder(repeated: list[Repeat]) -> list[int]:
    """1, 2, 4, ... up to the fewest clips that any class has in any training set."""
    fewest = []
    for repeat in repeated:
        labels, y = np.unique(repeat.target, return_inverse=True)
        for fold in range(repeat.fold.max() + 1):
            fewest.append(np.bincount(y[repeat.fold != fold], minlength=len(labels)).min())
    return [2**power for power in range(int(min(fewest)).bit_length())]


def places(y: np.ndarray, group: np.ndarray | None, generator: np.random.Generator) -> np.ndarray:
    """When each clip (clips,) is drawn among those of its class in ``y``, from 0.

    Clips are in random order, but no group gives a second clip of a class before all others have
    given one, and so on. ``group`` (clips,) are numbers, or None where they are unknown.
    """
    order = generator.permutation(len(y))
    if group is not None:
        turn = _earlier(y[order] * (group.max() + 1) + group[order])
        order = order[np.argsort(turn, kind="stable")]
    drawn = np.empty(len(y), dtype=np.int64)
    drawn[order] = _earlier(y[order])
    return drawn


def _earlier(values: np.ndarray) -> np.ndarray:
    """How often each of ``values`` (n,) occurs before its own place."""
    order = np.argsort(values, kind="stable")
    _, first, inverse = np.unique(values[order], return_index=True, return_inverse=True)
    count = np.empty(len(values), dtype=np.int64)
    count[order] = np.arange(len(values)) - first[inverse]
    return count


def _fold(
    x: np.ndarray,
    readout: str,
    repeat: Repeat,
    fold: int,
    sizes: list[int],
    draws: int,
    seed: int,
) -> pa.Table:
    """The rows of one outer fold, for each of ``sizes``; a clip's draws are averaged."""
    test = repeat.fold == fold
    refuse_straddling(repeat.apart, test)
    labels, y = np.unique(repeat.target, return_inverse=True)
    known = repeat.group is not None
    names, group = np.unique(repeat.group if known else y, return_inverse=True)
    trained, of_trained = y[~test], group[~test] if known else None
    generator = np.random.default_rng([seed, repeat.number, fold])
    drawn_as = np.stack([places(trained, of_trained, generator) for _ in range(draws)])
    rotation = Rotation.of(x, ~test)
    held_out = rotation.apply(x[test])
    variance = np.square(rotation.train).sum(axis=1, dtype=np.float64).mean()
    c = LOGIT_VARIANCE / (variance or 1)  # 0 where every column is constant
    both = y[test] * len(names) + group[test]
    cells, cell, count = np.unique(both, return_inverse=True, return_counts=True)
    correct = []
    for size in sizes:
        drawn = drawn_as < size
        used = drawn.any(axis=0)
        targets = np.broadcast_to(trained[used], (draws, used.sum()))
        fits = logistic.fit(
            rotation.train[used], targets, len(labels), c, drawn[:, used], tolerance=TOLERANCE
        )
        right = fits.log_probabilities(held_out).argmax(axis=1) == y[test]
        correct.append(np.bincount(cell, right.mean(axis=0)))
    place = {"readout": readout, "regime": repeat.regime, "repeat": repeat.number, "fold": fold}
    every = np.tile(cells, len(sizes))
    rows = {name: [value] * len(every) for name, value in (place | {"draws": draws}).items()} | {
        "clips_a_class": np.repeat(sizes, len(cells)),
        "target": labels[every // len(names)],
        "group": names[every % len(names)] if known else [None] * len(every),
        "n_clips": np.tile(count, len(sizes)),
        "correct": np.concatenate(correct),
    }
    return pa.table(rows, schema=SCHEMA)
