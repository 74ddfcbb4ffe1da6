"""Linear probes of every readout of one encoder on one task of one dataset.

Reads the readouts and the shared folds; writes scores (a row for each readout, control, regime,
repeat, fold and metric; fold is null where the predictions of all folds are scored together), the
out-of-fold prediction of every clip, and the learned weights of the fusion ``weighted``. What is
fitted and scored depends on the task's kind (`kinds.Kind.probe`). The settings' ``fusions``
(fusion.py) are readouts made of others. The readout ``nested`` is, in each outer fold, the block
with the least inner loss; test clips are not used for this choice.

Where the readouts of the depth curve differ in width, as in convolutional networks, the control
``width_matched`` is the curve again, each readout cut to as many principal components of the
training clips as the narrowest has columns, in the strictest regime.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from stratavox import tables
from stratavox.errors import StratavoxError
from stratavox.probe import fusion, kinds
from stratavox.probe.readouts import clips_of, strictest
from stratavox.probe.schemas import PREDICTIONS, SCORES
from stratavox.probe.workers import of_each_readout
from stratavox.stage import Job

FOLD = ["control", "regime", "repeat", "fold"]
MATCHED = "width_matched"


def run(job: Job) -> None:
    encoder, folder = tables.read_json(job.input.encoder), job.input.encoder.parent
    folds = tables.read_table(job.input.folds)
    blocks = encoder["blocks"]
    kind = kinds.of(job.settings)
    fused = _fusions(encoder, [name for name in job.settings["fusions"] if kind.has(name)])
    arguments = {
        name: (folder, fused.get(name, blocks), name, folds, job.settings)
        for name in (*encoder["readouts"], *fused)
    }
    widths = {
        name: encoder["widths"][name] for name in encoder["readouts"] if name in ("input", *blocks)
    }
    if len(set(widths.values())) > 1:
        apart, narrowest = strictest(folds), min(widths.values())
        arguments |= {
            f"{name}, {MATCHED}": (folder, blocks, name, apart, job.settings, narrowest)
            for name in widths
        }
    probed = of_each_readout(
        f"probes of {encoder['encoder']}", probe_readout, arguments, job.threads
    )
    scores, predictions, layer_weights = map(pa.concat_tables, zip(*probed.values(), strict=True))
    if blocks:
        scores, predictions = choose_block(scores, predictions, blocks, kind)
    tables.write_table(scores, job.output.scores, job.provenance)
    tables.write_table(predictions, job.output.predictions, job.provenance)
    tables.write_table(layer_weights, job.output.layer_weights, job.provenance)


def _fusions(encoder: dict, wanted: list[str]) -> dict[str, list[str]]:
    """The fusions to probe, and the readouts of each; those of one readout are left out."""
    members = {name: fusion.members(name, encoder) for name in fusion.FUSIONS if name in wanted}
    return {name: parts for name, parts in members.items() if len(parts) > 1}


def probe_readout(
    folder: Path,
    blocks: list[str],
    readout: str,
    folds: pa.Table,
    settings: dict,
    components: int | None = None,
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Scores, predictions and layer weights of one readout in every regime, repeat and fold.

    ``blocks`` are the readouts that it is made of if it is a fusion; with ``components`` it is cut
    to so many, which is the control `MATCHED`.
    """
    clip_ids, _ = clips_of(folds)
    try:
        source = fusion.source(folder, readout, blocks, clip_ids)
        control = "none"
        if components is not None:
            source, control = replace(source, components=components), MATCHED
        probe = kinds.of(settings).module("probe")
        return probe.cross_validate(source, readout, blocks, clip_ids, folds, settings, control)
    except StratavoxError as error:
        raise StratavoxError(f"{folder} / {readout}: {error}") from None


def choose_block(
    scores: pa.Table, predictions: pa.Table, blocks: list[str], kind: kinds.Kind
) -> tuple[pa.Table, pa.Table]:
    """The tables with the readout ``nested`` added, and ``chosen`` true for its block in each fold.

    In each outer fold, and under the control `MATCHED` separately, it is the block with the least
    inner loss; of equals the first.
    """
    frame = scores.to_pandas()
    fits = frame[frame["readout"].isin(blocks) & frame["fold"].notna()]
    fits = fits[fits["metric"] == kind.metric].sort_values("readout", kind="stable")
    best = fits.loc[fits.groupby(FOLD)["inner_log_loss"].idxmin()]
    chosen = best[[*FOLD, "readout"]]
    picked = pd.MultiIndex.from_frame(frame[[*FOLD, "readout"]]).isin(
        pd.MultiIndex.from_frame(chosen)
    )
    marks = pa.array(np.where(picked, True, None), pa.bool_())
    scores = scores.set_column(scores.schema.get_field_index("chosen"), "chosen", marks)
    per_fold = frame[picked].assign(readout="nested", chosen=None)
    of_chosen = predictions.to_pandas().merge(chosen).assign(readout="nested")
    rows = []
    for (control, regime, repeat), part in of_chosen.groupby(FOLD[:-1], sort=True):
        named = {"readout": "nested", "probe": "linear", "control": control, "regime": regime}
        rows += kind.module("probe").scored(part, named | {"repeat": repeat})
    per_fold = pa.Table.from_pandas(per_fold, schema=SCORES, preserve_index=False)
    of_chosen = pa.Table.from_pandas(of_chosen, schema=PREDICTIONS, preserve_index=False)
    return (
        pa.concat_tables([scores, per_fold, pa.Table.from_pylist(rows, schema=SCORES)]),
        pa.concat_tables([predictions, of_chosen]),
    )
