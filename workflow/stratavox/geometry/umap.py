"""Stage: UMAP coordinates of an encoder's readouts on one dataset, and their trustworthiness.

Reads a folder of readouts (``encoder.json`` and ``{readout}.parquet``); writes one row for each
readout and clip. Above ``max_clips`` a seeded sample of the clips is mapped, which the table's
metadata says.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numba
import numpy as np
import pyarrow as pa
import umap
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from umap import layouts, umap_

from stratavox import columns
from stratavox.errors import StratavoxError
from stratavox.geometry import folder
from stratavox.sampling import random_rows, seeded_order
from stratavox.stage import Job
from stratavox.tables import read_json

SCHEMA = columns.schema("geometry/{encoder}/{dataset}/umap.parquet")
PLACES = ("first", "middle", "last")
MIN_CLIPS = 5
# Trustworthiness is quadratic in clips; on 3,000 of 20,000 points it differed by .002.
TRUST_CLIPS = 3000

# numba would compile these anew in every process, which takes longer than most maps.
for function in (
    umap_.smooth_knn_dist,
    umap_.compute_membership_strengths,
    layouts.clip,
    layouts._nb_optimize_layout_euclidean_single_epoch,
):
    function.enable_caching()


def choose_readouts(wanted: list[str], encoder: dict) -> list[str]:
    """The readouts that ``wanted`` names, in that order, each once.

    ``first``, ``middle`` and ``last`` are blocks (the middle one of an even number is the later of
    the two); any other entry is a readout's name. Of an encoder without blocks it is its readout,
    whatever ``wanted`` is.
    """
    readouts, blocks = encoder["readouts"], encoder["blocks"]
    if not blocks:
        return [readouts[-1]]
    places = dict(zip(PLACES, (blocks[0], blocks[len(blocks) // 2], blocks[-1]), strict=True))
    chosen = [places.get(name, name) for name in wanted]
    unknown = [name for name in chosen if name not in readouts]
    if unknown or not chosen:
        problem = f"{unknown} are not readouts" if unknown else "no readout is named"
        raise StratavoxError(
            f"figures.umap.readouts: {problem} of encoder {encoder['encoder']}; "
            f"name some of {list(PLACES)} or of {readouts}"
        )
    return list(dict.fromkeys(chosen))


def neighbours(requested: int, clips: int) -> int:
    """The number of neighbours: ``requested``, or fewer where there are few clips.

    Trustworthiness is defined up to half as many neighbours as clips, and the map must use the same
    number of neighbours, so (clips - 1) // 2 is the maximum.
    """
    return min(requested, (clips - 1) // 2)


def project(embedding: np.ndarray, n_neighbors: int, min_dist: float, seed: int) -> np.ndarray:
    """UMAP of standardised embeddings (clips, width): coordinates (clips, 2), float32.

    Each dimension is standardised first, as for the probes: in transformers a few dimensions carry
    most of the variance (Timkey & van Schijndel 2021, EMNLP, "All bark and no bite: rogue
    dimensions in transformer language models obscure representational quality") and would decide
    the Euclidean neighbours alone. UMAP: McInnes, Healy & Melville 2018, arXiv:1802.03426.

    Exact neighbours are passed to it: those that UMAP computes are approximate from 4,096 clips on,
    and below that it measures each pair in Python.
    """
    standardised = StandardScaler().fit_transform(embedding)
    reducer = umap.UMAP(
        n_neighbors=n_neighbors,
        min_dist=min_dist,
        random_state=seed,
        n_jobs=1,
        precomputed_knn=nearest(standardised, n_neighbors),
    )
    with warnings.catch_warnings():
        # no clip is added to the map later
        warnings.filterwarnings("ignore", message=".*transform will be unavailable")
        return reducer.fit_transform(standardised)


def nearest(x: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Each row's ``k`` nearest rows of ``x`` (clips, width), itself first: numbers, distances.

    Both (clips, k), distances float32. A row's distance from itself is exactly 0, as UMAP takes the
    least distance above 0 for that of the nearest neighbour.
    """
    distances, rows = NearestNeighbors(n_neighbors=k - 1).fit(x).kneighbors()
    itself = np.arange(len(x))[:, None]
    distances = np.hstack([np.zeros_like(itself), distances]).astype(np.float32)
    return np.hstack([itself, rows]), distances


def trust(embedding: np.ndarray, coordinates: np.ndarray, k: int, seed: int) -> float:
    """Trustworthiness of a map, from 0 to 1: low where its neighbours are not true neighbours.

    Venna & Kaski 2001 (ICANN, "Neighborhood preservation in nonlinear projection methods"), by
    scikit-learn, against the standardised embedding that was mapped; on a random sample of at most
    3,000 clips. A random map scores about .5.
    """
    standardised = StandardScaler().fit_transform(embedding)
    kept = random_rows(len(embedding), TRUST_CLIPS, seed)
    return float(trustworthiness(standardised[kept], coordinates[kept], n_neighbors=k))


def compute(embeddings: Path, settings: dict) -> tuple[pa.Table, dict]:
    """The table of coordinates for a folder of readouts, and the facts for its metadata."""
    encoder = read_json(embeddings / "encoder.json")
    readouts = choose_readouts(settings["readouts"], encoder)
    parts, trusts, k = [], {}, settings["n_neighbors"]
    for readout in readouts:
        clip_ids = folder.clip_ids(embeddings, readout)
        order = seeded_order(clip_ids, settings["seed"])
        rows = np.sort(order[: settings["max_clips"]])
        clips = len(rows)
        if clips < MIN_CLIPS:
            raise StratavoxError(
                f"{embeddings / readout}.parquet: {clips} clips are too few for a UMAP, which "
                f"needs {MIN_CLIPS}; add clips to the dataset or leave it out of run.datasets"
            )
        matrix = folder.matrix(embeddings, readout, rows)
        k = neighbours(settings["n_neighbors"], clips)
        xy = project(matrix, k, settings["min_dist"], settings["seed"])
        trusts[readout] = trust(matrix, xy, k, settings["seed"])
        print(f"{encoder['encoder']} {readout}: trustworthiness {trusts[readout]:.3f}", flush=True)
        parts.append(pa.table([[readout] * clips, clip_ids[rows], *xy.T], schema=SCHEMA))
    facts = {
        "standardised": True,
        "n_neighbors": k,
        "clips": clips,
        "whole": len(clip_ids),
        "trustworthiness": trusts,
        "trustworthiness_clips": min(clips, TRUST_CLIPS),
        "statements": [],
    }
    if k < settings["n_neighbors"]:
        facts["statements"].append(
            f"n_neighbors reduced from {settings['n_neighbors']} to {k}: only {clips} clips"
        )
    return pa.concat_tables(parts), facts


def run(job: Job) -> None:
    # One thread: the order of floating-point sums, and so the map, must not depend on the machine.
    numba.set_num_threads(1)
    with threadpool_limits(1):
        table, facts = compute(job.input.encoder.parent, job.settings)
    folder.write(table, facts, "umap", job)
