"""Audio transformers of the `transformers` library: Whisper's encoder, wav2vec 2.0 and others, AST.

Readouts: ``input``, what enters the first block, positions included; ``block_NN``, the blocks'
outputs; with ``sites`` also ``attn_NN`` and ``ffn_NN``, the outputs of a block's attention and
feed-forward part before the residual sum. Models with layer norm *before* each part of a block
(Whisper; AST; ``do_stable_layer_norm``) apply one more norm after the last block, which is not part
of ``block_NN``: with this norm the last block's output is ``last_hidden_state``. In other models
the two are equal.

Whisper's input is a window of fixed length, 30 s, in which zeros follow the clip. ``context_s``
cuts this window and the table of positions, as audio_ctx does in whisper.cpp. Only the tokens of
the clip (one every 20 ms, the first at its start) are pooled, though they attend to all.

wav2vec 2.0, HuBERT and WavLM are fed whole steps of their convolutions, so that clips with equal
numbers of steps make a batch without a mask. Zero mean and unit variance, where the model needs
them, are computed over these samples only.

The input of AST (Gong et al. 2021, Interspeech, arXiv 2104.01778) is a spectrogram of a fixed
number of frames (1,024 of 10 ms), which the feature extractor fills with zeros after the clip's
frames. A token is a patch of 16 bands by 16 frames, one every 10 frames and 10 bands. A clip is cut
to whole columns of patches, and only the columns entirely within its frames are pooled (the first
takes 2,800 samples, each further 1,600), though they attend to all. The first two tokens, CLS and
distillation, are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTModel,
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

from stratavox.encoders.encoder import Encoder, Grid
from stratavox.encoders.taps import Layout, Stack, torch_encoder
from stratavox.encoders.transformers.windows import (
    AST,
    ast_frame,
    context_samples,
    whisper_token,
)
from stratavox.encoders.weights import fill, received, seeded
from stratavox.encoders.weights_entry import UNTRAINED
from stratavox.errors import StratavoxError
from stratavox.tables import read_json

SPEECH_HEADS = ("lm_head.", "quantizer.", "project_", "projector.", "classifier.")


@dataclass(frozen=True)
class Kind:
    """How one kind of model is built, where its blocks are, and their axes.

    ``prefixes``, ``heads``, ``optional`` and ``renames``: see `load_exact`.
    """

    config: type[PretrainedConfig]
    model: type[nn.Module]
    extractor: type
    stack: Stack
    prefixes: tuple[str, ...]
    heads: tuple[str, ...]
    optional: frozenset[str] = frozenset()
    renames: tuple[tuple[str, str], ...] = ()


def _speech(config: type, model: type, prefix: str, in_tuple: bool = False) -> Kind:
    """wav2vec 2.0 or a related model."""
    return Kind(
        config,
        model,
        Wav2Vec2FeatureExtractor,
        Stack("encoder.layers", "attention", "feed_forward", Layout(in_tuple=in_tuple)),
        prefixes=("", prefix),
        heads=SPEECH_HEADS,
        optional=frozenset({"masked_spec_embed"}),
    )


KINDS = {
    "whisper": Kind(
        WhisperConfig,
        WhisperEncoder,
        WhisperFeatureExtractor,
        Stack("layers", "self_attn", "fc2"),
        prefixes=("", "encoder.", "model.encoder."),
        heads=("decoder.", "model.decoder.", "proj_out."),
    ),
    "wav2vec2": _speech(Wav2Vec2Config, Wav2Vec2Model, "wav2vec2."),
    "hubert": _speech(HubertConfig, HubertModel, "hubert."),
    "wavlm": _speech(WavLMConfig, WavLMModel, "wavlm.", in_tuple=True),
    AST: Kind(
        ASTConfig,
        ASTModel,
        ASTFeatureExtractor,
        Stack("layers", "attention", "mlp", Layout(prefix=2)),
        prefixes=("", "audio_spectrogram_transformer."),
        heads=("classifier.",),
        # files of before transformers 5, in its order
        renames=(
            ("encoder.layer.", "layers."),
            ("attention.attention.query", "attention.q_proj"),
            ("attention.attention.key", "attention.k_proj"),
            ("attention.attention.value", "attention.v_proj"),
            ("attention.output.dense", "attention.o_proj"),
            ("intermediate.dense", "mlp.fc1"),
            ("output.dense", "mlp.fc2"),
        ),
    ),
}


def load(settings: dict, threads: int = 1) -> Encoder:
    """The model in the folder ``path``: weights, seed, context_s, precision.

    With ``model`` the folder is that of the receipt of `hub`. Raises `StratavoxError` where the
    weights do not fit exactly.
    """
    torch.set_num_threads(threads)
    if "model" in settings:
        settings = settings | {"path": Path(received(settings["receipt"])["path"]).parent}
    folder = settings["path"]
    name = read_json(f"{folder}/config.json")["model_type"]
    kind = KINDS[name]
    config = kind.config.from_pretrained(folder)
    with seeded(settings.get("seed", 0)):
        model = kind.model(config)
    trained = "pretrained" if "model" in settings else f"{folder}/model.safetensors"
    weights = settings.get("weights")
    source = fill(
        model,
        settings | {"weights": weights if weights in UNTRAINED else trained, "of": trained},
        *(kind.prefixes, kind.optional, kind.heads),
        renames=kind.renames,
    )
    extractor = kind.extractor.from_pretrained(folder)
    stack, context = kind.stack, context_samples(settings)
    if name == "whisper":
        grid = Grid(size=1, hop=whisper_token(settings), context=context, fixed=True)
        _cut_positions(model, context // grid.hop)
    elif name == AST:
        grid = _patches(config, extractor, context, folder)
        stack = replace(stack, layout=replace(stack.layout, bands=grid.per_step))
    else:
        grid = Grid.of_convolutions(config.conv_kernel, config.conv_stride, context)
    wanted = extractor.model_input_names[0]

    def prepare(waves: np.ndarray) -> torch.Tensor:
        # the rows already have this length, so no wave is padded or cut here
        features = extractor(
            list(waves), sampling_rate=extractor.sampling_rate, max_length=waves.shape[1]
        )
        return torch.from_numpy(np.stack(features[wanted]))

    return torch_encoder(
        model,
        model,
        stack.taps(model, config.hidden_size, settings.get("sites", ())),
        rate=extractor.sampling_rate,
        grid=grid,
        precision=settings.get("precision", "fp32"),
        prepare=prepare,
        provenance={
            "family": "transformers",
            "kind": name,
            "model": name,
            **source,
            "versions": {"transformers": version("transformers")},
        },
    )


def _cut_positions(model: WhisperEncoder, tokens: int) -> None:
    """Cut Whisper's window to ``tokens``: the table of positions, and the check of the input."""
    model.embed_positions = nn.Embedding.from_pretrained(model.embed_positions.weight[:tokens])
    model.config.max_source_positions = model.max_source_positions = tokens


def _patches(config: ASTConfig, extractor: ASTFeatureExtractor, context: int, folder: str) -> Grid:
    """Columns of AST's patches; raises where the extractor's spectrogram does not fit the model."""
    for key in ("max_length", "num_mel_bins"):
        value, wanted = getattr(extractor, key), getattr(config, key)
        if value != wanted:
            raise StratavoxError(
                f"path: {folder}/preprocessor_config.json: {key}: found {value}; config.json, and "
                f"so the model's table of positions, has {wanted}"
            )
    window, shift = ast_frame(extractor.sampling_rate)
    return Grid(
        size=window + shift * (config.patch_size - 1),
        hop=shift * config.time_stride,
        per_step=(config.num_mel_bins - config.patch_size) // config.frequency_stride + 1,
        context=context,
        least=shift * config.max_length,
    )
