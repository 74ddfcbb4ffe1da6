"""Stored tokens: the readout itself, in order of time, within the bytes that were allowed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import stage_jobs
from clip_data import RATE, noise, put_clips
from encoder_examples import BEATS, WINDOWS, make_transformer
from stratavox import tables
from stratavox.embed import tokens as stage
from stratavox.embed.part import load
from stratavox.embed.pooling import pool
from stratavox.encoders.encoder import Encoder, Grid
from stratavox.errors import StratavoxError
from stratavox.probe import token_store

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> dict[str, dict]:
    """Settings of a tiny Whisper with a window of 1 s, and of a tiny BEATs."""
    path, _ = make_transformer(tmp_path_factory.mktemp("whisper"), "whisper")
    whisper = {"family": "transformers", "path": path} | WINDOWS["whisper"]
    return {"whisper": whisper, "beats": BEATS}


@pytest.fixture(scope="module")
def encoders(settings) -> dict[str, Encoder]:
    return {name: load(value) for name, value in settings.items()}


def put(path: Path, waves: list[np.ndarray]) -> Path:
    """Write a part of clips named c0, c1, ..."""
    return put_clips(path, {f"c{place}": wave for place, wave in enumerate(waves)})


def spiked(value: float) -> Encoder:
    """A token every 100 samples, two alike at once; the last token holds ``value``."""

    def tokens(waves, readouts):
        values = np.ones((len(waves), 2 * waves.shape[1] // 100, 3), dtype=np.float32)
        values[:, -2:, 1] = value
        return dict.fromkeys(readouts, values)

    facts = {"blocks": ["block_00"], "family": "spiked"}
    return Encoder(RATE, Grid(100, 100, per_step=2), {"block_00": 3}, None, 1.0, facts, tokens)


# a short clip, several of one length, and one of three windows of 1 s for Whisper, two for BEATs
LENGTHS = {"whisper": [300, 9000, 9000, 47000], "beats": [1500, 9000, 9000, 200000]}


@pytest.mark.parametrize("keep", ["time", "all"])
@pytest.mark.parametrize("name", ["whisper", "beats"])
def test_the_mean_of_stored_tokens_is_the_pooled_readout(encoders, tmp_path, name, keep):
    encoder, waves = encoders[name], noise(*LENGTHS[name])
    source = put(tmp_path / "clips.parquet", waves)
    out = tmp_path / "part.parquet"
    stage.tokens(encoder, source, out, ["block_01", "input"], keep, {"key": "k"})
    table = tables.read_table(out)
    assert table.column_names == ["clip_id", "n_tokens", "block_01", "input"]
    assert table["clip_id"].to_pylist() == ["c0", "c1", "c2", "c3"]
    pooled = pool(encoder, waves)
    per_step = encoder.grid.per_step if keep == "time" else 1
    assert table["n_tokens"].to_pylist() == (pooled.n_tokens // per_step).tolist()
    for readout in ("block_01", "input"):
        kept = token_store.read([out], [readout], ["c0", "c1", "c2", "c3"])
        kept = [clip[:, 0] for clip in kept]
        assert [len(clip) for clip in kept] == table["n_tokens"].to_pylist()
        assert {clip.dtype for clip in kept} == {np.dtype(np.float16)}
        for clip, mean in zip(kept, pooled.means[readout], strict=True):
            tolerance = np.abs(clip).max() * 2**-11  # half a unit in the last place of any token
            np.testing.assert_allclose(
                clip.astype(np.float64).mean(axis=0), mean, atol=tolerance, rtol=0
            )
    stored = tables.read_provenance(out)
    assert stored["key"] == "k" and stored["tokens"]["keep"] == keep
    assert stored["encoder"]["family"] == encoder.provenance["family"]


def test_tokens_follow_each_other_as_the_model_gives_them(encoders):
    """Of a clip of two windows: the model's own output of each half, one after the other."""
    encoder, (wave,) = encoders["beats"], noise(200000)
    kept = stage.whole(encoder, [wave], ["block_01"], "all")["block_01"][0]
    halves = [
        encoder.tokens(half[None, : encoder.grid.fed(100000)], ["block_01"])["block_01"][0]
        for half in (wave[:100000], wave[100000:])
    ]
    np.testing.assert_allclose(kept, np.concatenate(halves), atol=1e-5)
    steps = stage.whole(encoder, [wave], ["block_01"], "time")["block_01"][0]
    assert len(steps) * 8 == len(kept)
    np.testing.assert_allclose(steps[5], kept[40:48].mean(axis=0), atol=1e-6)
    assert np.abs(np.diff(steps, axis=0)).max() > 1e-2, "steps differ, or order would not matter"


def test_a_value_past_half_precision_is_refused(tmp_path):
    source, out = put(tmp_path / "clips.parquet", noise(1000)), tmp_path / "part.parquet"
    stage.tokens(spiked(65504.0), source, out, ["block_00"], "all", {})
    assert float(token_store.read([out], ["block_00"], ["c0"])[0].max()) == 65504.0
    for value, pattern in ((65505.0, "65505"), (-1e6, r"1e\+06"), (np.nan, "nan")):
        with pytest.raises(StratavoxError, match=f"clip 'c0': readout block_00 reaches {pattern}"):
            stage.tokens(spiked(value), source, tmp_path / "no.parquet", ["block_00"], "all", {})
    assert not (tmp_path / "no.parquet").exists()


def test_bytes_are_printed_first_and_refused_past_the_budget(tmp_path, capsys):
    """1,000 and 250 samples are 10 + 2 steps of two tokens of 3 half floats."""
    encoder, source = spiked(1.0), put(tmp_path / "clips.parquet", noise(1000, 250))
    wanted = ["block_00"]
    assert stage.size_of([1000, 250], encoder, wanted, "all") == 12 * 2 * 3 * 2
    assert stage.size_of([1000, 250], encoder, wanted, "time") == 12 * 3 * 2
    for keep, size in (("all", 144), ("time", 72)):
        stage.tokens(encoder, source, tmp_path / "part.parquet", wanted, keep, {})
        kept = token_store.read([tmp_path / "part.parquet"], ["block_00"], ["c0", "c1"])
        assert sum(clip.nbytes for clip in kept) == size, "what was told is what is kept"
    asked = {"section": "probes.attention", "keep": "all"}
    stage.refuse_past_budget(source, encoder, wanted, asked | {"budget_gb": 144e-9})
    assert "block_00 of 2 clips (keep: all) take 1.44e-07 GB" in capsys.readouterr().err
    with pytest.raises(StratavoxError, match=r"1\.44e-07 GB, past .* 1\.43e-07 .*budget_gb.*time"):
        stage.refuse_past_budget(source, encoder, wanted, asked | {"budget_gb": 143e-9})


def test_last_is_the_last_block_and_a_readout_is_kept_once(encoders):
    assert stage.choose_readouts(["last", "input", "block_01"], encoders["whisper"]) == [
        *("block_01", "input"),
    ]
    assert stage.choose_readouts(["blocks"], encoders["whisper"]) == ["block_00", "block_01"]
    with pytest.raises(StratavoxError, match=r"'block_07'.*allowed: last, input, block_00"):
        stage.choose_readouts(["last", "block_07"], encoders["whisper"])
    with pytest.raises(StratavoxError, match="family logmel has one vector"):
        stage.choose_readouts(["last"], load({"family": "logmel"}))


def command(settings: dict, clips: Path, out: Path) -> None:
    stage.run(stage_jobs.job({"clips": clips}, {"tokens": out}, settings))


def test_the_command_and_an_empty_part(encoders, settings, tmp_path):
    """Refused past the budget before anything is written; an empty shard gives the same columns."""
    requested = {"encoder": settings["whisper"], "readouts": ["last"], "keep": "time"}
    requested["section"] = "probes.attention"
    source, out = put(tmp_path / "clips.parquet", noise(9000, 9000)), tmp_path / "part.parquet"
    with pytest.raises(StratavoxError, match="probes.attention.budget_gb"):
        command(requested | {"budget_gb": 1e-9}, source, out)
    assert not out.exists()
    command(requested | {"budget_gb": 1.0}, source, out)
    here = tmp_path / "here.parquet"
    stage.tokens(encoders["whisper"], source, here, ["block_01"], "time", {})
    assert tables.read_table(out).equals(tables.read_table(here))
    empty, none = put(tmp_path / "empty.parquet", []), tmp_path / "none.parquet"
    command(requested | {"budget_gb": 1.0}, empty, none)
    assert tables.read_table(none).num_rows == 0
    assert tables.read_table(none).schema.equals(tables.read_table(out).schema)
