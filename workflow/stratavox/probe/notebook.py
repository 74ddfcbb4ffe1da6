"""Scores by the notebook's own protocol, to be drawn beside the sound one: what the method changes.

The seed notebook and Earth Species's tutorials fit an unscaled logistic regression (C = 1) once, on
80 % of the clips drawn at random with seed 42 and no regard to class or group, and report accuracy
on the rest. Nothing here is an estimate of how a readout does on new animals.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from stratavox import columns, stage, tables
from stratavox.errors import run
from stratavox.probe.readouts import clips_of, matrix

SCHEMA = columns.schema("notebook/{encoder}/{dataset}/{task}.parquet")
TEST_SHARE, SPLIT_SEED, C, STEPS = 0.2, 42, 1.0, 1000


def score(x: np.ndarray, target: np.ndarray) -> dict:
    """Accuracy of the notebook's probe on ``x`` (clips, width) and ``target`` (clips,).

    The value of each column of the table but the readout. ``chance`` is one over the number of
    classes, as the notebook drew it.
    """
    split = train_test_split(x, target, test_size=TEST_SHARE, random_state=SPLIT_SEED)
    train, test, train_target, test_target = split
    probe = LogisticRegression(C=C, max_iter=STEPS)
    with warnings.catch_warnings():
        # told in the table instead, as max_iter_reached
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


def main() -> None:
    parser = stage.parser(__doc__)
    parser.add_argument("--embeddings", required=True, type=Path, help="folder of readouts")
    parser.add_argument("--folds", required=True, help="folds.parquet of the task")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    encoder = tables.read_json(options.embeddings / "encoder.json")
    clip_ids, target = clips_of(tables.read_table(options.folds))
    with threadpool_limits(1):
        rows = [
            {"readout": readout, **score(matrix(options.embeddings, readout, clip_ids), target)}
            for readout in encoder["readouts"]
        ]
    tables.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), options.out, options.provenance)


if __name__ == "__main__":
    run(main)
