"""Debiased CKA: the estimator against its definition, and the table of all pairs."""

from __future__ import annotations

from itertools import permutations
from math import perm

import numpy as np
import pytest
from scipy.stats import ortho_group

from embeddings_data import command, folder
from stratavox.errors import StratavoxError
from stratavox.geometry import cka, similarity
from stratavox.tables import read_provenance, read_table

SETTINGS = {"max_clips": 100, "seed": 0}


def debiased(*readouts: np.ndarray) -> np.ndarray:
    return cka.debiased_cka(np.stack([cka.signature(x) for x in readouts]))


def biased(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    own = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(x.T @ y) ** 2 / own)


def hsic_1(x: np.ndarray, y: np.ndarray) -> float:
    """HSIC as a U-statistic, by its definition: means over tuples of clips that all differ.

    Song et al. 2012, section 2.1 (population value) and Hoeffding's U-statistic of it; no matrix
    formula in common with the code under test.
    """
    k, m, n = x @ x.T, y @ y.T, len(x)
    joint = sum(k[i, j] * m[i, j] for i, j in permutations(range(n), 2)) / perm(n, 2)
    apart = sum(k[i, j] * m[q, r] for i, j, q, r in permutations(range(n), 4)) / perm(n, 4)
    cross = sum(k[i, j] * m[i, q] for i, j, q in permutations(range(n), 3)) / perm(n, 3)
    return joint + apart - 2 * cross


def test_independent_noise_is_not_alike_where_the_biased_estimate_says_it_is():
    generator = np.random.default_rng(0)
    pairs = [generator.normal(size=(2, 60, 768)) for _ in range(10)]
    estimates = [debiased(x, y)[0, 1] for x, y in pairs]
    assert np.mean([biased(x, y) for x, y in pairs]) > 0.9
    assert abs(np.mean(estimates)) < 0.015
    assert np.max(np.abs(estimates)) < 0.06


def test_the_value_is_that_of_the_definition_by_loops():
    generator = np.random.default_rng(1)
    x = generator.normal(size=(9, 5)) + 3
    y = x[:, :3] + generator.normal(size=(9, 3))
    there = hsic_1(x, y) / np.sqrt(hsic_1(x, x) * hsic_1(y, y))
    assert debiased(x, y)[0, 1] == pytest.approx(there, abs=1e-5)
    assert 0.2 < there < 0.95


def test_rotation_scale_and_offset_do_not_matter_but_scale_of_one_dimension_does():
    generator = np.random.default_rng(2)
    x, y = generator.normal(size=(2, 80, 12))
    y += x
    turned = 7.5 * x @ ortho_group.rvs(12, random_state=3) + 100
    values = debiased(x, turned, y)
    assert values[0, 1] == pytest.approx(1, abs=1e-5)
    assert values[0, 2] == pytest.approx(values[1, 2], abs=1e-5)
    assert debiased(x, x * ([50] + [1] * 11))[0, 1] < 0.7


def test_a_large_common_offset_costs_no_digits():
    x = np.random.default_rng(4).normal(size=(50, 20))
    far = (x + 1e4).astype(np.float32)
    assert debiased(x, far)[0, 1] == pytest.approx(1, abs=1e-4)


def test_the_table_is_a_whole_symmetric_square_over_encoders_of_unlike_width(tmp_path):
    generator = np.random.default_rng(5)
    shared = generator.normal(size=(60, 8))
    a = folder(
        tmp_path / "a",
        {"block_00": shared, "block_01": np.hstack([shared, generator.normal(size=(60, 8))])},
        "a",
    )
    b = folder(tmp_path / "b", {"features": generator.normal(size=(60, 300))}, "b")
    out = tmp_path / "similarity.parquet"
    read = {"encoders": [a / "encoder.json", b / "encoder.json"]}
    done = command("similarity", SETTINGS, read, out)
    assert done.returncode == 0, done.stderr
    table = read_table(out)
    assert table.schema.equals(similarity.SCHEMA)
    frame = table.to_pandas()
    assert set(frame["n_clips"]) == {60} and len(frame) == 9
    keys = [["a_encoder", "a_readout"], ["b_encoder", "b_readout"]]
    square = frame.pivot(index=keys[0], columns=keys[1], values="cka")
    assert list(square.index) == [("a", "block_00"), ("a", "block_01"), ("b", "features")]
    values = square.to_numpy()
    assert np.array_equal(values, values.T)
    assert np.diag(values) == pytest.approx(1, abs=1e-5)
    assert values[0, 1] > 0.6 and abs(values[0, 2]) < 0.1
    kept = read_provenance(out)
    assert kept["key"] == "kept" and kept["similarity"]["clips_used"] == 60
    again, _ = similarity.compute([a, b], SETTINGS)
    assert again.equals(table)


def test_many_clips_are_a_seeded_subsample_the_same_for_all_and_reported(tmp_path):
    x = np.random.default_rng(6).normal(size=(300, 4))
    where = folder(tmp_path, {"one": x, "two": 2 * x})
    settings = {"max_clips": 50, "seed": 9}
    table, facts = similarity.compute([where], settings)
    assert set(table["n_clips"].to_pylist()) == {50}
    # the same clips of both, or the copies would not match
    assert table["cka"].to_pylist() == pytest.approx([1] * 4, abs=1e-5)
    assert facts["statements"] == ["CKA on 50 of 300 clips, drawn with seed 9"]
    assert similarity.compute([where], settings)[0].equals(table)


def test_a_readout_that_does_not_vary_has_no_cka_and_is_named(tmp_path):
    x = np.random.default_rng(7).normal(size=(20, 4))
    table, facts = similarity.compute(
        [folder(tmp_path, {"live": x, "dead": np.full((20, 4), 0.1)})], SETTINGS
    )
    assert [value is None for value in table["cka"].to_pylist()] == [False, True, True, True]
    assert facts["statements"] == ["enc dead: the same for all clips, so its CKA is undefined"]


def test_folders_of_other_clips_are_refused_by_name(tmp_path):
    x = np.random.default_rng(8).normal(size=(20, 4))
    one = folder(tmp_path / "a", {"features": x}, "a")
    other = folder(tmp_path / "b", {"features": x[:19]}, "b")
    with pytest.raises(StratavoxError, match=r"b/features.parquet: 19 .* 20 .*'c00019'"):
        similarity.compute([one, other], SETTINGS)


def test_an_error_is_one_message(tmp_path):
    read = {"encoders": [tmp_path / "encoder.json"]}
    done = command("similarity", SETTINGS, read, tmp_path / "out.parquet")
    assert done.returncode == 1 and "encoder.json: no such file" in done.stderr
    assert "Traceback" not in done.stderr
