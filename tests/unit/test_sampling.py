"""A sample of the clips keeps classes and groups, stays when clips are added, and is told."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

import stage_jobs
from stratavox import tables
from stratavox.errors import StratavoxError
from stratavox.init import check
from stratavox.probe import folds
from stratavox.probe.readouts import matrix
from stratavox.sampling import seeded_order

SETTINGS = {
    **{"dataset": "d", "task": "t", "target": "call", "group": "bird", "recording": []},
    **{"min_clips": 5, "min_groups": 3, "folds": 4, "inner_folds": 3, "repeats": 2, "seed": 0},
    "max_clips": 200,
}


def aviary() -> list[tuple[str, str, str]]:
    """Clip, call and bird: a loud bird with half of all calls, 29 others, and a rare call."""
    generator = np.random.default_rng(3)
    rows = [(f"loud {n}", f"call {n % 3}", "bird 00") for n in range(600)]
    for bird in range(1, 30):
        for n in range(20):
            rows.append((f"{bird} {n}", f"call {generator.integers(3)}", f"bird {bird:02d}"))
    return rows + [(f"rare {n}", "rare", f"bird {n % 4:02d}") for n in range(8)]


def chosen(rows, **changed) -> tuple[dict, dict]:
    ids, call, bird = zip(*rows, strict=True)
    labels = pa.table({"clip_id": ids, "call": call, "bird": bird})
    return folds.choose_clips(labels, SETTINGS | changed)


def test_classes_keep_their_shares_and_the_rare_one_what_it_needs():
    rows = aviary()
    clips, summary = chosen(rows)
    assert len(clips["clip_id"]) == len(set(clips["clip_id"])) == 200
    there, kept = Counter(row[1] for row in rows), Counter(clips["target"])
    assert kept["rare"] == 5  # min_clips: its share would be 1
    for call in ("call 0", "call 1", "call 2"):
        assert kept[call] == pytest.approx(200 * there[call] / len(rows), abs=4)
    assert summary["clips"] == 200
    assert {label: counts["clips"] for label, counts in summary["classes"].items()} == kept


def test_every_group_is_there_while_there_is_room():
    rows = aviary()
    cells = {(call, bird) for _, call, bird in rows}
    clips, summary = chosen(rows)
    kept = set(zip(clips["target"], clips["group"], strict=True))
    # 30 birds by 3 calls have room among some 65 clips a call; the rare one has 5 for its 4 birds
    assert kept == cells
    assert summary["groups"] == 30 and summary["classes"]["rare"]["groups"] == 4
    # with fewer clips than cells, each clip of a class is of another bird
    clips, _ = chosen(rows, max_clips=60)
    for call in set(clips["target"]):
        birds = clips["group"][clips["target"] == call]
        assert len(set(birds)) == min(len(birds), 4 if call == "rare" else 30)


def test_folds_of_a_sample_hold_every_class_and_no_group_straddles():
    clips, _ = chosen(aviary())
    table, regimes, _ = folds.assign(clips, SETTINGS)
    frame = table.to_pandas()
    assert regimes == ["grouped", "random"]
    for (regime, _, fold), test in frame.groupby(["regime", "repeat", "fold"]):
        same = frame[(frame.regime == regime) & (frame.repeat == test.repeat.iloc[0])]
        train = same[same.fold != fold]
        assert set(train.target) == {"call 0", "call 1", "call 2", "rare"}
        assert regime == "random" or not set(test.group) & set(train.group)


def test_the_sample_is_of_the_seed_and_the_clips_not_of_the_table_order():
    rows = aviary()
    sample = set(chosen(rows)[0]["clip_id"])
    assert set(chosen(rows[::-1])[0]["clip_id"]) == sample
    assert set(chosen(rows, seed=1)[0]["clip_id"]) != sample


def test_adding_a_clip_moves_at_most_a_clip_a_class():
    rows = aviary()
    sample = set(chosen(rows)[0]["clip_id"])
    more = set(chosen([*rows, ("new", "call 0", "bird 07")])[0]["clip_id"])
    # one for the new clip, one for the class's share
    assert len(more) == 200 and len(sample - more) <= 2


def test_a_smaller_sample_of_the_same_seed_lies_in_a_larger_one():
    ids = [row[0] for row in aviary()]
    order = seeded_order(ids, 0)
    assert sorted(order) == list(range(len(ids)))
    probed = set(chosen(aviary(), group=None, min_groups=1)[0]["clip_id"])
    mapped = {ids[row] for row in order[:100]}
    # the two stages draw apart; that they share most is what puts labels on a map
    assert len(mapped & probed) > 90


@pytest.mark.parametrize("most", [None, 5000])
def test_all_clips_are_probed_where_they_have_room(most):
    rows = aviary()
    clips, summary = chosen(rows, max_clips=most)
    assert clips["clip_id"].tolist() == [row[0] for row in rows]
    assert summary["drawn_from"] is None


def test_the_summary_names_what_the_sample_was_drawn_from():
    _, summary = chosen(aviary(), max_clips=25)
    assert summary["drawn_from"] == {"clips": len(aviary()), "groups": 30, "seed": 0}
    assert summary["groups"] < 30
    assert f"drawn by class from {len(aviary())} clips" in check._describe(summary)[1]
    _, unknown = chosen(aviary(), max_clips=25, group=None)
    assert unknown["drawn_from"]["groups"] is None


def test_too_few_clips_for_the_classes_are_refused():
    with pytest.raises(StratavoxError, match="max_clips: found 19.* 4 classes.*give 20 or more"):
        chosen(aviary(), max_clips=19)
    assert len(chosen(aviary(), max_clips=20)[0]["clip_id"]) == 20


def test_another_sample_makes_that_datasets_probes_stale_and_no_embedding(tmp_path):
    default = stage_jobs.default_config()
    default["datasets"]["other"] = copy.deepcopy(default["datasets"]["chorus"])
    default["run"]["datasets"].append("other")
    changed = copy.deepcopy(default)
    changed["datasets"]["other"]["probes"]["max_clips"] = 40

    def keys(config):
        files = {}
        for name in ("chorus", "other"):
            files |= {
                (name, "folds"): f"results/folds/{name}/species.parquet",
                (name, "linear"): f"results/scores/logmel/{name}/species.parquet",
                (name, "neighbours"): f"results/geometry/logmel/{name}/species.neighbours.parquet",
                (name, "infer"): f"results/answers/{name}/species/summary.json",
                (name, "collect"): f"results/embeddings/logmel/{name}/encoder.json",
            }
        return stage_jobs.keys(config, tmp_path, files)

    before, after = keys(default), keys(changed)
    stale = {stage for stage in before if before[stage] != after[stage]}
    assert stale == {("other", name) for name in ("folds", "linear", "neighbours", "infer")}


def test_rows_of_a_readout_are_read_in_any_order_from_many_row_groups(tmp_path):
    x = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    ids = [f"c{n:02d}" for n in range(50)]
    table = pa.table({"clip_id": ids, "embedding": tables.embedding_column(x)})
    path = tmp_path / "block_00.parquet"
    with tables.table_writer(path, table.schema, {}) as writer:
        writer.write_table(table, row_group_size=7)
    assert np.array_equal(tables.read_embeddings(path), x)
    rows = np.array([49, 0, 6, 7, 7, 20])
    assert np.array_equal(tables.read_embeddings(path, rows), x[rows])
    assert tables.read_embeddings(path, rows[:0]).shape == (0, 3)
    assert np.array_equal(matrix(tmp_path, "block_00", ["c31", "c02"]), x[[31, 2]])
