"""Neighbours against labels: scikit-learn's values, planted recordings, and what is excluded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score, silhouette_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from embeddings_data import command, folder, names
from stratavox.errors import StratavoxError
from stratavox.geometry import labelled, neighbours
from stratavox.probe.folds import SCHEMA
from stratavox.tables import read_provenance, read_table, write_table

SETTINGS = {"seed": 0, "max_clips": 3000}


def folds_of(
    target: np.ndarray,
    group: np.ndarray | None,
    recording: np.ndarray | None = None,
    folds: int = 4,
) -> pa.Table:
    """A folds table with a grouped regime (by group number) where there are groups, and random."""
    n = len(target)
    by_clip = np.arange(n, dtype=np.int32) % folds
    label = [f"k{value}" for value in target]
    sides = [None] * n if group is None else [f"g{value}" for value in group]
    cut = [None] * n if recording is None else [f"r{value}" for value in recording]
    blocks = [("random", by_clip)]
    if group is not None:
        blocks.insert(0, ("grouped", (group % folds).astype(np.int32)))
    return pa.concat_tables(
        pa.table(
            [[name] * n, [repeat] * n, fold, names(n), label, sides, cut]
            + [[None] * n] * (len(SCHEMA) - 7),
            schema=SCHEMA,
        )
        for name, fold in blocks
        for repeat in (0, 1)
    )


def values(where: Path, x: np.ndarray, folds: pa.Table, settings: dict = SETTINGS) -> dict:
    """(value, excluded, n_clips) by measure, of one readout."""
    table, _ = neighbours.compute(folder(where, {"features": x}), folds, settings)
    return {
        row["measure"]: (row["value"], row["excluded"], row["n_clips"]) for row in table.to_pylist()
    }


def clips_of_recordings(generator, each: int = 6, recordings: int = 30, classes: int = 3):
    """Near copies inside each recording, one class a recording, and nothing else about the class.

    Returns embeddings (clips, 20), target and recording (clips,).
    """
    recording = np.repeat(np.arange(recordings), each)
    place = generator.normal(size=(recordings, 20))
    x = place[recording] + 0.05 * generator.normal(size=(len(recording), 20))
    return x, recording // (recordings // classes), recording


def test_retrieval_is_the_mean_roc_auc_over_queries():
    generator = np.random.default_rng(0)
    x, target, recording = clips_of_recordings(generator, each=4, recordings=12)
    similarity = labelled.cosines(x).round(1)  # many ties
    aparts = (np.arange(len(x)), recording)
    for apart, (area, queries) in zip(
        aparts, labelled.retrieval(similarity, target, *aparts), strict=True
    ):
        areas = [
            roc_auc_score(target[kept] == target[query], similarity[query, kept])
            for query in range(len(x))
            for kept in [apart != apart[query]]
        ]
        assert area == pytest.approx(np.mean(areas), abs=1e-12)
        assert queries == len(x)


def test_retrieval_in_blocks_is_the_same(monkeypatch):
    x, target, recording = clips_of_recordings(np.random.default_rng(1))
    [whole] = labelled.retrieval(labelled.cosines(x), target, recording)
    monkeypatch.setattr(labelled, "BLOCK", 7)
    [in_blocks] = labelled.retrieval(labelled.cosines(x), target, recording)
    assert in_blocks == pytest.approx(whole)


def test_queries_without_a_match_are_not_counted():
    x = np.random.default_rng(2).normal(size=(8, 3))
    target = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    recording = np.array([0, 0, 1, 1, 2, 2, 3, 3])  # class 1 was recorded once
    [(_, queries)] = labelled.retrieval(labelled.cosines(x), target, recording)
    assert queries == 6


def test_copies_in_a_recording_inflate_retrieval_only_where_they_may_be_retrieved(tmp_path):
    x, target, recording = clips_of_recordings(np.random.default_rng(3), recordings=60, classes=10)
    measured = values(tmp_path, x, folds_of(target, None, recording))
    free, without = measured["retrieval_roc_auc"], measured["retrieval_roc_auc_apart"]
    assert free[1:] == ("none", 360) and without[1:] == ("recording", 360)
    assert free[0] > 0.55  # 5 of 35 positives are copies
    assert without[0] == pytest.approx(0.5, abs=0.02)


def test_the_exclusion_is_recording_then_group_then_none():
    target = np.array([0, 0, 0, 1, 1, 1])
    fine, coarse = np.array([0, 1, 2, 3, 4, 5]), np.array([0, 0, 1, 1, 2, 2])
    nested = target  # one group a class: nothing would be left to find
    itself = np.arange(6)
    choose = neighbours.exclusion
    units = {"none": itself, "recording": fine, "group": coarse}
    assert choose(target, units) == "recording"
    assert choose(target, {"none": itself, "group": coarse}) == "group"
    assert choose(target, {"none": itself, "group": nested}) == "none"
    assert choose(target, {"none": itself}) == "none"


def test_without_recordings_the_group_is_excluded(tmp_path):
    x, target, recording = clips_of_recordings(np.random.default_rng(4))
    measured = values(tmp_path, x, folds_of(target, recording))
    assert measured["retrieval_roc_auc_apart"][1] == "group"
    assert measured["retrieval_roc_auc_apart"][0] < measured["retrieval_roc_auc"][0] - 0.02


def test_a_planted_session_is_no_help_to_knn(tmp_path):
    x, target, session = clips_of_recordings(np.random.default_rng(5), recordings=60)
    value, excluded, _ = values(tmp_path / "grouped", x, folds_of(target, session))[labelled.KNN]
    assert excluded == "group" and value < 0.45  # chance is 1/3
    value, excluded, _ = values(tmp_path / "random", x, folds_of(target, None))[labelled.KNN]
    assert excluded == "none" and value > 0.95


def test_knn_is_that_of_scikit_learn():
    generator = np.random.default_rng(6)
    target = np.array(["a", "b", "c"])[generator.integers(0, 3, 90)]
    x = generator.normal(size=(90, 6)) + (target == "a")[:, None] + 0.5
    fold = np.empty(90, dtype=int)
    split = StratifiedKFold(5)
    for number, (_, test) in enumerate(split.split(x, target)):
        fold[test] = number
    model = KNeighborsClassifier(5, metric="cosine")
    there = balanced_accuracy_score(target, cross_val_predict(model, x, target, cv=split))
    assert labelled.knn(labelled.cosines(x), target, fold, np.arange(90)) == pytest.approx(there)


def test_a_group_on_both_sides_of_a_fold_is_refused(tmp_path):
    x, target, session = clips_of_recordings(np.random.default_rng(7))
    folds = folds_of(target, session)
    leaking = np.arange(len(folds), dtype=np.int32) % 4
    folds = folds.set_column(2, "fold", pa.array(leaking))
    with pytest.raises(StratavoxError, match=r"features: groups on both sides of a fold"):
        values(tmp_path, x, folds)


def test_clusters_and_silhouette_find_planted_classes_and_no_shuffled_ones(tmp_path):
    generator = np.random.default_rng(8)
    target = generator.permutation(120) % 4
    x = 6 * np.eye(4)[target] @ generator.normal(size=(4, 30)) + generator.normal(size=(120, 30))
    measured = values(tmp_path / "planted", x, folds_of(target, None))
    assert [measured[name][0] for name in (labelled.NMI, labelled.AMI, labelled.ARI)] == [1, 1, 1]
    assert measured[labelled.SILHOUETTE][0] == pytest.approx(
        silhouette_score(x.astype(np.float32), target, metric="cosine"), abs=1e-6
    )
    assert measured[labelled.SILHOUETTE][0] > 0.5
    shuffled = generator.permutation(target)
    measured = values(tmp_path / "shuffled", x, folds_of(shuffled, None))
    assert abs(measured[labelled.AMI][0]) < 0.04 and abs(measured[labelled.ARI][0]) < 0.04
    assert measured[labelled.SILHOUETTE][0] < 0.02
    assert measured["retrieval_roc_auc"][0] == pytest.approx(0.5, abs=0.03)


def test_a_subsample_keeps_the_classes_shares_and_two_clips_of_each():
    target = np.repeat(["a", "b", "c"], [600, 300, 3])
    rows = neighbours.stratified(target, 90, seed=1)
    counts = dict(zip(*np.unique(target[rows], return_counts=True), strict=True))
    assert len(rows) == len(set(rows)) == 90 and list(rows) == sorted(rows)
    assert abs(counts["a"] - 2 * counts["b"]) <= 3 and counts["c"] >= 2
    assert np.array_equal(rows, neighbours.stratified(target, 90, seed=1))
    assert not np.array_equal(rows, neighbours.stratified(target, 90, seed=2))
    assert np.array_equal(neighbours.stratified(target, 903, seed=1), np.arange(903))
    with pytest.raises(StratavoxError, match="max_clips: found 5, .* 3 classes; give 6 or more"):
        neighbours.stratified(target, 5, seed=1)


def test_the_command_writes_tidy_rows_for_the_clips_of_the_task_alone(tmp_path):
    generator = np.random.default_rng(9)
    x, target, session = clips_of_recordings(generator, each=4)
    stray = generator.normal(size=(30, 20)) * 1000  # clips the task leaves out
    there = {"block_00": np.vstack([x, stray]), "block_01": np.vstack([x + 1, stray])}
    where = folder(tmp_path / "embeddings", there)
    folds = folds_of(target, session, session)
    write_table(folds, tmp_path / "folds.parquet", {})
    out = tmp_path / "neighbours.parquet"
    read = {"encoder": where / "encoder.json", "folds": tmp_path / "folds.parquet"}
    done = command("neighbours", SETTINGS | {"max_clips": 60}, read, out)
    assert done.returncode == 0, done.stderr
    assert "neighbours on 60 of 120 clips" in done.stderr
    table = read_table(out)
    assert table.schema.equals(neighbours.SCHEMA)
    frame = table.to_pandas()
    assert frame.groupby("readout").size().to_dict() == {"block_00": 7, "block_01": 7}
    assert set(frame["n_clips"]) == {60} and set(frame["n_classes"]) == {3}
    kept = read_provenance(out)
    assert kept["key"] == "kept" and kept["neighbours"]["knn_regime"] == "grouped"
    again, _ = neighbours.compute(where, folds, SETTINGS | {"max_clips": 60})
    assert again.equals(table)
    alone = values(tmp_path / "alone", x, folds)
    whole, _ = neighbours.compute(where, folds, SETTINGS)
    assert whole["value"].to_pylist()[:7] == [value for value, *_ in alone.values()]


def test_rows_meet_labels_by_clip_and_not_by_place(tmp_path):
    generator = np.random.default_rng(11)
    target = generator.permutation(120) % 4
    folds = folds_of(target, None)
    kept = generator.permutation(120)[:80]  # a task of some clips, its rows in any order
    rows = [row for row in generator.permutation(len(folds)) if row % 120 in set(kept)]
    measured = values(tmp_path, np.eye(4)[target] + 0.1, folds.take(rows))
    assert measured["retrieval_roc_auc"] == (1, "none", 80)


def test_a_clip_of_the_folds_without_an_embedding_is_named(tmp_path):
    x, target, session = clips_of_recordings(np.random.default_rng(10), each=4)
    with pytest.raises(StratavoxError, match=r"features.parquet: 1 of 120 .*'c00119'"):
        values(tmp_path, x[:-1], folds_of(target, session))
