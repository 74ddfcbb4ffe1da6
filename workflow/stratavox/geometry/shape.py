"""Stage: effective rank, participation ratio and mean cosine of each readout of an encoder.

Reads a folder of readouts (``encoder.json`` and ``{readout}.parquet``); writes one row for each
readout and measure. The ranks grow with the number of clips, so each measure is taken on draws of
``matched_clips`` clips without replacement: ``value`` is the mean over the draws, ``low`` and
``high`` their range.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from stratavox import columns, tables
from stratavox.errors import StratavoxError
from stratavox.geometry import folder
from stratavox.progress import Progress
from stratavox.stage import Job

# exp of the entropy of the singular values over their sum: Roy & Vetterli 2007, EUSIPCO, "The
# effective rank: a measure of effective dimensionality", of the embedding minus its mean. RankMe
# (Garrido et al. 2023, ICML) is the same formula without subtracting the mean, which adds one
# direction; where clips share an offset it is the largest, and the mean cosine shows it.
EFFECTIVE_RANK = "effective_rank"
# (sum of l)^2 / sum of l^2 over eigenvalues l of the covariance: Gao et al. 2017, bioRxiv 214262,
# "A theory of multineuronal dimensionality, dynamics and measurement".
PARTICIPATION_RATIO = "participation_ratio"
# Mean cosine between two different clips, 0 where directions are even: Ethayarajh 2019, EMNLP,
# "How contextual are contextualized word representations?", section 4.1, anisotropy.
MEAN_COSINE = "mean_cosine"

SCHEMA = columns.schema("geometry/{encoder}/{dataset}/shape.parquet")
FEWEST_CLIPS = 3


def singular_values(x: np.ndarray) -> np.ndarray:
    """Singular values of ``x`` (clips, width) minus its mean, in double precision.

    From the eigenvalues of the smaller product of the matrix with itself, in half of the time of
    its decomposition. What they do not resolve, below 1e-7 of the largest, is 0.
    """
    x = x - x.mean(axis=0, dtype=np.float64)
    power = np.linalg.eigvalsh(x @ x.T if len(x) < x.shape[1] else x.T @ x)
    resolved = power > len(power) * np.finfo(float).eps * power[-1]
    return np.sqrt(np.where(resolved, power, 0))


def effective_rank(singular: np.ndarray) -> float:
    """Effective rank, from 1 to the number of directions; not a number where nothing varies."""
    total = singular.sum()
    if total == 0:
        return float("nan")
    p = singular[singular > 0] / total
    return float(np.exp(-np.sum(p * np.log(p))))


def participation_ratio(singular: np.ndarray) -> float:
    """Participation ratio of the covariance; not a number where nothing varies."""
    power = np.square(singular)
    return float(power.sum() ** 2 / np.square(power).sum()) if power.any() else float("nan")


def mean_cosine(x: np.ndarray) -> float:
    """Mean cosine over all pairs of different rows of ``x``; a row of zeros has cosine 0."""
    unit = normalize(x.astype(np.float64))
    n = len(unit)
    itself = np.sum(np.square(unit))
    return float((np.sum(np.square(unit.sum(axis=0))) - itself) / (n * (n - 1)))


def uncorrelated(x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """``x`` with each column permuted on its own.

    The null of both ranks: every dimension keeps its values, only the correlation between
    dimensions is removed. Noise of equal variance in all dimensions would also differ from a
    readout in the scales of its dimensions.
    """
    return generator.permuted(x, axis=0)


def draws(clips: int, settings: dict) -> Iterator[tuple[np.ndarray, np.random.Generator]]:
    """Row numbers of each draw of ``clips``, and the generator to continue with for its null.

    They depend on the seed and the number of clips alone, so all readouts see the same clips.
    """
    for draw in range(settings["draws"]):
        generator = np.random.default_rng([settings["seed"], draw])
        drawn = min(settings["matched_clips"], clips)
        yield generator.choice(clips, drawn, replace=False), generator


def measures(x: np.ndarray, rows: np.ndarray, clips: int, settings: dict) -> list[tuple]:
    """(measure, value, low, high, null) of the embeddings of ``clips`` clips.

    ``x`` (rows, width) are the rows of all draws, ``rows`` (rows,) their numbers, ascending.
    A value is not a number where a draw does not vary; the mean cosine has no null.
    """
    values: dict[str, list[float]] = {EFFECTIVE_RANK: [], PARTICIPATION_RATIO: [], MEAN_COSINE: []}
    null: dict[str, list[float]] = {EFFECTIVE_RANK: [], PARTICIPATION_RATIO: []}
    for drawn, generator in draws(clips, settings):
        chosen = x[np.searchsorted(rows, drawn)]
        for into, of in ((values, chosen), (null, uncorrelated(chosen, generator))):
            singular = singular_values(of)
            into[EFFECTIVE_RANK].append(effective_rank(singular))
            into[PARTICIPATION_RATIO].append(participation_ratio(singular))
        values[MEAN_COSINE].append(mean_cosine(chosen))
    return [
        (name, np.mean(each), np.min(each), np.max(each), np.mean(null.get(name, np.nan)))
        for name, each in values.items()
    ]


def compute(where: Path, settings: dict) -> tuple[pa.Table, dict]:
    """The table for a folder of readouts, and the facts for its metadata; undefined is null."""
    encoder = tables.read_json(where / "encoder.json")
    table_rows = []
    progress = Progress(f"shape of {encoder['encoder']}", len(encoder["readouts"]), "readouts")
    for readout in encoder["readouts"]:
        with tables.open_table(where / f"{readout}.parquet") as file:
            clips = file.metadata.num_rows
        if clips < FEWEST_CLIPS:
            raise StratavoxError(
                f"{where / readout}.parquet: {clips} clips are too few for a rank, which needs "
                f"{FEWEST_CLIPS}; add clips to the dataset or leave it out of run.datasets"
            )
        drawn = min(settings["matched_clips"], clips)
        rows = np.unique(np.concatenate([each for each, _ in draws(clips, settings)]))
        x = folder.matrix(where, readout, rows)
        measured = measures(x, rows, clips, settings)
        table_rows += [(readout, *row, clips, drawn) for row in measured]
        progress.add()
    progress.close()
    names, kinds, *numbers, clips_column, drawn_column = zip(*table_rows, strict=True)
    floats = [pa.array(np.array(column), from_pandas=True) for column in numbers]
    table = pa.table([names, kinds, *floats, clips_column, drawn_column], schema=SCHEMA)
    facts = {
        "clips": clips,
        "matched_clips": settings["matched_clips"],
        "clips_drawn": drawn,
        "null": "columns permuted independently",
        "statements": [],
    }
    if drawn < settings["matched_clips"]:
        facts["statements"].append(
            f"{clips} clips are fewer than matched_clips: {settings['matched_clips']}; ranks of "
            "this dataset compare between its readouts and encoders only"
        )
    return table, facts


def run(job: Job) -> None:
    # One thread: the order of floating-point sums must not depend on the machine.
    with threadpool_limits(1):
        table, facts = compute(job.input.encoder.parent, job.settings)
    folder.write(table, facts, "shape", job)
