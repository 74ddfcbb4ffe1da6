"""Stage: scores by the protocol of Earth Species's BEATs notebook, for comparison.

The notebook fits an unscaled logistic regression (C = 1) once, on 80 % of the clips drawn at random
with seed 42 without regard to class or group, and reports accuracy on the others. This does not
estimate how well a readout works for new animals.
"""

from __future__ import annotations

import warnings

import numpy as np
import pyarrow as pa
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from stratavox import columns, tables
from stratavox.probe.readouts import clips_of, matrix
from stratavox.stage import Job

SCHEMA = columns.schema("notebook/{encoder}/{dataset}/{task}.parquet")
TEST_SHARE, SPLIT_SEED, C, STEPS = 0.2, 42, 1.0, 1000


def score(x: np.ndarray, target: np.ndarray) -> dict:
    """A row of the table, without the readout: the notebook's probe on ``x`` (clips, width).

    ``target`` (clips,); ``chance`` is one over the number of classes, as in the notebook.
    """
    split = train_test_split(x, target, test_size=TEST_SHARE, random_state=SPLIT_SEED)
    train, test, train_target, test_target = split
    probe = LogisticRegression(C=C, max_iter=STEPS)
    with warnings.catch_warnings():
        # the column max_iter_reached shows it instead
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(train, train_target)
    classes = len(set(target))
    return {
        "accuracy": float(probe.score(test, test_target)),
        "n_train": len(train),
        "n_test": len(test),
        "classes": classes,
        "chance": 1 / classes,
        "max_iter_reached": bool(probe.n_iter_.max() >= STEPS),
    }


def run(job: Job) -> None:
    encoder, folder = tables.read_json(job.input.encoder), job.input.encoder.parent
    clip_ids, target = clips_of(tables.read_table(job.input.folds))
    with threadpool_limits(1):
        rows = [
            {"readout": readout, **score(matrix(folder, readout, clip_ids), target)}
            for readout in encoder["readouts"]
        ]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    tables.write_table(table, job.output.scores, job.provenance)
