"""Stage: what the linear probes score when a concept is erased from the readouts.

Reads the readouts of one encoder, the shared folds, the linear probe's scores and the dataset's
tables. For each column (the individual, the site), each fold and each readout of the depth curve it
erases the column from the clips by LEACE (leace.py), fitted on the training clips, and fits the
probe anew. Control: the column's values shuffled among the training clips of each class, which
erases as many directions and keeps how closely the column goes with the label. (Shuffled over all
clips, values would go with the label by chance, and erasing them would cost more than erasing a
column of a balanced design.) C is that of the readout's own probe in this fold, so scores differ in
what was erased alone, and no inner folds are fitted. Writes out-of-fold predictions (columns of
probe.linear) and a JSON of the columns. Only the strictest regime is probed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from stratavox import tables
from stratavox.corpus.labels import check_columns, labels_of
from stratavox.probe import logistic
from stratavox.probe.confounds import EMPTY, counted, from_column
from stratavox.probe.leace import Eraser, spread
from stratavox.probe.metrics import of_the_label
from stratavox.probe.readouts import clips_of, matrix, refuse_straddling, strictest
from stratavox.probe.repeats import Repeat, repeats
from stratavox.probe.rotation import Rotation
from stratavox.probe.schemas import PREDICTIONS
from stratavox.probe.workers import of_each_readout
from stratavox.stage import Job

# A column from which alone the label follows this well takes the label with it.
DETERMINES = 0.95
# Shuffles of a column in each fold.
SHUFFLES = 3
PLACE = ["repeat", "fold", "readout"]


def run(job: Job) -> None:
    encoder, folder = tables.read_json(job.input.encoder), job.input.encoder.parent
    folds = strictest(tables.read_table(job.input.folds))
    clip_ids, target = clips_of(folds)
    cells = cells_of(job.settings, job.input.scan, clip_ids)
    # the eraser is fitted to these alone: one site that trains cannot be erased
    trained = repeats(folds, clip_ids)[0].trained
    columns = [about(name, own[trained], target[trained]) for name, own in cells.items()]
    concepts = {
        (row["control"], row["shuffled"]): cells[row["column"]]
        for row in columns
        if row["why"] is None
    }
    probed = [PREDICTIONS.empty_table()]
    if concepts:
        fits = of_fits(job.input.scores, folds["regime"][0].as_py())
        curve = [name for name in encoder["readouts"] if name in ("input", *encoder["blocks"])]
        arguments = {
            name: (folder, name, concepts, folds, fits["c"].to_dict(), job.settings["seed"])
            for name in curve
        }
        title = f"erasure from {encoder['encoder']}"
        probed += of_each_readout(title, erased, arguments, job.threads).values()
        probed.append(chosen(pa.concat_tables(probed), fits))
    tables.write_table(pa.concat_tables(probed), job.output.predictions, job.provenance)
    content = {"columns": columns, "provenance": job.provenance}
    tables.write_json(content, job.output.columns)


def cells_of(settings: dict, scan: Path, clip_ids: list[str]) -> dict[str, np.ndarray]:
    """Column -> its cells (clips,); an empty cell is a value of its own.

    Raises `StratavoxError` where there is no such column.
    """
    labels = labels_of(settings, scan, pa.table({"clip_id": clip_ids}), Path())
    key = f"datasets.{settings['dataset']}.probes.erase"
    wanted = [(key, column) for column in settings["columns"]]
    check_columns(wanted, labels.column_names[1:], settings)
    return {
        column: np.array([cell or EMPTY for cell in labels[column].to_pylist()])
        for column in settings["columns"]
    }


def about(column: str, cells: np.ndarray, target: np.ndarray) -> dict:
    """The column, its number of values, why it cannot be erased (None where it can), and controls.

    ``control`` and ``shuffled`` name in the tables what is erased: the column, or it shuffled.
    """
    classes, rows = np.unique(target, return_inverse=True)
    values, places = np.unique(cells, return_inverse=True)
    alone = from_column(counted(rows, places, (len(classes), len(values))))
    why = None
    if len(values) == 1:
        why = "all clips have the same value"
    elif alone >= DETERMINES:
        why = (
            f"the label follows from the column alone (balanced accuracy {alone:.2f}), so it "
            "would be erased too"
        )
    control = f"erased {column}"
    names = {"control": control, "shuffled": f"{control}, shuffled"}
    return {"column": column, "values": len(values), "why": why} | names


def of_fits(scores: Path, regime: str) -> pd.DataFrame:
    """``c`` and ``chosen`` of the linear probe in each repeat, fold and readout of the regime."""
    table = tables.read_table(scores).to_pandas()
    own = table[
        (table["regime"] == regime)
        & (table["control"] == "none")
        & (table["metric"] == "balanced_accuracy")
        & (table["readout"] != "nested")
        & table["fold"].notna()
    ]
    return own.astype({"fold": int}).set_index(PLACE)[["c", "chosen"]]


def erased(
    folder: Path, readout: str, concepts: dict, folds: pa.Table, c: dict[tuple, float], seed: int
) -> pa.Table:
    """Predictions from one readout with each of ``concepts`` erased.

    ``concepts`` maps the names of the controls, (with the column, with it shuffled), to its cells.
    ``c`` gives the penalty of a repeat, fold and readout. A shuffled column has `SHUFFLES` rows for
    each clip and repeat.
    """
    clip_ids, _ = clips_of(folds)
    x = matrix(folder, readout, clip_ids)
    return pa.concat_tables(
        table
        for repeat in repeats(folds, clip_ids)
        for table in of_repeat(readout, x, concepts, repeat, clip_ids, c, seed)
    )


def of_repeat(
    readout: str, x: np.ndarray, concepts: dict, repeat: Repeat, clip_ids: list[str], c, seed: int
) -> Iterator[pa.Table]:
    """The predictions of `erased` from ``x`` (clips, width) in one repeat, by control and draw."""
    labels, y = np.unique(repeat.target, return_inverse=True)
    results: dict[tuple, tuple[np.ndarray, np.ndarray]] = {}
    for k in range(repeat.fold.max() + 1):
        test = repeat.fold == k
        refuse_straddling(repeat.apart, test)
        rotation = Rotation.of(x, ~test)
        tested, scale = rotation.apply(x[test]), spread(rotation.train)
        penalty = c[repeat.number, k, readout]
        classes, label = np.unique(y[~test], return_inverse=True)
        for name, concept in _drawn(concepts, ~test, label, [seed, repeat.number, k]):
            eraser = Eraser.of(rotation.train, concept, scale)
            z = eraser.apply(rotation.train)
            fit = logistic.fit(z, label[None], len(classes), penalty)
            log_p = fit.log_probabilities(eraser.apply(tested))[0]
            empty = np.zeros(len(y), dtype=np.int64), np.zeros(len(y))
            predicted, log_probability = results.setdefault(name, empty)
            predicted[test] = classes[log_p.argmax(axis=0)]
            log_probability[test] = of_the_label(log_p.T, classes, y[test])
    for (control, _), (predicted, log_probability) in results.items():
        own = {"readout": readout, "probe": "linear", "control": control}
        yield repeat.predictions(own, clip_ids, labels[predicted], log_probability)


def _drawn(
    concepts: dict, train: np.ndarray, label: np.ndarray, seed: list[int]
) -> Iterator[tuple[tuple[str, int], np.ndarray]]:
    """(Control, draw) and values of the training clips ``train``: each column, and it shuffled
    among the clips of each ``label`` (training clips,).
    """
    for (control, shuffled), cells in concepts.items():
        yield (control, 0), cells[train]
        generator = np.random.default_rng(seed)
        for draw in range(SHUFFLES):
            moved = cells[train]
            for number in range(label.max() + 1):
                rows = np.flatnonzero(label == number)
                moved[rows] = moved[generator.permutation(rows)]
            yield (shuffled, draw), moved


def chosen(predictions: pa.Table, fits: pd.DataFrame) -> pa.Table:
    """The rows of the readout ``nested``: those of the block chosen in training in each fold."""
    blocks = fits[fits["chosen"] == True].reset_index()[PLACE]  # noqa: E712
    rows = predictions.to_pandas().merge(blocks).assign(readout="nested")
    return pa.Table.from_pandas(rows, schema=PREDICTIONS, preserve_index=False)
