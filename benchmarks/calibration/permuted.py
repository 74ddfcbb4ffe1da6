"""Trained weights against permuted twins, where training gave the weights no better order.

The weights of a block are drawn independently, so the trained encoder and its twins, the same
values in other orders, are exchangeable. Twins, folds, probes and inference are as in a run; labels
are not permuted.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.calibration import studies
from benchmarks.calibration.crossvalidated import (
    CLASSES,
    SETTINGS,
    WIDTH,
    World,
    class_means,
    clips_of,
    folds_of,
)
from benchmarks.calibration.simulation import (
    COVERAGE,
    Record,
    Row,
    Simulation,
    at_most,
    column,
    each,
)
from stratavox.encoders.graphs import in_another_order
from stratavox.inference.answers import rows_of
from stratavox.inference.answers.contrasts import PERMUTED
from stratavox.inference.study import Encoder, Study
from stratavox.inference.verdicts import SUPPORTED
from stratavox.probe import kinds
from stratavox.probe.crossvalidate import cross_validate
from stratavox.probe.fusion import Source
from stratavox.probe.linear import choose_block

CALLS = World("crossed", signal=0.5, own=1.0, own_by_class=0.7)
BLOCK, NARROW = "block_00", 4
TRAINED, TWINS = "trained", "twins"
ROWS = (
    Row("trained differs from permuted twins", at_most(0.05), column("differs")),
    Row("trained is above permuted twins", at_most(0.025), column("supported")),
    Row("interval of trained less permuted twins holds 0", COVERAGE, column("held")),
)


def simulations() -> Iterator[Simulation]:
    for draws, groups in ((3, 12), (5, 12), (5, 20)):
        setting = f"its order is one more draw beside {draws} twins, {groups} groups"
        once = partial(exchangeable, groups=groups, draws=draws)
        yield Simulation(setting, ROWS, each(once))


def exchangeable(generator: np.random.Generator, groups: int, draws: int) -> Record:
    """The contrast and its claim; the true difference to one more order of the values is 0."""
    x, y, number = CALLS.drawn(generator, groups, class_means(CLASSES))
    clips = clips_of(y, number)
    table = folds_of(generator, clips)
    # heavy tails: a few large values, so that their places matter
    trained = generator.standard_t(3, (WIDTH, NARROW))
    twins = {f"{TWINS} {draw}": in_another_order(trained, generator) for draw in range(draws)}
    task = {"regimes": ["grouped"], "chance": 1 / CLASSES, "clips": len(y)}
    encoders = [_encoder(TRAINED, "file", [TRAINED]), _encoder(TWINS, "permuted", list(twins))]
    study = Study(task, encoders, studies.SETTINGS)
    scores = []
    for name, weights in {TRAINED: trained, **twins}.items():
        block = np.tanh(x @ weights / np.sqrt(WIDTH)).astype(np.float32)
        probed, predictions = _probed(block, clips, table)
        scores.append(probed.to_pandas().assign(encoder=name))
        study.add(name, predictions.to_pandas())
    study.scores = pd.concat(scores)
    study.pool_draws()
    (row,) = [row for row in rows_of(study, "contrasts") if row["question"] == PERMUTED]
    (claim,) = [
        row for row in rows_of(study, "claims") if row["evidence"] == f"contrasts: {PERMUTED}"
    ]
    return {
        "differs": float(row["resolved"]),
        "supported": float(claim["verdict"] == SUPPORTED),
        "held": float(row["low"] <= 0 <= row["high"]),
    }


def _encoder(name: str, weights: str, members: list[str]) -> Encoder:
    made = studies.encoder([BLOCK], name, members)
    made.description |= {"weights": weights, "weights_sha256": "of both"}
    return made


def _probed(block: np.ndarray, clips: pd.DataFrame, table: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Scores and predictions of the block (clips, NARROW), also as the one chosen in training."""
    settings = SETTINGS | {"permutations": 0, "control_tasks": 0}
    ids = list(clips["clip_id"])
    scores, predictions, _ = cross_validate(Source(block), BLOCK, [], ids, table, settings)
    return choose_block(scores, predictions, [BLOCK], kinds.of({}))
