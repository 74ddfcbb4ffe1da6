"""Probes on all blocks: what they can learn, how epochs are chosen, what the answers say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import answers_data
import stage_jobs
from stratavox import tables
from stratavox.corpus import chorus
from stratavox.embed import tokens
from stratavox.embed.part import load
from stratavox.errors import StratavoxError
from stratavox.inference.answers import claims, contrasts, estimates, layer_weights
from stratavox.inference.groups import interval, share_bounds
from stratavox.inference.study import Key
from stratavox.probe import all_blocks, block_probes, token_probes, token_store, training
from stratavox.probe.training import Clips, Scaler, Training
from test_attention import folds_of

torch.set_num_threads(1)
BLOCKS = ["block_00", "block_01", "block_02"]
SETTINGS = {
    "protocols": ["icassp2026"],
    "probes": ["linear", "attention"],
    "seeds": 2,
    "epochs": 20,
    "repeats": 1,
    "inner_folds": 2,
    "seed": 0,
}


def planted(
    n: int, block: int, width: int = 8, seed: int = 0
) -> tuple[list[np.ndarray], np.ndarray]:
    """Clips of 3 to 6 tokens of three blocks of noise; the mean of one block tells the class."""
    rng, y = np.random.default_rng(seed), np.arange(n) % 2
    clips = [rng.standard_normal((rng.integers(3, 7), 3, width)) for _ in y]
    for clip, label in zip(clips, y, strict=True):
        clip[:, block, 0] += 4 * label - 2
    return [clip.astype(np.float16) for clip in clips], y


def scores_of(rows: list[dict], readout: str, probe: str) -> float:
    """Mean over seeds of the balanced accuracy of all folds together."""
    values = [
        row["value"]
        for row in rows
        if (row["readout"], row["probe"], row["control"]) == (readout, probe, "none")
        and row["metric"] == "balanced_accuracy"
        and "fold" not in row
    ]
    assert len(values) == SETTINGS["seeds"]
    return float(np.mean(values))


def test_what_is_in_an_early_block_is_decoded_from_all_blocks_and_not_the_last(monkeypatch):
    # 60 small steps would not move a layer of 8 numbers
    monkeypatch.setattr(block_probes, "training_of", lambda n: Training(n, 0.03, 16, 0.01, True))
    clips, y = planted(96, block=0)
    rows, _, weights = all_blocks.probe_blocks(
        clips, BLOCKS, folds_of(y, np.arange(96) // 8), SETTINGS
    )
    for head in SETTINGS["probes"]:
        of = {name: scores_of(rows, name, f"{head}:icassp2026") for name in ("concat", "weighted")}
        assert min(of.values()) > 0.75, head
        assert 0.3 < scores_of(rows, "block_02", f"{head}:icassp2026") < 0.7, head
    table = pd.DataFrame(weights)
    assert np.allclose(table.groupby(["probe", "seed", "fold"])["weight"].sum(), 1)
    mean = table.groupby("readout")["weight"].mean()
    assert mean.idxmax() == "block_00", mean


@pytest.mark.parametrize("fusion", block_probes.FUSIONS)
def test_the_mlp_has_as_many_parameters_as_attention_with_the_same_fusion(fusion):
    mlp, attention = (
        token_probes.count(block_probes.Fused(fusion, head, 6, 512, 10))
        for head in ("mlp", "attention")
    )
    assert mlp == pytest.approx(attention, rel=0.01)


def test_the_rate_warms_up_over_5_of_50_epochs_and_ends_at_0():
    how = block_probes.training_of(50)
    assert (how.learning_rate, how.weight_decay, how.batch_size) == (1e-3, 0.01, 32)
    assert how.rate(2.5 / 50) == pytest.approx(0.5) and how.rate(5 / 50) == pytest.approx(1)
    assert how.rate(27.5 / 50) == pytest.approx(0.5) and how.rate(1) == pytest.approx(0)
    assert (block_probes.LAYERS, block_probes.ATTENTION_HEADS, block_probes.DROPOUT) == (1, 8, 0.3)


def test_padding_changes_nothing_and_order_only_the_probe_that_is_given_it():
    clips, y = planted(40, block=1)
    fed = Clips.of(clips, Scaler.of(clips))
    mixed = fed.shuffled(np.random.default_rng(1))
    for head in ("attention", "order"):
        module = block_probes.fit("weighted", head, fed, y, block_probes.training_of(3), seed=1)
        together = training.log_probabilities(module, fed)
        alone = [training.log_probabilities(module, fed.some([place])) for place in range(40)]
        np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-5)
        moved = np.abs(training.log_probabilities(module, mixed) - together).max()
        assert (moved > 1e-3) if head == "order" else (moved < 1e-5), head


def test_epochs_are_chosen_where_the_held_out_loss_is_least_and_end_the_second_training():
    """Labels without a trace are only memorised: few epochs; a clear trace: many."""
    how = Training(40, 0.01, 16, 0.0)
    chosen = {}
    for name, signal in (("noise", 0), ("signal", 1)):
        clips, y = planted(80, block=2, seed=3)
        if not signal:
            y = np.random.default_rng(0).permutation(y)
        fed = Clips.of(clips, Scaler.of(clips))
        parts = (fed.some(np.arange(40)), fed.some(np.arange(40, 80)))
        arguments = ("last", "mlp", parts, (y[:40], y[40:]), how)
        chosen[name] = block_probes.choose_epochs(*arguments, seed=1)
        losses = []
        with block_probes.seeded(1):
            module = block_probes.Fused.of("last", "mlp", parts[0], 2)
            for _ in training.train(module, parts[0], y[:40], how):
                log_p = training.log_probabilities(module, parts[1])
                losses.append(-log_p[np.arange(40), y[40:]].mean())
        assert chosen[name] == np.argmin(losses) + 1 or losses[-1] < min(losses[: chosen[name]])
    assert chosen["noise"] < chosen["signal"]
    counted = []
    block_probes.fit("last", "mlp", fed, y, how, 1, chosen["noise"], lambda: counted.append(1))
    assert len(counted) == chosen["noise"]


def test_no_clip_of_a_tested_group_changes_training_or_the_choice_of_epochs():
    clips, y = planted(48, block=0)
    group = np.arange(48) // 8
    folds = folds_of(y, group)
    settings = SETTINGS | {"protocols": ["early_stop"], "epochs": 6, "seeds": 2}
    changed = [100 * clip if place == 0 else clip for place, clip in enumerate(clips)]
    first, loud = (all_blocks.probe_blocks(c, BLOCKS, folds, settings) for c in (clips, changed))
    kept = [row for row in first[1] if row["fold"] == 0 and row["clip_id"] != "c000"]
    left = [row for row in loud[1] if row["fold"] == 0 and row["clip_id"] != "c000"]
    for a, b in zip(kept, left, strict=True):
        assert a["log_probability"] == pytest.approx(b["log_probability"], abs=1e-5)
    epochs = [[r.get("epochs") for r in rows[0] if r.get("fold") == 0] for rows in (first, loud)]
    assert epochs[0] == epochs[1]
    seeds = pd.DataFrame(first[1]).groupby("seed")["log_probability"].apply(list)
    assert seeds[0] != seeds[1]


def put_tokens(path: Path, clips: list[np.ndarray], names: list[str]) -> Path:
    """A part as embed.tokens writes it, a readout for each block."""
    kind = pa.list_(pa.list_(pa.float16(), clips[0].shape[2]))
    columns = [("clip_id", pa.string()), ("n_tokens", pa.int32())]
    schema = pa.schema([*columns, *((name, kind) for name in BLOCKS)])
    with tables.table_writer(path, schema, {}) as writer:
        for rows in (slice(0, 5), slice(5, None)):
            values = [
                [[list(token) for token in clip[:, block]] for clip in clips[rows]]
                for block in range(len(BLOCKS))
            ]
            counts = [len(clip) for clip in clips[rows]]
            writer.write_table(pa.table([names[rows], counts, *values], schema=schema))
    return path


def test_large_tokens_are_read_from_a_file_with_the_same_result(tmp_path, monkeypatch, capsys):
    clips, y = planted(24, block=0)
    names = [f"c{place:03d}" for place in range(24)]
    part = put_tokens(tmp_path / "part.parquet", clips, names)
    tables.write_table(folds_of(y, np.arange(24) // 4), tmp_path / "folds.parquet", {})
    read = {"folds": tmp_path / "folds.parquet", "tokens": [part]}
    settings = SETTINGS | {"epochs": 2, "probes": ["linear", "order"]}
    got = {}
    for whole in (2e9, 0):
        monkeypatch.setattr(training, "WHOLE_BYTES", whole)
        folder = tmp_path / f"{whole:.0f}"
        folder.mkdir()
        out = {name: folder / f"{name}.parquet" for name in ("scores", "predictions", "weights")}
        all_blocks.run(stage_jobs.job(read, out, settings))
        assert set(folder.iterdir()) == set(out.values()), "no file of tokens is left"
        got[whole] = tables.read_table(out["predictions"]).to_pandas()
        assert tables.read_table(out["weights"]).schema.equals(all_blocks.WEIGHTS)
    pd.testing.assert_frame_equal(got[2e9], got[0])
    assert len(got[0]) == 24 * 3 * 2 * (1 + 2)  # clips, readouts, seeds; order with its control
    printed = capsys.readouterr().err
    assert "at most 72 epochs x 16 clips x " in printed and "minutes on cpu" in printed
    with pytest.raises(StratavoxError, match=r"probes.all_blocks.repeats: found 2"):
        all_blocks.run(stage_jobs.job(read, out, settings | {"repeats": 2}))


def test_blocks_of_unlike_width_and_a_width_without_heads_are_refused(tmp_path):
    clips, y = planted(12, block=0, width=6)
    with pytest.raises(StratavoxError, match="width of the blocks, 6, is no multiple of the 8"):
        all_blocks.probe_blocks(clips, BLOCKS, folds_of(y, np.arange(12) // 2), SETTINGS)
    kinds = [pa.list_(pa.list_(pa.float16(), width)) for width in (2, 4)]
    table = pa.table(
        [["a"], pa.array([1], pa.int32()), [[[0, 0]]], [[[0, 0, 0, 0]]]],
        schema=pa.schema(
            [("clip_id", pa.string()), ("n_tokens", pa.int32()), ("x", kinds[0]), ("y", kinds[1])]
        ),
    )
    tables.write_table(table, tmp_path / "part.parquet", {})
    with pytest.raises(StratavoxError, match=r"widths \[2, 4\].*all_blocks.encoders"):
        token_store.read([tmp_path / "part.parquet"], ["x", "y"], ["a"])


# ---- answers ----


def seeded_study(lift: float, seed: int = 0):
    """A study with three seeds of probes; attention on the last block is ``lift`` above linear."""
    study = answers_data.study(
        {"deep": dict.fromkeys(["nested", *answers_data.READOUTS], 0.6)}, seed
    )
    generator, last = np.random.default_rng(seed), answers_data.BLOCKS[-1]
    parts = []
    for readout in (last, "concat", "weighted"):
        for head in ("linear", "attention"):
            strength = 0.6 + (lift if head == "attention" else 0)
            for number in range(3):
                rows = answers_data.predicted(
                    answers_data.clips(), readout, strength, generator, probe=f"{head}:icassp2026"
                )
                parts.append(rows.assign(seed=number))
    table = pd.concat(parts)
    study.add("deep", table)
    rows = [answers_data.scored(own).assign(encoder="deep") for _, own in table.groupby("seed")]
    study.scores = pd.concat([study.scores, *rows])
    return study


def test_attention_above_linear_is_a_claim_with_an_interval_over_groups_and_seeds():
    table = pd.DataFrame(contrasts.rows(seeded_study(0.3)))
    own = table[table["question"] == contrasts.ATTENTION]
    assert len(own) == 3 and own["resolved"].all() and (own["low"] > 0.1).all()
    assert set(own["a_probe"]) == {"attention:icassp2026"}
    assert "icassp2026 attention probe is above deep" in own["sentence"].iloc[0]
    tuned = table[table["question"] == contrasts.TUNED]  # of the fusions there is no linear probe
    assert tuned["b_probe"].tolist() == ["linear"] and tuned["resolved"].all()
    blocks = table[table["question"] == contrasts.ALL_BLOCKS]
    assert len(blocks) == 4 and not blocks["resolved"].any()
    verdicts = pd.DataFrame(claims.rows(seeded_study(0.3))).set_index("claim")["verdict"]
    said = "attention decodes call better than a linear probe from all blocks together of deep"
    assert verdicts[f"{said} (icassp2026)"] == "supported"
    # the seeds of these probes are no contrast to the linear probe of the other figures
    assert not (table["question"] == "probe on tokens or linear").any()


def test_an_interval_holds_the_error_of_a_mean_over_seeds_that_are_drawn_anew_in_each_fold():
    study = seeded_study(0.1)
    key = Key("deep", answers_data.BLOCKS[-1], "attention:icassp2026")
    bare = interval(study.correct[key], study.groups, share_bounds)
    wide = study.beside_seeds(bare, key)
    assert study.seeded[key].shape == (3, 5)
    assert study.seeded[key].sum(axis=1).mean() == pytest.approx(study.correct[key].value)
    assert wide.value == bare.value and wide.low < bare.low and wide.high > bare.high
    assert wide.low >= 0 and wide.high <= 1
    (row,) = (
        row
        for row in estimates.rows(study)
        if (row["readout"], row["probe"]) == (key.readout, key.probe)
        and row["metric"] == "balanced_accuracy"
    )
    assert (row["low"], row["high"]) == (wide.low, wide.high)
    # the error is that of scores whose folds draw from the seeds independently
    parts, generator = study.seeded[key], np.random.default_rng(0)
    drawn = parts[generator.integers(3, size=(20000, 3, 5)), np.arange(5)].mean(axis=1).sum(axis=1)
    added = np.sqrt(wide.error**2 - bare.error**2)
    assert added == pytest.approx(drawn.std() * np.sqrt(3 / 2), rel=0.03)


def test_layer_weights_have_their_spread_over_folds_and_over_seeds():
    study = answers_data.study({"deep": dict.fromkeys(["nested", *answers_data.READOUTS], 0.6)}, 0)
    cells = [(fold, seed, b) for fold in range(2) for seed in range(2) for b in range(4)]
    weights = pd.DataFrame(cells, columns=["fold", "seed", "block"])
    weights["readout"] = [answers_data.BLOCKS[b] for b in weights.pop("block")]
    first = weights["readout"] == answers_data.BLOCKS[0]
    moved = 0.1 * weights["fold"] + 0.02 * weights["seed"]
    weights["weight"] = 0.25 + np.where(first, moved, -moved / 3)
    weights = weights.assign(regime="grouped", repeat=0, probe="linear:icassp2026")
    study.block_weights = {"deep": weights}
    rows = {row["readout"]: row for row in layer_weights.rows(study)}
    row = rows["block_00"]
    assert row["probe"] == "linear:icassp2026" and row["n_fits"] == 4
    assert row["weight"] == pytest.approx(0.31) and (row["low"], row["high"]) == (0.25, 0.37)
    assert row["over_folds"] == pytest.approx(0.1 / np.sqrt(2))
    assert row["over_seeds"] == pytest.approx(0.02 / np.sqrt(2))
    assert row["score"] == pytest.approx(study.correct[Key("deep", "block_00")].value)


# ---- planted order ----


def test_attention_finds_the_order_of_chorus_calls_that_no_average_holds():
    """BEATs's patches do not mix over time, so only their order tells the call types apart."""
    sizes = {"species": 1, "individuals": 4, "call_types": 2, "renditions": 10, "sessions": 5}
    made = list(chorus.calls(seed=5, confounded=False, rate=16000, **sizes))
    encoder = load({"family": "beats", "weights": "bundled", "precision": "fp32"})
    waves = [call.samples.astype(np.float32) / np.abs(call.samples).max() for call in made]
    clips = tokens.whole(encoder, waves, ["patch"], "all")["patch"]
    y = np.array([call.order == made[0].order for call in made], dtype=int)
    held = np.array([call.individual for call in made]) == 3
    settings = {"heads": 4, "layers": 1, "weight_decay": 0.01, "batch_size": 16}
    settings |= {"epochs": 30, "learning_rate": 0.003}
    trained = [clips[i] for i in np.flatnonzero(~held)]
    test = [clips[i] for i in np.flatnonzero(held)]
    generator = np.random.default_rng(0)
    mixed = [generator.permutation(clip) for clip in test]
    right = {}
    for probe in ("attention_order", "attention_pool"):
        fitted = token_probes.fit(probe, trained, y[~held], settings, seed=1)
        for name, fed in (("in order", test), ("shuffled", mixed)):
            correct = fitted.log_probabilities(fed).argmax(axis=1) == y[held]
            right[probe, name] = float(correct.mean())
    assert right.pop(("attention_order", "in order")) > 0.85
    assert all(0.2 < share < 0.75 for share in right.values()), right
