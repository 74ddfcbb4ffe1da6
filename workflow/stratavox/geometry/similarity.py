"""Stage: debiased linear CKA between every two readouts of all encoders of a run on one dataset.

Reads one folder of readouts an encoder (``encoder.json`` and ``{readout}.parquet``) of the same
clips; writes one row for each pair of readouts, in both orders and with itself. Above ``max_clips``
a random sample of the clips is used, which the table's metadata says.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from stratavox import columns, sampling, tables
from stratavox.errors import StratavoxError
from stratavox.geometry import cka, folder
from stratavox.progress import Progress
from stratavox.stage import Job

SCHEMA = columns.schema("similarity/{dataset}.parquet")


def run(job: Job) -> None:
    # One thread: the order of floating-point sums must not depend on the machine.
    with threadpool_limits(1):
        table, facts = compute([path.parent for path in job.input.encoders], job.settings)
    folder.write(table, facts, "similarity", job)


def compute(folders: list[Path], settings: dict) -> tuple[pa.Table, dict]:
    """The table for the readouts in ``folders``, and the facts for its metadata.

    In memory are one readout and, for each, n (n - 1) / 2 values in float32, n being at most
    ``max_clips``. ``cka`` is null for a readout that does not vary.
    Raises `StratavoxError` where the folders hold different clips, or too few.
    """
    readouts = _readouts(folders)
    clips = _same_clips(readouts)
    rows = sampling.random_rows(len(clips), settings["max_clips"], settings["seed"])
    n = len(rows)
    vectors = np.zeros((len(readouts), n * (n - 1) // 2), dtype=np.float32)
    varies = np.ones(len(readouts), dtype=bool)
    progress = Progress("similarity", len(readouts), "readouts")
    for number, (where, _, readout) in enumerate(readouts):
        vector = cka.signature(folder.matrix(where, readout, rows))
        if vector is None:
            varies[number] = False
        else:
            vectors[number] = vector
        progress.add()
    progress.close()
    values = cka.debiased_cka(vectors)
    names = [(encoder, readout) for _, encoder, readout in readouts]
    cells = [
        (*names[a], *names[b], float(values[a, b]) if varies[a] and varies[b] else None, n)
        for a in range(len(names))
        for b in range(len(names))
    ]
    columns = [list(column) for column in zip(*cells, strict=True)]
    statements = [
        f"{encoder} {readout}: the same for all clips, so its CKA is undefined"
        for (encoder, readout), moving in zip(names, varies, strict=True)
        if not moving
    ]
    if n < len(clips):
        statements.append(f"CKA on {n} of {len(clips)} clips, drawn with seed {settings['seed']}")
    facts = {"estimator": "debiased linear CKA", "clips": len(clips), "clips_used": n}
    return pa.table(columns, schema=SCHEMA), facts | {"statements": statements}


def _readouts(folders: list[Path]) -> list[tuple[Path, str, str]]:
    """(folder, encoder, readout) of every readout, in the order of ``folders``."""
    encoders = [(where, tables.read_json(where / "encoder.json")) for where in folders]
    return [
        (where, encoder["encoder"], readout)
        for where, encoder in encoders
        for readout in encoder["readouts"]
    ]


def _same_clips(readouts: list[tuple[Path, str, str]]) -> np.ndarray:
    """The clips that every readout holds; CKA pairs them row by row."""
    first = readouts[0]
    clips = folder.clip_ids(first[0], first[2])
    for where, _, readout in readouts[1:]:
        other = folder.clip_ids(where, readout)
        if not np.array_equal(clips, other):
            only = sorted(set(clips) ^ set(other))
            raise StratavoxError(
                f"{where / readout}.parquet: {len(other)} clips that are not the {len(clips)} of "
                f"{first[0] / first[2]}.parquet ({len(only)} in one alone, first "
                f"{only[0] if only else 'none: another order'!r}); give folders of the same "
                "dataset, and delete the older one and run the workflow again"
            )
    if len(clips) < cka.FEWEST_CLIPS:
        raise StratavoxError(
            f"{first[0]}: {len(clips)} clips are too few for a debiased CKA, which needs "
            f"{cka.FEWEST_CLIPS}; add clips to the dataset or leave it out of run.datasets"
        )
    return clips
