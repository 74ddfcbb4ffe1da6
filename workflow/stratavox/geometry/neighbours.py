"""Stage: whether neighbours in a readout share a label: retrieval, clusters, silhouette, kNN.

Reads a folder of readouts (``encoder.json`` and ``{readout}.parquet``) and the folds of a task;
writes a row for each readout and measure. Readouts are not standardised. ``excluded`` names the
clips that are not compared with a query: those of its recording, those of its group, or none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn import config_context
from threadpoolctl import threadpool_limits

from stratavox import columns, sampling, tables
from stratavox.errors import StratavoxError
from stratavox.geometry import folder, labelled
from stratavox.probe.readouts import matrix, strictest
from stratavox.probe.regimes import APART
from stratavox.progress import Progress
from stratavox.stage import Job

SCHEMA = columns.schema("geometry/{encoder}/{dataset}/{task}.neighbours.parquet")


@dataclass(frozen=True)
class Task:
    """The clips of a task, as arrays (clips,), and the units that are kept apart.

    ``apart`` numbers the recordings or groups that retrieval excludes, ``excluded`` says which of
    both; ``fold`` is the fold in repeat 0 of the strictest ``regime``, which keeps the clips of one
    number in ``held`` on one side; ``whole`` is the number of clips that these were drawn from.
    """

    clip_id: np.ndarray
    target: np.ndarray
    apart: np.ndarray
    excluded: str
    fold: np.ndarray
    held: np.ndarray
    regime: str
    whole: int


def task_of(folds: pa.Table, settings: dict) -> Task:
    """The task that a folds table (`stratavox.probe.folds`) describes, on at most max_clips."""
    folds = strictest(folds)
    regime = folds["regime"][0].as_py()
    every = folds.filter(pc.equal(folds["repeat"], 0)).sort_by("clip_id")
    labels = np.array(every["target"].to_pylist())
    used = every.take(stratified(labels, settings["max_clips"], settings["seed"]))
    target = np.array(used["target"].to_pylist())
    units = {"none": np.arange(len(target))}
    for name in ("recording", "group"):
        if used[name].null_count == 0:
            units[name] = np.unique(used[name].to_pylist(), return_inverse=True)[1]
    excluded = exclusion(target, units)
    return Task(
        clip_id=np.array(used["clip_id"].to_pylist()),
        target=target,
        apart=units[excluded],
        excluded=excluded,
        fold=used["fold"].to_numpy(),
        held=units[APART[regime] or "none"],
        regime=regime,
        whole=every.num_rows,
    )


def exclusion(target: np.ndarray, units: dict[str, np.ndarray]) -> str:
    """What retrieval excludes: recording where it is known, else group, else none.

    ``units`` (clips,) numbers by name. If each class had one number alone, excluding it would leave
    a query no clip of its class; such a unit is not used.
    """
    for name in ("recording", "group"):
        if name in units:
            pairs = set(zip(target, units[name], strict=True))
            if len(pairs) > len(set(target)):
                return name
    return "none"


def stratified(target: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Row numbers, ascending, of at most ``most`` clips with each class in its proportion.

    Each class keeps at least two clips: a query needs another clip of its class.
    """
    if len(target) <= most:
        return np.arange(len(target))
    classes = np.unique(target)
    if most < 2 * len(classes):
        raise StratavoxError(
            f"geometry.max_clips: found {most}, fewer than two clips for each "
            f"of {len(classes)} classes; give {2 * len(classes)} or more"
        )
    shuffled = np.random.default_rng(seed).permutation(len(target))
    return sampling.by_class(target, shuffled, most, fewest=2)


def compute(where: Path, folds: pa.Table, settings: dict) -> tuple[pa.Table, dict]:
    """The table for a folder of readouts and a task, and the facts for its metadata."""
    encoder = tables.read_json(where / "encoder.json")
    task = task_of(folds, settings)
    rows = []
    what = f"neighbours of {encoder['encoder']}"
    progress = Progress(what, len(encoder["readouts"]), "readouts")
    for readout in encoder["readouts"]:
        x = matrix(where, readout, task.clip_id.tolist())
        rows += [(readout, *row) for row in _measures(x, task, settings["seed"], where / readout)]
        progress.add()
    progress.close()
    table = pa.table([list(column) for column in zip(*rows, strict=True)], schema=SCHEMA)
    facts = {
        "standardised": False,
        "clips": task.whole,
        "clips_used": len(task.target),
        "excluded": task.excluded,
        "knn_regime": task.regime,
        "knn_k": labelled.K,
        "statements": [],
    }
    if len(task.target) < task.whole:
        facts["statements"].append(
            f"neighbours on {len(task.target)} of {task.whole} clips, drawn by class with "
            f"seed {settings['seed']}"
        )
    return table, facts


def _measures(x: np.ndarray, task: Task, seed: int, where: Path) -> list[tuple]:
    """(measure, value, excluded, n_clips, n_classes) of one readout ``x`` (clips, width)."""
    similarity = labelled.cosines(x)
    n, classes = len(x), len(np.unique(task.target))
    (everyone, queries), (apart, queries_apart) = labelled.retrieval(
        similarity, task.target, np.arange(n), task.apart
    )
    rows = [
        (labelled.RETRIEVAL, everyone, "none", queries, classes),
        (labelled.RETRIEVAL_APART, apart, task.excluded, queries_apart, classes),
    ]
    whole = {
        **labelled.clustering(x, task.target, seed),
        labelled.SILHOUETTE: labelled.silhouette(similarity, task.target),
    }
    rows += [(measure, value, "none", n, classes) for measure, value in whole.items()]
    try:
        knn = labelled.knn(similarity, task.target, task.fold, task.held)
    except StratavoxError as error:
        raise StratavoxError(f"{where}: {error}") from None
    scored = int(np.sum(task.fold >= 0))
    return [*rows, (labelled.KNN, knn, APART[task.regime] or "none", scored, classes)]


def run(job: Job) -> None:
    folds = tables.read_table(job.input.folds)
    # One thread: the order of floating-point sums must not depend on the machine.
    # scikit-learn's checks of its input take as long as the rest.
    quick = {"assume_finite": True, "skip_parameter_validation": True}
    with threadpool_limits(1), config_context(**quick):
        table, facts = compute(job.input.encoder.parent, folds, job.settings)
    folder.write(table, facts, "neighbours", job)
