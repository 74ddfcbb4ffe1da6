"""Probes on tokens: which can use order, the notebook's case, and that nothing leaks."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

import stage_jobs
from stratavox import tables
from stratavox.errors import StratavoxError
from stratavox.probe import attention, token_probes, token_store, training
from stratavox.probe.schemas import PREDICTIONS, SCORES

torch.set_num_threads(1)
ORDER_FREE = [name for name in token_probes.PROBES if name != "attention_order"]
SETTINGS = {
    "heads": 2,
    "layers": 1,
    "epochs": 2,
    "learning_rate": 0.003,
    "batch_size": 16,
    "weight_decay": 0.0,
    "seed": 0,
    "probes": list(token_probes.PROBES),
    "repeats": 1,
}


def folds_of(target, group, regime: str = "grouped", n_folds: int = 3) -> pa.Table:
    """Folds that test the groups 0, 1, 2, ... in turn; clips are named c000, c001, ..."""
    n = len(target)
    rows = {
        "regime": [regime] * n,
        "repeat": pa.array([0] * n, pa.int32()),
        "fold": pa.array([number % n_folds for number in group], pa.int32()),
        "clip_id": [f"c{place:03d}" for place in range(n)],
        "target": [f"class {label}" for label in target],
        "group": [f"group {number}" for number in group],
    }
    return pa.table(rows)


def noise(n: int, width: int = 8, seed: int = 0, longest: int = 9) -> list[np.ndarray]:
    """Half-precision tokens of ``n`` clips of 3 to ``longest`` tokens."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(3, longest + 1, size=n)
    return [rng.standard_normal((count, width)).astype(np.float16) for count in counts]


def pooled(scores: list[dict], probe: str, control: str = "none") -> float:
    """Balanced accuracy of all folds together."""
    (value,) = (
        row["value"]
        for row in scores
        if (row["probe"], row["control"], row["metric"]) == (probe, control, "balanced_accuracy")
        and "fold" not in row
    )
    return value


def test_order_alone_is_decoded_by_the_order_aware_probe_and_by_no_other():
    """Two clips of one bag of tokens: one rising, one falling; both are tested together."""
    bags = [clip[np.argsort(clip[:, 0])] for clip in noise(48, longest=6)]
    clips = [clip for bag in bags for clip in (bag, bag[::-1].copy())]
    target, group = [0, 1] * 48, np.repeat(np.arange(48) % 6, 2)
    settings = SETTINGS | {"epochs": 20}
    scores, _ = attention.probe_readout(clips, "block_00", folds_of(target, group), settings)
    assert pooled(scores, "attention_order") > 0.9
    assert 0.35 < pooled(scores, "attention_order", "shuffled") < 0.65
    for probe in ORDER_FREE:  # it cannot tell the two apart, so one of each pair is wrong
        assert pooled(scores, probe) == pytest.approx(0.5, abs=0.02), probe


@pytest.fixture(scope="module")
def fitted() -> dict[str, token_probes.Fitted]:
    """Every probe, shortly trained on noise."""
    y = np.arange(40) % 3
    return {
        probe: token_probes.fit(probe, noise(40), y, SETTINGS, seed=1)
        for probe in token_probes.PROBES
    }


def test_the_order_of_tokens_changes_nothing_but_for_the_order_aware_probe(fitted):
    clips = noise(20, seed=5)
    mixed = [np.random.default_rng(2).permutation(clip) for clip in clips]
    for probe, trained in fitted.items():
        moved = np.abs(trained.log_probabilities(mixed) - trained.log_probabilities(clips)).max()
        assert (moved > 1e-3) if probe == "attention_order" else (moved < 1e-5), probe


def test_a_clips_prediction_does_not_depend_on_the_clips_beside_it(fitted):
    clips = noise(30, seed=6, longest=40)
    for probe, trained in fitted.items():
        together = trained.log_probabilities(clips)
        alone = np.concatenate([trained.log_probabilities([clip]) for clip in clips])
        np.testing.assert_allclose(together, alone, atol=1e-5, rtol=0, err_msg=probe)
        assert np.abs(np.diff(together, axis=0)).max() > 1e-3, "or any mixture would do"
        np.testing.assert_allclose(np.exp(together).sum(axis=1), 1.0)


def test_training_does_not_depend_on_how_a_batch_is_cut(monkeypatch):
    """The masked probe without dropout: clip by clip, the same gradient as all at once, padded."""
    clips, y, trained = noise(40), np.arange(40) % 3, []
    for tokens in (1, 5000):
        monkeypatch.setattr(training, "PIECE_TOKENS", tokens)
        trained.append(token_probes.fit("attention_pool", clips, y, SETTINGS, seed=1))
    weights = [probe.module.classifier.weight.detach().numpy() for probe in trained]
    np.testing.assert_allclose(*weights, atol=1e-5)
    untrained = token_probes.AttentionPool(8, 3, 2, 1).classifier.weight.detach().numpy()
    assert np.abs(weights[0] - untrained).max() > 1e-2


def test_on_one_mean_vector_avexs_queries_and_keys_do_nothing(fitted):
    """The notebook's case: a softmax over a single key is 1, whatever the query."""
    probe = fitted["attention_mean"]
    clips = noise(20, seed=7)
    before = probe.log_probabilities(clips)
    same_weights = token_probes.Fitted("attention", probe.module, probe.scaler)
    on_tokens = same_weights.log_probabilities(clips)
    layers = probe.module.probe.attention_layers
    kept = [layer.in_proj_weight.detach().clone() for layer in layers]
    with torch.no_grad():
        for layer in layers:
            layer.in_proj_weight[:16] = 5 * torch.randn(16, 8)  # queries and keys, not values
    np.testing.assert_allclose(probe.log_probabilities(clips), before, atol=1e-6)
    assert np.abs(same_weights.log_probabilities(clips) - on_tokens).max() > 1e-2
    with torch.no_grad():
        for layer, weight in zip(layers, kept, strict=True):
            layer.in_proj_weight.copy_(weight)


def test_a_single_informative_token_is_decoded_by_attention_and_lost_in_the_mean():
    """One of 25 tokens carries a mark and, beside it, the class."""
    rng = np.random.default_rng(3)
    y = np.arange(200) % 2
    clips = [rng.standard_normal((25, 8)).astype(np.float16) for _ in y]
    for clip, label in zip(clips, y, strict=True):
        clip[rng.integers(25), :2] = 6, 3 * (2 * label - 1)
    settings = SETTINGS | {"epochs": 25, "learning_rate": 0.03}
    right = {}
    for probe in ("attention_pool", "mlp"):
        trained = token_probes.fit(probe, clips[:140], y[:140], settings, seed=1)
        right[probe] = np.mean(trained.log_probabilities(clips[140:]).argmax(axis=1) == y[140:])
    assert right["attention_pool"] > 0.9 > 0.8 > right["mlp"]


@pytest.mark.parametrize(("width", "classes"), [(512, 3), (768, 38), (64, 2)])
def test_the_mlp_has_as_many_parameters_as_the_attention_probe(width, classes):
    sizes = [
        token_probes.count(token_probes.PROBES[probe].module(width, classes, heads=8, layers=2))
        for probe in ("mlp", "attention")
    ]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)
    if width == 768:
        assert 4.70e6 < sizes[1] < 4.80e6, "the size of the notebook's probe"


def test_a_group_on_both_sides_is_refused_where_folds_are_grouped():
    target, group = [0, 1] * 6, np.arange(12) // 2
    folds = folds_of(target, group)
    settings = SETTINGS | {"probes": ["attention_pool"]}
    attention.probe_readout(noise(12), "block_00", folds, settings)
    names = ["group 0", "group 0", "group 0", *folds["group"].to_pylist()[3:]]
    leaking = folds.set_column(5, "group", pa.array(names))  # c002 is tested with group 1
    with pytest.raises(StratavoxError, match="groups on both sides of fold 0: group 0; .*delete"):
        attention.probe_readout(noise(12), "block_00", leaking, settings)
    recorded = leaking.append_column("recording", leaking["group"])
    recorded = recorded.set_column(0, "regime", pa.array(["recording"] * 12))
    with pytest.raises(StratavoxError, match="recordings on both sides of fold 0: group 0"):
        attention.probe_readout(noise(12), "block_00", recorded, settings)
    free = leaking.set_column(0, "regime", pa.array(["random"] * 12))
    attention.probe_readout(noise(12), "block_00", free, settings)


def test_one_seed_gives_the_same_predictions_and_a_test_clip_changes_no_training():
    target, group = [0, 1, 2] * 8, np.arange(24) // 4
    folds, clips = folds_of(target, group), noise(24)

    def log_probabilities(clips, **changed) -> dict[str, np.ndarray]:
        rows = attention.probe_readout(clips, "block_00", folds, SETTINGS | changed)[1]
        labelled = {probe: np.full(24, np.nan) for probe in token_probes.PROBES}
        for row in rows:
            labelled[row["probe"]][int(row["clip_id"][1:])] = row["log_probability"]
        return labelled

    first, again, other = (log_probabilities(clips, seed=seed) for seed in (0, 0, 1))
    loud = [100 * clips[0] if place == 0 else clip for place, clip in enumerate(clips)]
    beside_loud = log_probabilities(loud)
    tested_with_it = np.flatnonzero(group % 3 == 0)[1:]
    for probe in token_probes.PROBES:
        assert np.isfinite(first[probe]).all()
        assert np.array_equal(first[probe], again[probe]), probe
        assert np.abs(first[probe] - other[probe]).max() > 1e-3, probe
        kept, left = beside_loud[probe][tested_with_it], first[probe][tested_with_it]
        np.testing.assert_allclose(kept, left, atol=1e-5, err_msg=probe)
        # where it is trained on, it does change what is learned
        assert np.abs(beside_loud[probe][4:8] - first[probe][4:8]).max() > 1e-3, probe


def test_a_class_that_training_lacks_is_never_predicted_and_has_no_probability():
    group = np.arange(24) // 4
    target = np.where(group == 0, 2, np.arange(24) % 2)
    _, rows = attention.probe_readout(noise(24), "block_00", folds_of(target, group), SETTINGS)
    assert len(rows) == 2 * 24 * len(token_probes.PROBES)
    for row in rows:
        absent = row["target"] == "class 2"
        assert np.isneginf(row["log_probability"]) == absent
        if row["fold"] == 0:
            assert row["predicted"] != "class 2"


def put_tokens(folder: Path, clips: list[np.ndarray]) -> list[Path]:
    """Two parts as embed.tokens writes them, clips dealt in turn, two row groups each."""
    paths = []
    for shard in range(2):
        mine = [(f"c{place:03d}", clips[place]) for place in range(shard, len(clips), 2)]
        kind = pa.list_(pa.list_(pa.float16(), clips[0].shape[1]))
        schema = pa.schema([("clip_id", pa.string()), ("n_tokens", pa.int32()), ("block_00", kind)])
        paths.append(folder / f"part-{shard:03d}.parquet")
        with tables.table_writer(paths[-1], schema, {}) as writer:
            for rows in (mine[:3], mine[3:]):
                values = [[list(token) for token in clip] for _, clip in rows]
                columns = [[name for name, _ in rows], [len(clip) for _, clip in rows], values]
                writer.write_table(pa.table(columns, schema=writer.schema))
    return paths


def test_the_command_writes_the_tables_of_the_linear_probe(tmp_path):
    clips, target, group = noise(24), [0, 1, 2] * 8, np.arange(24) // 4
    grouped = folds_of(target, group)
    both = pa.concat_tables([folds_of(target, group, "random"), grouped])
    backwards = both.take(list(range(both.num_rows))[::-1])
    tables.write_table(backwards, tmp_path / "folds.parquet", {})
    read = {"folds": tmp_path / "folds.parquet", "tokens": put_tokens(tmp_path, clips)}
    out = {name: tmp_path / f"{name}.parquet" for name in ("scores", "predictions")}
    attention.run(stage_jobs.job(read, out, SETTINGS, provenance={"key": "k"}))
    scores = tables.read_table(tmp_path / "scores.parquet")
    predictions = tables.read_table(tmp_path / "predictions.parquet")
    assert scores.schema.equals(SCORES) and predictions.schema.equals(PREDICTIONS)
    assert tables.read_provenance(tmp_path / "scores.parquet")["key"] == "k"
    assert set(scores["regime"].to_pylist()) == {"grouped"}
    # a row a probe, control and metric, for each of three folds and for all of them together
    assert scores.num_rows == len(token_probes.PROBES) * 2 * 3 * 4
    assert set(scores["c"].to_pylist()) == set(scores["inner_log_loss"].to_pylist()) == {None}
    rows = scores.to_pylist()
    rows_of_clips = predictions.to_pandas()
    for probe, control in product(token_probes.PROBES, ("none", "shuffled")):
        mine = rows_of_clips[
            (rows_of_clips["probe"] == probe) & (rows_of_clips["control"] == control)
        ]
        assert sorted(mine["clip_id"]) == grouped["clip_id"].to_pylist()
        together = balanced_accuracy_score(mine["target"], mine["predicted"])
        (score,) = (
            row["value"]
            for row in rows
            if row["probe"] == probe
            and (row["control"], row["metric"]) == (control, "balanced_accuracy")
            and row["fold"] is None
        )
        assert score == pytest.approx(together)
    # each clip's own tokens went with its own label, in the order of the folds
    here = attention.probe_readout(clips[::-1], "block_00", backwards.slice(0, 24), SETTINGS)[1]
    log_p = rows_of_clips.set_index(["probe", "control", "clip_id"])["log_probability"]
    for row in here:
        if row["control"] == "none":
            assert log_p[row["probe"], "none", row["clip_id"]] == row["log_probability"]


def test_folds_are_grouped_where_they_can_be_and_clips_must_be_there(tmp_path):
    target, group = [0, 1] * 6, np.arange(12) // 2
    random = folds_of(target, group, "random")
    assert attention.chosen_folds(random, 1).equals(random)
    both = pa.concat_tables([random, folds_of(target, group)])
    assert set(attention.chosen_folds(both, 1)["regime"].to_pylist()) == {"grouped"}
    with pytest.raises(StratavoxError, match=r"repeats: found 2; the folds have 1"):
        attention.chosen_folds(both, 2)
    clips = noise(12)
    parts = put_tokens(tmp_path, clips)
    names = [f"c{place:03d}" for place in (7, 0, 11)]
    for name, tokens in zip(names, token_store.read(parts, ["block_00"], names), strict=True):
        assert np.array_equal(tokens[:, 0], clips[int(name[1:])])
    with pytest.raises(StratavoxError, match="1 of 2 clips of the folds have no tokens.*'c099'"):
        token_store.read(parts, ["block_00"], ["c000", "c099"])


def test_heads_must_divide_the_width():
    folds = folds_of([0, 1] * 6, np.arange(12) // 2)
    with pytest.raises(StratavoxError, match="heads: found 3; it must divide the width of bl.* 8"):
        attention.probe_readout(noise(12), "block_00", folds, SETTINGS | {"heads": 3})
