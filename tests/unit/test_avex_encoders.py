"""avex's EfficientNets, its AVES, and what is read inside BEATs' blocks, against avex itself."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch
from avex.models import aves_model
from avex.models.efficientnet import Model as EfficientNet
from avex.models.utils.registry import get_checkpoint_path, get_model_spec
from safetensors.torch import save_file
from torchaudio.models import wav2vec2_model

from clip_data import noise
from encoder_examples import AVES, BEATS, EFFNET, SITES, shrink_aves
from stratavox.corpus.identity import sha256_of
from stratavox.embed.part import load
from stratavox.embed.pooling import pool
from stratavox.encoders.avex import facts
from stratavox.encoders.beats.load import small_config
from stratavox.errors import StratavoxError
from stratavox.probe.fusion import members
from stratavox.tables import write_json

torch.set_num_threads(1)
NAME = "esp_aves2_effnetb0_all"
WIDTHS = (32, 16, 24, 40, 80, 112, 192, 320, 1280)


@pytest.fixture(scope="module")
def effnet():
    return load(EFFNET)


@pytest.fixture(scope="module")
def own_effnet():
    """The same weights in avex's own class."""
    torch.manual_seed(0)
    audio = get_model_spec(NAME).audio_config
    model = EfficientNet(
        pretrained=False, device="cpu", audio_config=audio, return_features_only=True
    )
    return model.eval()


@pytest.fixture(scope="module")
def sizes():
    """Sizes of a small AVES, which avex's own class is given too."""
    with pytest.MonkeyPatch.context() as patch:
        yield shrink_aves(patch)


@pytest.fixture(scope="module")
def aves(sizes):
    return load(AVES | {"sites": SITES})


@pytest.fixture(scope="module")
def own_aves(sizes):
    torch.manual_seed(0)
    return wav2vec2_model(**sizes, aux_num_out=None).eval()


def test_the_last_stage_is_avexs_own_output(effnet, own_effnet):
    (clip,) = noise(7777)
    with torch.no_grad():
        values = own_effnet(torch.from_numpy(clip)[None, : effnet.grid.fed(7777)])
    assert values.shape[1] == 1280
    wanted = values.permute(0, 3, 2, 1).flatten(1, 2).mean(1).numpy()
    np.testing.assert_array_equal(pool(effnet, [clip]).means["block_08"], wanted)


def test_each_stage_is_the_mean_over_its_own_map(effnet, own_effnet):
    assert effnet.readouts == [f"block_{place:02d}" for place in range(9)]
    assert tuple(effnet.widths.values()) == WIDTHS
    assert effnet.provenance["blocks"] == effnet.readouts
    (clip,) = noise(6400)
    pooled = pool(effnet, [clip]).means
    with torch.no_grad():
        maps = own_effnet.process_audio(torch.from_numpy(clip)[None])
        for place, stage in enumerate(own_effnet.model.features):
            maps = stage(maps)
            assert maps.shape[1] == WIDTHS[place] and maps.shape[2] > 1
            wanted = maps.double().mean((0, 2, 3)).numpy()
            np.testing.assert_allclose(
                pooled[f"block_{place:02d}"][0], wanted, atol=1e-5 * np.abs(wanted).max(), rtol=0
            )


def test_real_calls_do_not_depend_on_their_batch(shared, effnet):
    files = sorted((shared / "data/zebra_finch_calls/audio").glob("*.wav"))[:5]
    clips = [soundfile.read(file, dtype="float32", always_2d=True)[0][:, 0] for file in files]
    together = pool(effnet, clips)
    for place, clip in enumerate(clips):
        for readout, wanted in pool(effnet, [clip]).means.items():
            np.testing.assert_allclose(
                together.means[readout][place], wanted[0], atol=2e-5 * np.abs(wanted).max(), rtol=0
            )
    last = together.means["block_08"]
    assert np.abs(last - last[0]).max() > 1e-3 * np.abs(last).max(), "all calls are alike"


def test_a_long_clip_is_the_mean_of_its_windows(effnet):
    (clip,) = noise(323199)
    edges = [0, 107733, 215466, 323199]
    parts = [pool(effnet, [clip[a:b]]) for a, b in zip(edges, edges[1:], strict=False)]
    pooled = pool(effnet, [clip])
    assert pooled.n_windows.tolist() == [3]
    wanted = np.mean([part.means["block_04"][0] for part in parts], axis=0)
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(pooled.means["block_04"][0], wanted, atol=1e-5 * scale, rtol=0)


def test_published_files_carry_avexs_names_and_a_classifier(effnet, own_effnet, tmp_path):
    path = str(tmp_path / "all.safetensors")
    tensors = {name: tensor.clone() for name, tensor in own_effnet.state_dict().items()}
    assert "model.classifier.1.weight" in tensors and "model.features.0.0.weight" in tensors
    save_file(tensors, path)
    clips = noise(8000)
    wanted = pool(effnet, clips).means["block_08"]
    published = load({"family": "avex", "model": NAME, "weights": path})
    np.testing.assert_array_equal(pool(published, clips).means["block_08"], wanted)
    receipt = str(tmp_path / "receipt.json")
    write_json({"address": "https://hub/all", "path": path, "sha256": sha256_of(path)}, receipt)
    settings = {"family": "avex", "model": NAME, "weights": "pretrained", "receipt": receipt}
    assert load(settings).provenance["weights"] == "pretrained"
    del tensors["model.features.1.0.block.0.1.running_var"]
    save_file(tensors, path)
    with pytest.raises(StratavoxError, match="lacks features.1.0.block.0.1.running_var"):
        load({"family": "avex", "model": NAME, "weights": path})


def test_conv_maps_offer_no_tokens(effnet):
    from stratavox.embed.tokens import choose_readouts

    with pytest.raises(StratavoxError, match="family avex has .* maps of several sizes"):
        choose_readouts(["last"], effnet)


@pytest.mark.parametrize("samples", [400, 719, 720, 16000])
def test_the_last_block_of_aves_is_torchaudios(aves, own_aves, samples):
    (clip,) = noise(samples)
    with torch.no_grad():
        wanted = own_aves.extract_features(torch.from_numpy(clip)[None])[0][-1]
    tokens = aves.tokens(clip[None, : aves.grid.fed(samples)], ["block_01"])["block_01"]
    assert aves.grid.tokens(samples) == wanted.shape[1]
    if aves.grid.fed(samples) == samples:
        np.testing.assert_array_equal(tokens, wanted.numpy())
    pooled = pool(aves, [clip[: aves.grid.fed(samples)]]).means["block_01"]
    np.testing.assert_allclose(pooled[0], tokens[0].mean(0), atol=1e-5, rtol=0)


def test_avexs_own_class_gives_the_last_block(aves, own_aves, monkeypatch):
    monkeypatch.setattr(
        torch.hub, "load_state_dict_from_url", lambda *args, **how: own_aves.state_dict()
    )
    model = aves_model.Model(num_classes=1, device="cpu").eval()
    (clip,) = noise(400 + 320 * 20)
    with torch.no_grad():
        wanted = model(torch.from_numpy(clip)[None]).numpy()
    np.testing.assert_array_equal(aves.tokens(clip[None], ["block_01"])["block_01"], wanted)
    # and its layers are our ffn
    model.register_hooks_for_layers(["all"])
    own = model.extract_embeddings(torch.from_numpy(clip)[None], aggregation="none")
    for place, layer in enumerate(own):
        values = aves.tokens(clip[None], [f"ffn_{place:02d}"])[f"ffn_{place:02d}"]
        np.testing.assert_array_equal(values, layer.detach().numpy())


def test_the_sites_of_aves_add_up_to_its_blocks(aves, own_aves):
    (clip,) = noise(400 + 320 * 20)
    seen = {name: torch.from_numpy(v) for name, v in aves.tokens(clip[None], aves.readouts).items()}
    for place, entering in enumerate(("input", "block_00")):
        block = own_aves.encoder.transformer.layers[place]
        with torch.no_grad():
            inside = block.layer_norm(seen[entering] + seen[f"attn_{place:02d}"])
            out = block.final_layer_norm(inside + seen[f"ffn_{place:02d}"])
        np.testing.assert_allclose(seen[f"block_{place:02d}"], out, atol=2e-5, rtol=0)


def test_the_facts_are_avexs(sizes):
    for name, published in facts.MODELS.items():
        spec = get_model_spec(name)
        assert spec.name == "efficientnet" and spec.efficientnet_variant == "b0"
        assert spec.audio_config.sample_rate == published.rate
        assert get_checkpoint_path(name) == f"hf://{published.repository}/{published.file}"
        assert spec.audio_config.target_length_seconds == 10


# ---- BEATs ----

ARCHITECTURE = {"layers": 3, "width": 64, "heads": 4}


@pytest.fixture(scope="module")
def beats():
    return load(BEATS | {"architecture": ARCHITECTURE, "sites": SITES})


@pytest.fixture(scope="module")
def own_beats():
    from avex.models.beats import BEATs

    torch.manual_seed(0)
    return BEATs(small_config(ARCHITECTURE)).eval()


def test_the_sites_of_beats_add_up_to_its_blocks(beats, own_beats):
    assert beats.provenance["blocks"] == ["block_00", "block_01", "block_02"]
    clips = np.stack(noise(12400, 12400))
    seen = beats.tokens(clips, beats.readouts)
    seen = {name: torch.from_numpy(tokens) for name, tokens in seen.items()}
    for place, entering in enumerate(("input", "block_00", "block_01")):
        block = own_beats.encoder.layers[place]
        alpha = block.deep_norm_alpha
        assert alpha == pytest.approx(6**0.25)
        with torch.no_grad():
            inside = block.self_attn_layer_norm(alpha * seen[entering] + seen[f"attn_{place:02d}"])
            out = block.final_layer_norm(alpha * inside + seen[f"ffn_{place:02d}"])
        np.testing.assert_allclose(seen[f"block_{place:02d}"], out, atol=2e-5, rtol=0)


def test_avexs_all_layers_are_reproduced(beats):
    """On one clip, where avex's guess of the layout cannot go wrong."""
    from avex.models.beats_model import Model

    torch.manual_seed(0)
    sizes = small_config(ARCHITECTURE).model_dump()
    own = Model(device="cpu", init_config=sizes, return_features_only=True)
    own.register_hooks_for_layers(["all"])
    (clip,) = noise(2800 + 2560 * 3)
    wanted = own.extract_embeddings(torch.from_numpy(clip)[None], aggregation="mean")
    ours = members("concat_avex", beats.provenance)
    assert ours == ["patch", "ffn_00", "ffn_01", "ffn_02"]
    pooled = pool(beats, [clip]).means
    values = np.concatenate([pooled[name] for name in ours], axis=1)
    np.testing.assert_allclose(values, wanted.numpy(), atol=1e-5, rtol=0)


def test_ffn_is_no_block(beats):
    """What avex calls a layer has nothing in common with the block it stands in."""
    pooled = pool(beats, noise(16000, 16000, 32000)).means
    for place in range(3):
        ffn, block = pooled[f"ffn_{place:02d}"], pooled[f"block_{place:02d}"]
        cosine = (
            np.sum(ffn * block, 1) / np.linalg.norm(ffn, axis=1) / np.linalg.norm(block, axis=1)
        )
        assert np.abs(cosine).max() < 0.5
