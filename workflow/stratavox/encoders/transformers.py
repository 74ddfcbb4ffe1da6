"""Speech transformers of the `transformers` library: Whisper's encoder, wav2vec 2.0 and its kin.

Readouts: ``input``, what enters the first block, positions included; ``block_NN``, the blocks'
outputs. Where layer norm stands *before* each part of a block (Whisper; models with
``do_stable_layer_norm``) the model applies one more norm after the last block, which is not part
of ``block_NN``: that norm of the last block is ``last_hidden_state``. Elsewhere the two are equal.

Whisper's input is a window of fixed length, 30 s, in which zeros follow the clip. ``context_s``
cuts this window and the table of positions, as audio_ctx does in whisper.cpp; only the tokens of
the clip itself (one every 20 ms, the first at its start) are pooled, though they attend to all.
The others are fed whole steps of their convolutions only, so that clips of equal steps make a
batch without a mask; zero mean and unit variance, where the model wants it, are taken over just
these samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import torch
from torch import nn
from transformers import (
    HubertConfig,
    HubertModel,
    PretrainedConfig,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
    WhisperConfig,
    WhisperFeatureExtractor,
)
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from stratavox.encoders.catalogue import context_samples, whisper_token
from stratavox.encoders.encoder import Encoder, Grid
from stratavox.encoders.taps import Tap, torch_encoder
from stratavox.encoders.weights import load_exact, seeded
from stratavox.tables import read_json

SPEECH_HEADS = ("lm_head.", "quantizer.", "project_", "projector.", "classifier.")


@dataclass(frozen=True)
class Layout:
    """How one kind of model is built and where its blocks are.

    All of them take and give (batch, tokens, width) and put no token before the audio's own.
    ``in_tuple``: a block gives a tuple, tokens first. ``prefixes`` and ``heads``: see `load_exact`.
    """

    config: type[PretrainedConfig]
    model: type[nn.Module]
    extractor: type
    blocks: str
    prefixes: tuple[str, ...]
    heads: tuple[str, ...]
    in_tuple: bool = False
    optional: frozenset[str] = frozenset({"masked_spec_embed"})


LAYOUTS = {
    "whisper": Layout(
        WhisperConfig,
        WhisperEncoder,
        WhisperFeatureExtractor,
        blocks="layers",
        prefixes=("", "encoder.", "model.encoder."),
        heads=("decoder.", "model.decoder.", "proj_out."),
        optional=frozenset(),
    ),
    "wav2vec2": Layout(
        Wav2Vec2Config,
        Wav2Vec2Model,
        Wav2Vec2FeatureExtractor,
        blocks="encoder.layers",
        prefixes=("", "wav2vec2."),
        heads=SPEECH_HEADS,
    ),
    "hubert": Layout(
        HubertConfig,
        HubertModel,
        Wav2Vec2FeatureExtractor,
        blocks="encoder.layers",
        prefixes=("", "hubert."),
        heads=SPEECH_HEADS,
    ),
    "wavlm": Layout(
        WavLMConfig,
        WavLMModel,
        Wav2Vec2FeatureExtractor,
        blocks="encoder.layers",
        prefixes=("", "wavlm."),
        heads=SPEECH_HEADS,
        in_tuple=True,
    ),
}


def load(settings: dict, threads: int = 1) -> Encoder:
    """The model in the folder ``path``: weights (file, or random of a seed), context_s, precision.

    Raises `StratavoxError` where the weights do not fit exactly.
    """
    torch.set_num_threads(threads)
    folder = settings["path"]
    kind = read_json(f"{folder}/config.json")["model_type"]
    layout = LAYOUTS[kind]
    config = layout.config.from_pretrained(folder)
    with seeded(settings.get("seed", 0)):
        model = layout.model(config)
    if settings.get("weights", "file") == "random":
        source, sha256 = {"weights": "random", "seed": settings["seed"]}, None
    else:
        file = f"{folder}/model.safetensors"
        source = {"weights": "file", "weights_from": file}
        sha256 = load_exact(model, file, layout.prefixes, layout.optional, layout.heads)
    extractor = layout.extractor.from_pretrained(folder)
    context = context_samples(settings)
    if kind == "whisper":
        grid = Grid(size=1, hop=whisper_token(settings), context=context, fixed=True)
        _cut_positions(model, context // grid.hop)
    else:
        grid = _convolutions(config, context)
    inner = model.get_submodule(layout.blocks)
    taps = [
        Tap("input", inner[0], "input"),
        *(
            Tap(f"block_{place:02d}", block, in_tuple=layout.in_tuple)
            for place, block in enumerate(inner)
        ),
    ]
    wanted = extractor.model_input_names[0]

    def run(waves: np.ndarray) -> None:
        # The rows are of the length wanted already, so nothing is padded or cut here.
        features = extractor(
            list(waves), sampling_rate=extractor.sampling_rate, max_length=waves.shape[1]
        )
        model(torch.from_numpy(np.stack(features[wanted])).to(model.device))

    return torch_encoder(
        model,
        run,
        taps,
        width=config.hidden_size,
        rate=extractor.sampling_rate,
        grid=grid,
        precision=settings.get("precision", "fp32"),
        provenance={
            "family": "transformers",
            "model": kind,
            **source,
            "weights_sha256": sha256,
            "versions": {"transformers": version("transformers")},
        },
    )


def _cut_positions(model: WhisperEncoder, tokens: int) -> None:
    """Let Whisper's window be ``tokens`` long: its first positions, and the check of its input."""
    model.embed_positions = nn.Embedding.from_pretrained(model.embed_positions.weight[:tokens])
    model.config.max_source_positions = model.max_source_positions = tokens


def _convolutions(config: PretrainedConfig, context: int) -> Grid:
    """Steps of a stack of unpadded convolutions: its receptive field and its total stride."""
    size, hop = 1, 1
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        size += (kernel - 1) * hop
        hop *= stride
    return Grid(size=size, hop=hop, context=context)
