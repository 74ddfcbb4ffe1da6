"""UMAP coordinates: which readouts, the same again, and how far to trust them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from sklearn.metrics import pairwise_distances
from sklearn.preprocessing import StandardScaler
from umap import UMAP

from embeddings_data import command, folder, names
from stratavox.errors import StratavoxError
from stratavox.geometry import umap
from stratavox.sampling import random_rows
from stratavox.tables import embedding_matrix, read_provenance, read_table

SETTINGS = {"readouts": ["first", "last"], "max_clips": 1000, "n_neighbors": 15}
SETTINGS |= {"min_dist": 0.1, "seed": 3}
BLOCKS = [f"block_{number:02d}" for number in range(4)]


def embeddings(where: Path, clips: int = 40, blocks: list[str] = BLOCKS) -> Path:
    generator = np.random.default_rng(0)
    readouts = {}
    for name in ["input", *blocks] if blocks else ["features"]:
        readouts[name] = generator.normal(size=(clips, 6)) + 4 * (np.arange(clips)[:, None] % 3)
        readouts[name][:, 0] *= 500  # without standardising it would decide every neighbour
    return folder(where, readouts)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("umap")
    where = embeddings(root / "embeddings")
    read = {"encoder": where / "encoder.json"}
    done = command("umap", SETTINGS, read, root / "umap.parquet")
    assert done.returncode == 0, done.stderr
    return where, root / "umap.parquet"


def test_one_row_a_clip_and_readout_in_the_requested_order(mapped):
    table = read_table(mapped[1])
    assert table.column_names == ["readout", "clip_id", "x", "y"]
    assert table["readout"].to_pylist() == ["block_00"] * 40 + ["block_03"] * 40
    assert table["clip_id"].to_pylist()[:40] == names(40)
    assert read_provenance(mapped[1])["key"] == "kept"


def test_a_fresh_process_gives_the_same_coordinates(mapped):
    here, facts = umap.compute(mapped[0], SETTINGS)
    assert here.equals(read_table(mapped[1]))
    assert facts == read_provenance(mapped[1])["umap"]


def test_another_seed_gives_another_map(mapped):
    other, _ = umap.compute(mapped[0], SETTINGS | {"seed": 4})
    assert not other["x"].equals(read_table(mapped[1])["x"])


def test_trustworthiness_is_that_of_scikit_learn_on_standardised_values(mapped):
    where, out = mapped
    facts = read_provenance(out)["umap"]
    table = read_table(out).to_pandas()
    for readout in ("block_00", "block_03"):
        values = embedding_matrix(read_table(where / f"{readout}.parquet")["embedding"])
        xy = table.loc[table["readout"] == readout, ["x", "y"]].to_numpy()
        there = trustworthiness(StandardScaler().fit_transform(values), xy, n_neighbors=15)
        assert facts["trustworthiness"][readout] == pytest.approx(there, abs=1e-12)
        assert there > 0.7


def test_dimensions_are_standardised_before_the_map(mapped):
    values = embedding_matrix(read_table(mapped[0] / "input.parquet")["embedding"])
    # by powers of two, so that standardised values are the same to the last bit
    stretched = values * np.array([1, 8, 1, 1, 1, 64], dtype=np.float32)
    maps = [umap.project(matrix, 15, 0.1, 3) for matrix in (values, stretched)]
    assert np.array_equal(*maps)


@pytest.mark.filterwarnings("ignore:using precomputed metric")
def test_the_map_is_that_of_all_pairwise_distances(mapped):
    """Also where a clip stands twice, and where rounding leaves it at a distance from itself."""
    values = embedding_matrix(read_table(mapped[0] / "input.parquet")["embedding"])
    values = np.vstack([values, values[:1]])
    x = StandardScaler().fit_transform(values)
    there = pairwise_distances(x.astype(np.float64))
    np.fill_diagonal(there, 0)
    pairs = UMAP(n_neighbors=9, min_dist=0.1, metric="precomputed", random_state=3, n_jobs=1)
    expected = pairs.fit_transform(there)
    np.testing.assert_allclose(umap.project(values, 9, 0.1, 3), expected, atol=1e-3)


def test_trustworthiness_of_many_clips_is_taken_on_a_seeded_subsample():
    rows = random_rows(5000, umap.TRUST_CLIPS, seed=1)
    assert len(rows) == len(set(rows)) == 3000
    assert np.array_equal(rows, random_rows(5000, umap.TRUST_CLIPS, seed=1))
    assert not np.array_equal(rows, random_rows(5000, umap.TRUST_CLIPS, seed=2))
    assert np.array_equal(random_rows(3000, umap.TRUST_CLIPS, seed=1), np.arange(3000))


ENCODER = {"encoder": "enc", "readouts": ["input", *BLOCKS], "blocks": BLOCKS}


def test_past_max_clips_a_seeded_sample_is_mapped_and_reported(tmp_path):
    where = embeddings(tmp_path, clips=40)
    table, facts = umap.compute(where, SETTINGS | {"max_clips": 20})
    assert (facts["clips"], facts["whole"], table.num_rows) == (20, 40, 2 * 20)
    ids = table["clip_id"].to_pylist()
    assert ids[:20] == ids[20:] == sorted(set(ids))
    fewer, _ = umap.compute(where, SETTINGS | {"max_clips": 10})
    assert set(fewer["clip_id"].to_pylist()) < set(ids)


def test_first_middle_and_last_are_blocks_and_names_are_readouts():
    wanted = ["first", "middle", "last", "input", "block_03"]
    chosen = umap.choose_readouts(wanted, ENCODER)
    assert chosen == ["block_00", "block_02", "block_03", "input"]


def test_an_encoder_without_blocks_shows_its_only_readout():
    baseline = {"encoder": "logmel", "readouts": ["features"], "blocks": []}
    assert umap.choose_readouts(["first", "input"], baseline) == ["features"]


def test_an_unknown_readout_is_an_error_that_lists_what_there_is():
    with pytest.raises(StratavoxError, match=r"'block_11'.*enc.*'middle'.*'input'.*'block_03'"):
        umap.choose_readouts(["first", "block_11"], ENCODER)


def test_few_clips_reduce_the_neighbourhood_and_say_so(tmp_path):
    _, facts = umap.compute(embeddings(tmp_path, clips=9, blocks=[]), SETTINGS)
    statement = "n_neighbors reduced from 15 to 4: only 9 clips"
    assert (facts["n_neighbors"], facts["statements"]) == (4, [statement])


def test_too_few_clips_are_an_error(tmp_path):
    where = embeddings(tmp_path / "few", clips=4, blocks=[])
    with pytest.raises(StratavoxError, match=r"features.parquet: 4 clips are too few.* 5"):
        umap.compute(where, SETTINGS)
