"""Ranks and anisotropy: planted truths, matched clips, and a null that knows what scale does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from embeddings_data import command, folder
from stratavox.errors import StratavoxError
from stratavox.geometry import shape
from stratavox.tables import read_provenance, read_table

SETTINGS = {"matched_clips": 60, "draws": 4, "seed": 0}


def directions(k: int, clips: int = 40, width: int = 100) -> np.ndarray:
    """Clips that vary equally along ``k`` orthogonal directions around an offset."""
    generator = np.random.default_rng(k)
    scores = generator.normal(size=(clips, k))
    scores = np.linalg.qr(scores - scores.mean(axis=0))[0]
    axes = np.linalg.qr(generator.normal(size=(width, k)))[0]
    return scores @ axes.T + 5


def by_measure(x: np.ndarray, settings: dict = SETTINGS) -> dict[str, tuple]:
    return {row[0]: row[1:] for row in shape.measures(x, np.arange(len(x)), len(x), settings)}


@pytest.mark.parametrize("k", [1, 3, 20])
def test_both_ranks_of_k_equal_directions_are_k(k):
    singular = shape.singular_values(directions(k))
    assert shape.participation_ratio(singular) == pytest.approx(k)
    assert shape.effective_rank(singular) == pytest.approx(k, rel=1e-6)


def test_unequal_directions_follow_the_formulas():
    singular = np.array([3.0, 1.0, 0.0])
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert shape.effective_rank(singular) == pytest.approx(np.exp(entropy))
    assert shape.participation_ratio(singular) == pytest.approx((9 + 1) ** 2 / (81 + 1))


def test_mean_cosine_is_that_of_all_pairs_of_different_clips():
    x = np.random.default_rng(0).normal(size=(30, 5)) + 0.7
    assert shape.mean_cosine(x) == pytest.approx(np.mean(1 - pdist(x, "cosine")))
    assert 0.2 < shape.mean_cosine(x) < 0.5


def test_ranks_at_matched_clips_do_not_grow_with_the_number_of_clips():
    x = np.random.default_rng(1).normal(size=(1500, 200))
    few, many = (by_measure(x[:n])["effective_rank"][0] for n in (150, 1500))
    assert few == pytest.approx(many, rel=0.02)
    unmatched = shape.effective_rank(shape.singular_values(x))
    assert unmatched > 3 * many


def test_the_null_separates_correlation_from_unequal_scale():
    generator = np.random.default_rng(2)
    scaled = generator.normal(size=(300, 50)) * np.geomspace(100, 1, 50)
    correlated = generator.normal(size=(300, 3)) @ generator.normal(size=(3, 50))
    for name in ("effective_rank", "participation_ratio"):
        value, *_, null = by_measure(scaled)[name]
        assert value == pytest.approx(null, rel=0.1)
        value, *_, null = by_measure(correlated)[name]
        assert value < 4 < 4 * value < null
    assert np.isnan(by_measure(scaled)["mean_cosine"][-1])


def test_the_value_is_the_mean_over_draws_and_the_bounds_their_range():
    x = np.random.default_rng(3).normal(size=(200, 30))
    value, low, high, _ = by_measure(x)["participation_ratio"]
    assert low < value < high
    value, low, high, _ = by_measure(x, SETTINGS | {"matched_clips": 500})["participation_ratio"]
    assert low == pytest.approx(value, rel=1e-9) and high == pytest.approx(value, rel=1e-9)


def test_the_command_writes_one_row_a_readout_and_measure(tmp_path):
    generator = np.random.default_rng(4)
    x = {"block_00": generator.normal(size=(90, 7)), "block_01": np.full((90, 7), 0.1)}
    out = tmp_path / "shape.parquet"
    where = folder(tmp_path / "embeddings", x)
    done = command("shape", SETTINGS, {"encoder": where / "encoder.json"}, out)
    assert done.returncode == 0, done.stderr
    table = read_table(out)
    assert table.schema.equals(shape.SCHEMA)
    rows = table.to_pylist()
    assert [(row["readout"], row["measure"]) for row in rows] == [
        (readout, measure)
        for readout in x
        for measure in ("effective_rank", "participation_ratio", "mean_cosine")
    ]
    assert {(row["n_clips"], row["n_drawn"]) for row in rows} == {(90, 60)}
    assert rows[2]["null"] is None and rows[0]["null"] > 1
    # a readout that does not vary has no rank, and points one way
    assert rows[3]["value"] is None and rows[4]["high"] is None
    assert rows[5]["value"] == pytest.approx(1)
    assert read_provenance(out)["key"] == "kept"
    assert shape.compute(where, SETTINGS)[0].equals(table)


def test_fewer_clips_than_requested_are_reported(tmp_path):
    x = np.random.default_rng(5).normal(size=(40, 6))
    table, facts = shape.compute(folder(tmp_path, {"features": x}), SETTINGS)
    assert set(table["n_drawn"].to_pylist()) == {40}
    assert "40 clips are fewer than matched_clips: 60" in facts["statements"][0]


def test_too_few_clips_are_an_error(tmp_path):
    where = folder(tmp_path, {"features": np.eye(2)})
    with pytest.raises(StratavoxError, match=r"features.parquet: 2 clips are too few .* 3"):
        shape.compute(where, SETTINGS)
