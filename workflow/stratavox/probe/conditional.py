"""Stage: what a block adds to the acoustic descriptors about the labels, and the reverse.

Reads the readouts of one encoder, the acoustic descriptors and the shared folds; writes out-of-fold
predictions (columns of probe.linear) of linear probes on the descriptors alone (``acoustics``) and
on each readout together with them (``{readout}+acoustics``). The gain in log-probability over one
of them alone is conditional usable information (Hewitt et al. 2021, EMNLP, section 3). Only the
strictest regime is probed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from stratavox import tables
from stratavox.probe import nested_cv
from stratavox.probe.readouts import clips_of, matrix, places, strictest
from stratavox.probe.repeats import Repeat, repeats
from stratavox.probe.rotation import side_by_side
from stratavox.probe.workers import of_each_readout
from stratavox.stage import Job

ALONE = "acoustics"


def run(job: Job) -> None:
    encoder, folder = tables.read_json(job.input.encoder), job.input.encoder.parent
    folds = strictest(tables.read_table(job.input.folds))
    described = descriptors(job.input.acoustics, clips_of(folds)[0])
    curve = [name for name in encoder["readouts"] if name in ("input", *encoder["blocks"])]
    arguments = {name: (folder, name, described, folds, job.settings) for name in (ALONE, *curve)}
    probed = of_each_readout(f"acoustics and {encoder['encoder']}", beside, arguments, job.threads)
    tables.write_table(pa.concat_tables(probed.values()), job.output.predictions, job.provenance)


def descriptors(parts: list[Path], clip_ids: list[str]) -> np.ndarray:
    """Acoustic descriptors (clips, descriptors) of ``clip_ids``, NaN where undefined.

    Raises `StratavoxError` where a clip has none.
    """
    table = pa.concat_tables([tables.read_table(part) for part in parts])
    rows = places(table["clip_id"].to_pylist(), clip_ids, parts[0].parent)
    return table.drop_columns("clip_id").to_pandas().to_numpy(np.float64)[rows]


def beside(
    folder: Path, readout: str, described: np.ndarray, folds: pa.Table, settings: dict
) -> pa.Table:
    """Predictions from ``described`` (clips, descriptors) and a readout, or from them alone."""
    with threadpool_limits(1):
        clip_ids, _ = clips_of(folds)
        parts = [described]
        if readout != ALONE:
            parts.append(matrix(folder, readout, clip_ids))
        name = ALONE if readout == ALONE else f"{readout}+{ALONE}"
        return pa.concat_tables(
            _predictions(name, parts, repeat, clip_ids, settings)
            for repeat in repeats(folds, clip_ids)
        )


def _predictions(
    name: str, parts: list[np.ndarray], repeat: Repeat, clip_ids: list[str], settings: dict
) -> pa.Table:
    """Out-of-fold predictions from ``parts`` side by side, in one repeat of the folds."""
    labels, y = np.unique(repeat.target, return_inverse=True)
    predicted, log_probability = np.empty(len(y), dtype=np.int64), np.empty(len(y))
    for k in range(repeat.fold.max() + 1):
        test = repeat.fold == k
        x = side_by_side(parts, ~test)
        outer, _ = nested_cv.outer_fold(x, y, repeat.apart, test, settings, standardise=False)
        predicted[test], log_probability[test] = outer.predicted, outer.log_probability
    named = {"readout": name, "probe": "linear", "control": "none"}
    return repeat.predictions(named, clip_ids, labels[predicted], log_probability)
