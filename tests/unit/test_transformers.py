"""Whisper, wav2vec 2.0, HuBERT, WavLM, AST: exact pooling, declared layouts, cut windows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from clip_data import noise
from encoder_examples import KINDS, WHISPER, WINDOWS, make_transformer
from stratavox.embed.part import load
from stratavox.embed.pooling import pool
from stratavox.encoders import catalogue
from stratavox.errors import StratavoxError

torch.set_num_threads(1)


@pytest.fixture(scope="module", params=list(KINDS))
def tiny(request, tmp_path_factory):
    """Settings of a tiny model, the same model by the library alone, and its kind."""
    path, model = make_transformer(tmp_path_factory.mktemp(request.param), request.param)
    settings = {"family": "transformers", "path": path} | WINDOWS.get(request.param, {})
    if request.param == "whisper":
        model.embed_positions = torch.nn.Embedding.from_pretrained(
            model.embed_positions.weight[:50]
        )
        model.config.max_source_positions = 50
    return settings, model, request.param


def in_time(kind: str, tokens: torch.Tensor) -> torch.Tensor:
    """The audio's tokens (tokens, width) in order of time; AST's stand band after band."""
    if kind != "ast":
        return tokens
    bands = [tokens[2:][band * 14 : band * 14 + 14] for band in range(12)]
    return torch.stack(bands, dim=1).flatten(0, 1)


def own_output(settings: dict, model, clip: np.ndarray, **how) -> np.ndarray:
    """``last_hidden_state`` (tokens, width) by the library's extractor and model alone."""
    extractor = transformers.AutoFeatureExtractor.from_pretrained(settings["path"])
    features = extractor(clip, sampling_rate=16000, return_tensors="pt", **how)
    with torch.no_grad():
        return model(features[extractor.model_input_names[0]]).last_hidden_state[0].numpy()


def final_norm(model, kind: str):
    """The norm between the last block and the model's output; none where norms come last."""
    if kind in ("whisper", "ast"):
        return model.layer_norm if kind == "whisper" else model.layernorm
    return model.encoder.layer_norm if kind.endswith("stable") else torch.nn.Identity()


def test_the_last_block_is_the_models_output_before_its_last_norm(tiny, monkeypatch):
    settings, model, kind = tiny
    encoder = load(settings)
    samples = 12000 if kind == "whisper" else encoder.grid.fed(12000)
    (clip,) = noise(samples)
    how = {"max_length": 16000} if kind == "whisper" else {}
    wanted = own_output(settings, model, clip, **how)
    wanted = in_time(kind, torch.from_numpy(wanted)).numpy()[: encoder.grid.tokens(samples)]
    # the norm stands between tokens and their mean: have it applied before pooling
    from stratavox.encoders import taps

    norm, mean = final_norm(model, kind), taps.valid_mean
    monkeypatch.setattr(taps, "valid_mean", lambda tokens, counts: mean(norm(tokens), counts))
    pooled = pool(encoder, [clip])
    assert pooled.n_tokens[0] == len(wanted)
    np.testing.assert_allclose(pooled.means["block_01"][0], wanted.mean(0), atol=1e-5, rtol=0)


def test_the_input_is_what_enters_the_first_block(tiny):
    settings, model, kind = tiny
    (clip,) = noise(16000)
    encoder = load(settings)
    entered = []
    blocks = model.layers if kind in ("whisper", "ast") else model.encoder.layers
    hook = blocks[0].register_forward_pre_hook(
        lambda module, args: entered.append(in_time(kind, args[0][0]))
    )
    how = {"max_length": 16000} if kind == "whisper" else {}
    own_output(settings, model, clip[: encoder.grid.fed(16000)], **how)
    hook.remove()
    wanted = entered[0][: encoder.grid.tokens(16000)].mean(0).numpy()
    np.testing.assert_allclose(pool(encoder, [clip]).means["input"][0], wanted, atol=1e-5, rtol=0)


def test_token_counts_are_the_librarys(tiny):
    settings, model, kind = tiny
    grid = load(settings).grid
    for samples in (400, 719, 720, 7777, 16000):
        if kind == "ast":
            frames = 1 + (max(samples, 2800) - 400) // 160
            columns = sum(10 * column + 16 <= frames for column in range(14))
            assert grid.tokens(samples) == 12 * columns
            assert grid.fed(samples) <= max(samples, 2800)
        elif kind == "whisper":
            frames = torch.tensor(-(-samples // 160))
            assert grid.tokens(samples) == model._get_feat_extract_output_lengths(frames)
        else:
            assert grid.tokens(samples) == model._get_feat_extract_output_lengths(samples)
            assert grid.fed(samples) <= samples


def test_short_clips_are_padded_where_the_model_needs_it_and_flagged(tiny):
    settings, _, kind = tiny
    pooled = pool(load(settings), noise(399, 400))
    assert pooled.padded.tolist() == [kind != "whisper", kind == "ast"]
    assert pooled.n_tokens.tolist() == {"whisper": [2, 2], "ast": [12, 12]}.get(kind, [1, 1])


def test_windows_of_a_long_clip_count_by_their_tokens(tiny):
    encoder = load(tiny[0] | {"context_s": 0.5})
    (clip,) = noise(16001)
    edges = [0, 5333, 10667, 16001]
    parts = [pool(encoder, [clip[a:b]]) for a, b in zip(edges, edges[1:], strict=False)]
    pooled = pool(encoder, [clip])
    counts = [part.n_tokens[0] for part in parts]
    assert pooled.n_windows[0] == 3 and pooled.n_tokens[0] == sum(counts)
    wanted = np.average([p.means["block_01"][0] for p in parts], axis=0, weights=counts)
    np.testing.assert_allclose(pooled.means["block_01"][0], wanted, atol=1e-5, rtol=0)


def test_sites_are_the_branches_that_add_up_to_the_block(tiny):
    """What enters the first block, its two branches and its norms give what leaves it."""
    settings, model, kind = tiny
    encoder = load(settings | {"sites": ["block", "ffn", "attn"]})
    assert encoder.readouts == [
        *("input", "block_00", "block_01", "attn_00", "attn_01", "ffn_00", "ffn_01")
    ]
    assert encoder.provenance["blocks"] == ["block_00", "block_01"]
    (clip,) = noise(16000)
    wave = np.zeros((1, encoder.grid.fed(16000)), dtype=np.float32)
    wave[0, :16000] = clip[: wave.shape[1]]
    seen = encoder.tokens(wave, encoder.readouts)
    seen = {name: torch.from_numpy(tokens) for name, tokens in seen.items()}
    for place, entering in enumerate(("input", "block_00")):
        inside = seen[entering] + seen[f"attn_{place:02d}"]
        if kind in ("whisper", "ast") or kind.endswith("stable"):
            out = inside + seen[f"ffn_{place:02d}"]
        else:
            block = model.encoder.layers[place]
            with torch.no_grad():
                out = block.final_layer_norm(block.layer_norm(inside) + seen[f"ffn_{place:02d}"])
        np.testing.assert_allclose(seen[f"block_{place:02d}"], out, atol=2e-5, rtol=0)
        assert seen[f"ffn_{place:02d}"].abs().max() > 1e-3
        assert seen[f"attn_{place:02d}"].abs().max() > 1e-3


@pytest.fixture
def ast(tmp_path):
    path, model = make_transformer(tmp_path, "ast")
    return {"family": "transformers", "path": path, "context_s": 1.48}, model


def test_tokens_that_are_not_of_the_audio_are_left_out(ast):
    """Another CLS changes nothing of what enters the first block, and all that leaves it."""
    settings, model = ast
    clips = noise(16000, 9000)
    before = pool(load(settings), clips).means
    torch.nn.init.normal_(model.embeddings.cls_token)
    model.save_pretrained(settings["path"])
    after = pool(load(settings), clips).means
    np.testing.assert_array_equal(after["input"], before["input"])
    assert np.abs(after["block_01"] - before["block_01"]).max() > 1e-4


def test_asts_window_is_filled_by_its_own_extractor(ast):
    """A clip of some columns is what the library makes of it, silence after it or not."""
    settings, model = ast
    encoder = load(settings)
    (clip,) = noise(2800 + 4 * 1600 + 1000)
    wanted = torch.from_numpy(own_output(settings, model, clip[: 2800 + 4 * 1600]))
    norm = model.layernorm(
        torch.from_numpy(encoder.tokens(clip[None, : 2800 + 4 * 1600], ["block_01"])["block_01"])
    )
    assert torch.equal(norm[0].detach(), in_time("ast", wanted))
    assert pool(encoder, [clip]).n_tokens.tolist() == [12 * 5]
    assert encoder.grid.least == 148 * 160, "a batch of short clips would take all memory"
    with pytest.raises(StratavoxError, match=r"context_s: found 1\.49; allowed: up to .* 1\.48"):
        catalogue.check(settings | {"context_s": 1.49})


def test_files_of_older_names_are_asts_too(ast):
    settings, model = ast
    wanted = pool(load(settings), noise(16000)).means["block_01"]
    old = {}
    for name, tensor in model.state_dict().items():
        name = re.sub(r"^layers\.(\d+)\.", r"encoder.layer.\1.", name)
        name = re.sub(r"attention\.(q|k|v)_proj", r"attention.attention.\1", name)
        for letter, word in (("q", "query"), ("k", "key"), ("v", "value")):
            name = name.replace(f"attention.attention.{letter}.", f"attention.attention.{word}.")
        name = name.replace("attention.o_proj", "attention.output.dense")
        name = name.replace("mlp.fc1", "intermediate.dense").replace("mlp.fc2", "output.dense")
        old[f"audio_spectrogram_transformer.{name}"] = tensor
    old["classifier.dense.weight"] = torch.zeros(3, 32)
    save_file(old, Path(settings["path"], "model.safetensors"))
    np.testing.assert_array_equal(pool(load(settings), noise(16000)).means["block_01"], wanted)
    new = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    save_file(new, Path(settings["path"], "model.safetensors"))
    np.testing.assert_array_equal(pool(load(settings), noise(16000)).means["block_01"], wanted)


def test_an_extractor_of_another_window_is_refused(ast):
    settings, _ = ast
    transformers.ASTFeatureExtractor(max_length=64).save_pretrained(settings["path"])
    with pytest.raises(StratavoxError, match="max_length: found 64; config.json, .* has 148"):
        load(settings)


@pytest.fixture
def whisper(tmp_path):
    return make_transformer(tmp_path, "whisper")


def test_half_precision_files_run_in_full(whisper):
    path, _ = whisper
    file = Path(path, "model.safetensors")
    halves = {name: tensor.half() for name, tensor in load_file(file).items()}
    save_file(halves, file)
    config = json.loads(Path(path, "config.json").read_text())
    Path(path, "config.json").write_text(json.dumps(config | {"dtype": "float16"}))
    clips = noise(8000)
    half = pool(load({"family": "transformers", "path": path, "context_s": 1.0}), clips)
    save_file({name: tensor.float() for name, tensor in halves.items()}, file)
    full = pool(load({"family": "transformers", "path": path, "context_s": 1.0}), clips)
    np.testing.assert_array_equal(half.means["block_01"], full.means["block_01"])


def test_a_whole_whisper_is_read_without_its_decoder(whisper):
    path, model = whisper
    settings = {"family": "transformers", "path": path, "context_s": 1.0}
    wanted = pool(load(settings), noise(8000)).means["block_01"]
    whole = transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(**WHISPER))
    whole.model.encoder.load_state_dict(model.state_dict())
    whole.save_pretrained(path)
    means = pool(load(settings), noise(8000)).means["block_01"]
    np.testing.assert_array_equal(means, wanted)


def spoil(path: str, how: str) -> None:
    file = Path(path, "model.safetensors")
    tensors = load_file(file)
    if how == "nan":
        tensors["layers.0.fc1.weight"][0, 0] = torch.nan
    if how == "lacks one":
        del tensors["layer_norm.bias"]
    if how == "too deep":
        tensors |= {
            name.replace("layers.1.", "layers.2."): tensor.clone()
            for name, tensor in tensors.items()
            if name.startswith("layers.1.")
        }
    save_file(tensors, file)
    if how == "truncated":
        file.write_bytes(file.read_bytes()[:-100])
    if how == "pickled":
        file.rename(Path(path, "pytorch_model.bin"))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("nan", r"model\.safetensors: holds NaN or infinite values in layers\.0\.fc1\.weight"),
        ("lacks one", r"model\.safetensors: lacks layer_norm\.bias"),
        ("too deep", r"model\.safetensors: holds tensors that the model does not have: layers\.2"),
        ("truncated", r"model\.safetensors: not a whole \.safetensors file"),
        ("pickled", r"model\.safetensors: no such file .*pytorch_model\.bin.*runs whatever code"),
    ],
)
def test_weights_that_do_not_fit_are_refused(whisper, how, says):
    spoil(whisper[0], how)
    with pytest.raises(StratavoxError, match=says):
        load({"family": "transformers", "path": whisper[0]})


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            {"context_s": 31.0},
            r"context_s: found 31\.0; allowed: multiples of 0\.02 s up to .*30\.0",
        ),
        ({"context_s": 0.51}, r"context_s: found 0\.51; allowed: multiples of 0\.02"),
        ({"context_s": 0.02}, r"context_s: found 0\.02; allowed: 0\.1 or more"),
        ({"path": "nowhere"}, "path: nowhere: no such folder"),
    ],
)
def test_settings_that_cannot_be_loaded_are_refused(whisper, more, says):
    with pytest.raises(StratavoxError, match=says):
        catalogue.check({"family": "transformers", "path": whisper[0]} | more)


def test_an_undeclared_kind_is_refused_with_the_declared_ones(whisper):
    config = Path(whisper[0], "config.json")
    config.write_text(config.read_text().replace('"whisper"', '"clap"'))
    with pytest.raises(StratavoxError, match="'clap' has no declared layout; supported: whisper"):
        catalogue.check({"family": "transformers", "path": whisper[0]})


def test_a_feature_extractor_without_a_rate_is_refused(whisper):
    Path(whisper[0], "preprocessor_config.json").write_text("{}")
    with pytest.raises(
        StratavoxError, match=r"preprocessor_config\.json: sampling_rate: found None"
    ):
        catalogue.check({"family": "transformers", "path": whisper[0]})


def test_the_catalogue_and_the_layouts_agree(whisper):
    from stratavox.encoders.transformers.load import KINDS
    from stratavox.encoders.transformers.windows import CONTEXT_S

    assert KINDS.keys() == CONTEXT_S.keys()
    settings = {"family": "transformers", "path": whisper[0]}
    assert catalogue.rate(settings) == 16000
    names = [Path(file).name for file in catalogue.weight_files(settings)]
    assert names == ["config.json", "preprocessor_config.json", "model.safetensors"]
    assert all(Path(file).is_file() for file in catalogue.weight_files(settings))


def defined(model, extractor, clip: np.ndarray, tokens: int) -> np.ndarray:
    """Whisper on a window of ``tokens`` by its definition: the last block's tokens of the clip."""
    wave = np.pad(clip, (0, tokens * 320 - len(clip)))
    mel = torch.from_numpy(extractor._np_extract_fbank_features([wave], "cpu").astype("f4"))
    with torch.no_grad():
        hidden = torch.nn.functional.gelu(model.conv1(mel))
        hidden = torch.nn.functional.gelu(model.conv2(hidden)).transpose(1, 2)
        hidden = hidden + model.embed_positions.weight[:tokens]
        for layer in model.layers:
            hidden = layer(hidden, None)
    return hidden[0, : -(-len(clip) // 320)].numpy()


def test_context_s_cuts_window_and_positions(whisper):
    path, model = whisper
    encoder = load({"family": "transformers", "path": path, "context_s": 2.0})
    (clip,) = noise(9000)
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(path)
    tokens = defined(model, extractor, clip, 100)
    pooled = pool(encoder, [clip])
    assert len(tokens) == pooled.n_tokens[0] == 29
    np.testing.assert_allclose(pooled.means["block_01"][0], tokens.mean(0), atol=1e-5, rtol=0)
    assert encoder.provenance["context_s"] == 2.0
    whole = load({"family": "transformers", "path": path})
    assert whole.provenance["context_s"] == 30.0
    wanted = defined(model, extractor, clip, 1500).mean(0)
    assert np.abs(wanted - tokens.mean(0)).max() > 1e-4, "the two windows cannot be told apart"
    np.testing.assert_allclose(pool(whole, [clip]).means["block_01"][0], wanted, atol=1e-5, rtol=0)


def test_the_real_whisper(shared):
    """Loaded by our code and by the library's own, its readouts are the same."""
    path = str(shared / "weights" / "whisper-base-encoder")
    encoder = load({"family": "transformers", "path": path, "context_s": 2.0})
    assert encoder.readouts == ["input", *(f"block_{place:02d}" for place in range(6))]
    assert set(encoder.widths.values()) == {512}
    assert len(encoder.provenance["weights_sha256"]) == 64
    clips = noise(16000, 9000, 24000, 5000)
    pooled = pool(encoder, clips)
    model = WhisperEncoder.from_pretrained(path, dtype=torch.float32).eval()
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(path)
    for place, clip in enumerate(clips):
        wanted = defined(model, extractor, clip, 100).mean(0)
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(pooled.means["block_05"][place], wanted, atol=1e-5 * scale)
