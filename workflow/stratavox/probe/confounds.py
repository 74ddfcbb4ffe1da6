"""Stage: how closely each column that is named a confound is associated with a task's label.

Reads the clips and labels of a task and the dataset's tables; writes a JSON with one entry for each
column. It describes these clips: nothing is held out, and no encoder is used.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stratavox import tables
from stratavox.corpus.labels import check_columns, labels_of
from stratavox.errors import StratavoxError
from stratavox.stage import Job

EMPTY = "(empty)"
SHUFFLES = 200


def run(job: Job) -> None:
    settings, clips = job.settings, clips_of(job.input.folds)
    labels = labels_of(settings, job.input.scan, clips, Path())
    target = clips["target"].to_pylist()
    confounds = [
        association(target, cells_of(labels, column, settings), settings["seed"])
        | {"column": column}
        for column in settings["confounds"]
    ]
    content = {"confounds": confounds, "provenance": job.provenance}
    tables.write_json(content, job.output.confounds)


def clips_of(folds: Path) -> pa.Table:
    """clip_id and target of the task's clips; each is once in a repeat of the random regime."""
    table = tables.read_table(folds, ["regime", "repeat", "clip_id", "target"])
    once = pc.and_(pc.equal(table["regime"], "random"), pc.equal(table["repeat"], 0))
    return table.filter(once).select(["clip_id", "target"])


def cells_of(labels: pa.Table, column: str, settings: dict) -> list[str]:
    """The cells of a confound; an empty one is a value of its own.

    Raises `StratavoxError` where there is no such column, or each clip has a value of its own.
    """
    where = f"datasets.{settings['dataset']}.confounds"
    check_columns([(where, column)], labels.column_names[1:], settings)
    cells = [cell or EMPTY for cell in labels[column].to_pylist()]
    if len(set(cells)) == len(cells):
        raise StratavoxError(
            f"{where}: column {column!r} has {len(cells)} values for the {len(cells)} clips of "
            f"task {settings['task']!r}, one for each clip, so no association can be "
            "measured; name a column whose values recur (numbers put into classes, such as short "
            "and long), or remove it from confounds"
        )
    return cells


def association(target: list[str], cells: list[str], seed: int) -> dict:
    """How closely ``cells`` are associated with ``target`` (both with one entry for each clip).

    ``cramers_v`` is null where one of the two has a single value. ``single_valued`` lists the
    classes that occur with one value only, the rarest value first. ``balanced_accuracy`` is that of
    `from_column`, and ``shuffled`` its mean over 200 shuffles of the cells: its level by chance.
    """
    classes, rows = np.unique(target, return_inverse=True)
    values, columns = np.unique(cells, return_inverse=True)
    shape = len(classes), len(values)
    counts = counted(rows, columns, shape)
    single = np.flatnonzero((counts > 0).sum(axis=1) == 1)
    common = counts.sum(axis=0)[counts.argmax(axis=1)]  # clips with each class's value
    generator = np.random.default_rng(seed)
    shuffled = [
        from_column(counted(rows, generator.permutation(columns), shape)) for _ in range(SHUFFLES)
    ]
    return {
        "clips": len(target),
        "classes": len(classes),
        "values": len(values),
        "empty": cells.count(EMPTY),
        "cramers_v": cramers_v(counts),
        "single_valued": [
            {"label": str(classes[row]), "value": str(values[counts[row].argmax()])}
            for row in single[np.argsort(common[single], kind="stable")]
        ],
        "balanced_accuracy": from_column(counts),
        "shuffled": float(np.mean(shuffled)),
        "chance": 1 / len(classes),
    }


def counted(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Clips of each class (rows) with each value (columns)."""
    return np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1]).reshape(shape)


def cramers_v(counts: np.ndarray) -> float | None:
    """Bias-corrected Cramer's V of ``counts`` (classes, values), none of them without a clip.

    0 for independence; 1 where each class has one value and each value one class; just below 1
    where only one of the two determines the other; None where one of them does not vary. Bergsma
    2013, J. Korean Stat. Soc. 42, 323-328.
    """
    n = counts.sum()
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    phi2 = float(((counts - expected) ** 2 / expected).sum() / n)
    freedom = np.array(counts.shape) - 1
    least = float((freedom - freedom**2 / (n - 1)).min())
    if least <= 0:
        return None
    return float(np.sqrt(max(0.0, phi2 - freedom.prod() / (n - 1)) / least))


def from_column(counts: np.ndarray) -> float:
    """In-sample balanced accuracy of the best rule that uses the column alone.

    It predicts for each value the class of which that value has the largest share.
    """
    return float((counts / counts.sum(axis=1, keepdims=True)).max(axis=0).sum() / len(counts))
