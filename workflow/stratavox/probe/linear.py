"""Linear probes of every readout of one encoder on one task of one dataset.

Reads the readouts and the shared folds; writes scores (one tidy row a readout, control, regime,
repeat, fold and metric; fold is null where the predictions of all folds are scored together) and
the out-of-fold prediction of every clip. ``concat`` is all blocks side by side; ``nested`` is, in
each outer fold, the block whose inner log-loss was least: no test clip had a say in it.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from stratavox import stage, tables
from stratavox.errors import StratavoxError, run
from stratavox.probe import nested, permute
from stratavox.progress import Progress

SCORES = pa.schema(
    [
        ("readout", pa.string()),
        ("probe", pa.string()),
        ("control", pa.string()),
        ("regime", pa.string()),
        ("repeat", pa.int32()),
        ("fold", pa.int32()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("n_test", pa.int32()),
        ("c", pa.float64()),
        ("at_edge", pa.bool_()),
        ("converged", pa.bool_()),
        ("inner_log_loss", pa.float64()),
    ]
)
PREDICTIONS = pa.schema(
    [
        ("readout", pa.string()),
        ("probe", pa.string()),
        ("regime", pa.string()),
        ("repeat", pa.int32()),
        ("fold", pa.int32()),
        ("clip_id", pa.string()),
        ("group", pa.string()),
        ("target", pa.string()),
        ("predicted", pa.string()),
        ("log_probability", pa.float64()),
    ]
)


def main() -> None:
    parser = stage.parser(__doc__)
    parser.add_argument("--embeddings", required=True, type=Path, help="folder of readouts")
    parser.add_argument("--folds", required=True, help="folds.parquet of the task")
    parser.add_argument("--out-scores", required=True)
    parser.add_argument("--out-predictions", required=True)
    parser.add_argument("--threads", type=int, default=1, help="readouts probed at once")
    options = parser.parse_args()
    encoder = tables.read_json(options.embeddings / "encoder.json")
    folds = tables.read_table(options.folds)
    readouts = list(encoder["readouts"])
    if len(encoder["blocks"]) > 1:
        readouts.append("concat")
    done: dict[str, tuple[pa.Table, pa.Table]] = {}
    what = f"probes of {encoder['encoder']}"
    progress = Progress(what, len(readouts), "readouts")
    # spawn: a forked child would inherit the locks of the parent's math threads
    with ProcessPoolExecutor(options.threads, multiprocessing.get_context("spawn")) as pool:
        # widest first, so that the longest fit does not start last
        waiting = {
            pool.submit(
                probe_readout, options.embeddings, encoder["blocks"], name, folds, options.settings
            ): name
            for name in reversed(readouts)
        }
        for future in as_completed(waiting):
            done[waiting[future]] = future.result()
            progress.add()
    progress.close()
    scores = pa.concat_tables([done[name][0] for name in readouts])
    predictions = pa.concat_tables([done[name][1] for name in readouts])
    if encoder["blocks"]:
        extra = choose_block(scores, predictions, encoder["blocks"])
        scores = pa.concat_tables([scores, extra[0]])
        predictions = pa.concat_tables([predictions, extra[1]])
    tables.write_table(scores, options.out_scores, options.provenance)
    tables.write_table(predictions, options.out_predictions, options.provenance)


def probe_readout(
    folder: Path, blocks: list[str], readout: str, folds: pa.Table, settings: dict
) -> tuple[pa.Table, pa.Table]:
    """Scores and predictions of one readout over every regime, repeat, fold and permutation."""
    # Products of this size run slower on several threads; processes share the readouts instead.
    with threadpool_limits(1):
        first = folds.filter(pa.compute.equal(folds["repeat"], 0))
        first = first.filter(pa.compute.equal(first["regime"], first["regime"][0]))
        clip_ids = first["clip_id"].to_pylist()
        members = blocks if readout == "concat" else [readout]
        x = np.hstack([_matrix(folder / f"{name}.parquet", clip_ids) for name in members])
        try:
            return _probe(x, readout, clip_ids, folds, settings)
        except StratavoxError as error:
            raise StratavoxError(f"{folder} / {readout}: {error}") from None


def _matrix(path: Path, clip_ids: list[str]) -> np.ndarray:
    table = tables.read_table(path, ["clip_id", "embedding"])
    row = {clip_id: number for number, clip_id in enumerate(table["clip_id"].to_pylist())}
    absent = [clip_id for clip_id in clip_ids if clip_id not in row]
    if absent:
        raise StratavoxError(
            f"{path}: {len(absent)} of {len(clip_ids)} clips of the folds are not in it, first "
            f"{absent[0]!r}; delete the folder and run the workflow again"
        )
    return tables.embedding_matrix(table["embedding"])[[row[clip_id] for clip_id in clip_ids]]


def _probe(
    x: np.ndarray, readout: str, clip_ids: list[str], folds: pa.Table, settings: dict
) -> tuple[pa.Table, pa.Table]:
    scores: list[tuple] = []
    predictions: list[pa.Table] = []
    for regime, repeat, fold, target, group in _repeats(folds, clip_ids):
        labels, y = np.unique(target, return_inverse=True)
        grouping = group if regime == "grouped" else None
        predicted = np.empty(len(y), dtype=np.int64)
        log_probability = np.empty(len(y))
        moved = _permutations(y, folds, regime, repeat, group, settings)
        null = np.empty((len(moved), len(y)), dtype=np.int64)
        for k in range(fold.max() + 1):
            test = fold == k
            outer, rotation = nested.outer_fold(x, y, grouping, test, settings)
            predicted[test], log_probability[test] = outer.predicted, outer.log_probability
            fit = (outer.c, outer.at_edge, outer.converged, outer.inner_log_loss)
            for metric, value in nested.metrics(y[test], outer.predicted).items():
                key = (readout, "linear", "none", regime, repeat, k, metric)
                scores.append((*key, value, int(test.sum()), *fit))
            for number, shuffled in enumerate(moved):
                null[number, test] = nested.permuted_fold(rotation, x, shuffled, test, outer.c)
        scores += _pooled(readout, "none", regime, repeat, y, predicted)
        for number, shuffled in enumerate(moved):
            scores += _pooled(readout, "permutation", regime, number, shuffled, null[number])
        n = len(y)
        predictions.append(
            pa.table(
                [
                    [readout] * n,
                    ["linear"] * n,
                    [regime] * n,
                    [repeat] * n,
                    fold,
                    clip_ids,
                    group,
                    target,
                    labels[predicted],
                    log_probability,
                ],
                schema=PREDICTIONS,
            )
        )
    columns = list(zip(*scores, strict=True))
    return pa.table([list(column) for column in columns], schema=SCORES), pa.concat_tables(
        predictions
    )


def _repeats(
    folds: pa.Table, clip_ids: list[str]
) -> Iterator[tuple[str, int, np.ndarray, np.ndarray, np.ndarray]]:
    """Per (regime, repeat): fold, target and group of each clip, in the order of ``clip_ids``."""
    frame = folds.to_pandas()
    for (regime, repeat), part in frame.groupby(["regime", "repeat"], sort=True):
        part = part.set_index("clip_id").loc[clip_ids]
        group = part["group"].to_numpy(dtype=object)
        group = np.array([None if value != value else value for value in group], dtype=object)
        yield regime, int(repeat), part["fold"].to_numpy(), part["target"].to_numpy(str), group


def _permutations(
    y: np.ndarray,
    folds: pa.Table,
    regime: str,
    repeat: int,
    group: np.ndarray,
    settings: dict,
) -> list[np.ndarray]:
    """The permuted labels of the stricter regime's first repeat; none for the others.

    They depend on the seed alone, so every readout and encoder meets the same ones.
    """
    strict = "grouped" if "grouped" in set(folds["regime"].to_pylist()) else "random"
    if regime != strict or repeat:
        return []
    known = group if strict == "grouped" else None
    generator = np.random.default_rng(settings["seed"])
    return [permute.permuted(y, known, generator) for _ in range(settings["permutations"])]


def _pooled(readout, control, regime, repeat, y, predicted) -> list[tuple]:
    return [
        (readout, "linear", control, regime, repeat, None, metric, value, len(y)) + (None,) * 4
        for metric, value in nested.metrics(y, predicted).items()
    ]


def choose_block(
    scores: pa.Table, predictions: pa.Table, blocks: list[str]
) -> tuple[pa.Table, pa.Table]:
    """Rows of the readout ``nested``: per outer fold the block with the least inner log-loss."""
    frame = scores.to_pandas()
    fits = frame[frame["readout"].isin(blocks) & frame["fold"].notna()]
    fits = fits[fits["metric"] == nested.METRICS[0]].sort_values("readout", kind="stable")
    best = fits.loc[fits.groupby(["regime", "repeat", "fold"])["inner_log_loss"].idxmin()]
    chosen = best[["regime", "repeat", "fold", "readout"]]
    per_fold = frame[frame["fold"].notna()].merge(chosen).assign(readout="nested")
    told = predictions.to_pandas().merge(chosen).assign(readout="nested")
    rows = [
        row
        for (regime, repeat), part in told.groupby(["regime", "repeat"], sort=True)
        for row in _pooled(
            "nested",
            "none",
            regime,
            repeat,
            part["target"].to_numpy(str),
            part["predicted"].to_numpy(str),
        )
    ]
    pooled = pa.table([list(column) for column in zip(*rows, strict=True)], schema=SCORES)
    per_fold = pa.Table.from_pandas(per_fold, schema=SCORES, preserve_index=False)
    told = pa.Table.from_pandas(told, schema=PREDICTIONS, preserve_index=False)
    return pa.concat_tables([per_fold, pooled]), told


if __name__ == "__main__":
    run(main)
