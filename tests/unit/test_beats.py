"""BEATs: pooled readouts do not depend on the batch, and are what the model itself computes."""

from __future__ import annotations

import numpy as np
import pytest

from clip_data import noise
from encoder_examples import BEATS as SMALL
from stratavox.embed.part import load
from stratavox.embed.pooling import pool
from stratavox.encoders.beats import facts


@pytest.fixture(scope="module")
def small():
    return load(SMALL)


@pytest.fixture(scope="module")
def model():
    """The same small BEATs with the same weights, built by hand with avex alone."""
    torch = pytest.importorskip("torch")
    from avex.models.beats import BEATs, BEATsConfig
    from avex.models.utils.registry import get_model_spec

    config = get_model_spec("esp_aves2_sl_beats_all").init_config | {
        "encoder_layers": 2,
        "encoder_embed_dim": 64,
        "encoder_ffn_embed_dim": 256,
        "encoder_attention_heads": 4,
    }
    torch.manual_seed(0)
    return BEATs(BEATsConfig(**config)).eval()


def tokens_of(model, clip: np.ndarray) -> np.ndarray:
    """The model's own output (tokens, width) for one whole, untrimmed clip."""
    import torch

    with torch.no_grad():
        return model(torch.from_numpy(clip)[None], disable_layerdrop=True)[0][0].numpy()


def test_readouts_are_named_in_depth_order(small):
    assert small.readouts == ["patch", "input", "block_00", "block_01"]
    assert small.provenance["blocks"] == ["block_00", "block_01"]
    assert small.widths == dict.fromkeys(small.readouts, 64)
    assert small.rate == 16000


@pytest.mark.parametrize("samples", [2800, 5000, 16000, 159999])
def test_the_last_block_is_the_models_output_of_the_untrimmed_clip(small, model, samples):
    (clip,) = noise(samples)
    tokens = tokens_of(model, clip)
    pooled = pool(small, [clip])
    assert pooled.n_tokens[0] == len(tokens)
    np.testing.assert_allclose(pooled.means["block_01"][0], tokens.mean(axis=0), atol=1e-5, rtol=0)


def test_each_readout_is_read_where_its_name_says(small, model):
    import torch

    (clip,) = noise(12000)
    with torch.no_grad():
        mel = model.preprocess(torch.from_numpy(clip)[None])[:, None]
        patches = model.patch_embedding(mel).flatten(2).transpose(1, 2)
        patch = model.post_extract_proj(model.layer_norm(patches))
        inner = model.encoder
        entering = inner.layer_norm(patch + inner.pos_conv(patch.transpose(1, 2)).transpose(1, 2))
        first = inner.layers[0](entering.transpose(0, 1))[0][:, 0]
    pooled = pool(small, [clip]).means
    for readout, wanted in (("patch", patch[0]), ("input", entering[0]), ("block_00", first)):
        np.testing.assert_allclose(
            pooled[readout][0], wanted.mean(0).numpy(), atol=1e-5, rtol=0, err_msg=readout
        )


def test_a_short_clip_is_what_the_model_makes_of_it_with_zeros_after(small, model):
    (clip,) = noise(1500)
    pooled = pool(small, [clip])
    assert pooled.padded.tolist() == [True]
    wanted = tokens_of(model, np.pad(clip, (0, 1300))).mean(axis=0)
    np.testing.assert_allclose(pooled.means["block_01"][0], wanted, atol=1e-5, rtol=0)


def test_windows_of_a_long_clip_count_by_their_tokens(small, model):
    (clip,) = noise(323199)  # 20.2 s: three windows, the first of which loses a step to rounding
    edges = [0, 107733, 215466, 323199]
    parts = [tokens_of(model, clip[a:b]) for a, b in zip(edges, edges[1:], strict=False)]
    pooled = pool(small, [clip])
    assert pooled.n_windows.tolist() == [3]
    assert pooled.n_tokens[0] == sum(map(len, parts))
    np.testing.assert_allclose(
        pooled.means["block_01"][0], np.concatenate(parts).mean(axis=0), atol=1e-5, rtol=0
    )


def test_all_hooks_are_removed(small, monkeypatch):
    from stratavox.encoders import taps

    seen = []
    real = taps.read

    def read(run, taps_of_pass, to_numpy):
        seen.append(taps_of_pass)
        return real(run, taps_of_pass, to_numpy)

    monkeypatch.setattr(taps, "read", read)
    pool(small, noise(16000))
    (taps_of_pass,) = seen
    assert len(taps_of_pass) == 4
    for tap in taps_of_pass:
        assert not tap.module._forward_hooks and not tap.module._forward_pre_hooks, tap.readout
        assert not any(module.training for module in tap.module.modules()), "dropout is on"


def test_bf16_is_near_and_recorded(small):
    half = load(SMALL | {"precision": "bf16"})
    assert half.provenance["precision"] == "bf16"
    assert small.provenance["precision"] == "fp32"
    clips = noise(16000, 30000)
    exact, near = (pool(e, clips).means["block_01"] for e in (small, half))
    assert 0 < np.abs(exact - near).max() < 0.1
    assert near.dtype == np.float32


def test_weights_held_in_bf16_are_those_that_each_pass_would_cast(monkeypatch):
    from stratavox.encoders import taps

    clips = noise(16000, 30000)
    held = pool(load(SMALL | {"precision": "bf16"}), clips).means
    monkeypatch.setattr(taps, "_halve", lambda model: None)
    cast = pool(load(SMALL | {"precision": "bf16"}), clips).means
    for readout in cast:
        np.testing.assert_array_equal(held[readout], cast[readout])


def test_the_official_geometry_and_its_provenance():
    encoder = load(
        {"family": "beats", "model": "esp_aves2_sl_beats_all", "weights": "random", "seed": 0}
    )
    assert encoder.readouts == ["patch", "input", *(f"block_{i:02d}" for i in range(12))]
    assert set(encoder.widths.values()) == {768}
    provenance = encoder.provenance
    assert (provenance["weights"], provenance["seed"], provenance["weights_sha256"]) == (
        "random",
        0,
        None,
    )
    assert (provenance["context_s"], provenance["device"] in ("cpu", "cuda")) == (10.0, True)
    assert {"avex", "torch"} <= set(provenance["versions"])
    pooled = pool(encoder, noise(16000, 16000, 8000))
    assert all(np.isfinite(values).all() for values in pooled.means.values())


def test_the_facts_of_beats_models_are_avexs():
    """All of them, their rates, and where their weights are."""
    from avex.models.utils.registry import get_checkpoint_path, get_model_spec, list_models

    beats = [name for name in list_models() if get_model_spec(name).name == "beats"]
    assert sorted(beats) == sorted(facts.MODELS)
    for name, published in facts.MODELS.items():
        spec = get_model_spec(name)
        assert spec.audio_config.sample_rate == published.rate
        assert spec.audio_config.target_length_seconds * published.rate == 160000
        assert get_checkpoint_path(name) == f"hf://{published.repository}/{published.file}"
