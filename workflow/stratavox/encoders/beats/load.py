"""BEATs (Chen et al. 2023, arXiv 2212.09058) as avex builds it.

Readouts: ``patch``, the projected patch embedding before the positional convolution; ``input``,
what enters the first block; ``block_NN``, the blocks' outputs after their last layer norm. The last
block's output is the model's output. ``sites`` adds ``attn_NN`` and ``ffn_NN``, what attention and
the feed-forward part of a block give before the residual sum: avex calls ``ffn_NN`` its layers.

A patch is 16 frames of 10 ms by 16 of 128 mel bands, so a step of time is 2,560 samples and 8
tokens, and the first step takes 2,800 samples. Samples after the last whole step are not fed, so
clips with equal numbers of steps make a batch without a mask.
"""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import version

import torch
from avex.models.beats import BEATs, BEATsConfig
from avex.models.utils.registry import get_model_spec

from stratavox.encoders.beats import ARCHITECTURE_OF, BUNDLED
from stratavox.encoders.beats.fourier import FourierConv1d
from stratavox.encoders.encoder import Encoder, Grid
from stratavox.encoders.taps import Layout, Stack, Tap, torch_encoder
from stratavox.encoders.weights import fill, metadata, seeded
from stratavox.encoders.weights_entry import source

WINDOW, HOP, PATCH, MEL_BANDS = 400, 160, 16, 128
GRID = Grid(WINDOW + HOP * (PATCH - 1), HOP * PATCH, MEL_BANDS // PATCH)
STACK = Stack(
    "encoder.layers",
    attn="self_attn",
    ffn="fc2",
    layout=Layout("tokens batch width", in_tuple=True),
)
# The first are computed from the config; classifiers are not part of the encoder.
OPTIONAL = frozenset({"fbank.window", "fbank.mel_fb"})
HEADS = ("classifier.", "predictor.")


def load(settings: dict, threads: int = 1) -> Encoder:
    """The BEATs of ``settings``: model or architecture, weights, seed, precision.

    Raises `StratavoxError` if the weights are missing or do not fit exactly.
    """
    torch.set_num_threads(threads)
    spec = get_model_spec(settings.get("model", ARCHITECTURE_OF))
    sizes = settings.get("architecture")
    if source(settings) == "bundled":
        sizes = json.loads(metadata(BUNDLED)["architecture"])
    config = BEATsConfig(**_sizes(spec.init_config, sizes))
    with seeded(settings.get("seed", 0)):
        model = BEATs(config)
    filled = fill(model, settings, ("backbone.", ""), OPTIONAL, HEADS, bundled=BUNDLED)
    precision = settings.get("precision", "fp32")
    if precision == "fp32" and not torch.cuda.is_available():
        # The GPU's own kernel is fast, and the Fourier transform has no half precision.
        model.encoder.pos_conv[0] = FourierConv1d(model.encoder.pos_conv[0])
    width = config.encoder_embed_dim
    rate = spec.audio_config.sample_rate
    return torch_encoder(
        model,
        # without disable_layerdrop each pass draws from NumPy's global generator
        lambda waves: model(waves, disable_layerdrop=True),
        [
            Tap("patch", model.encoder, width, "input"),
            *STACK.taps(model, width, settings.get("sites", ())),
        ],
        rate=rate,
        grid=replace(GRID, context=int(spec.audio_config.target_length_seconds * rate)),
        precision=precision,
        provenance={
            "family": "beats",
            "kind": "beats",
            "model": settings.get("model"),
            "architecture": sizes,
            **filled,
            "versions": {"avex": version("avex")},
        },
    )


def small_config(architecture: dict, **changes) -> BEATsConfig:
    """avex's config of its BEATs in the sizes of ``architecture``, with ``changes``."""
    official = get_model_spec(ARCHITECTURE_OF).init_config
    return BEATsConfig(**_sizes(official, architecture) | changes)


def _sizes(official: dict, sizes: dict | None) -> dict:
    """avex's config of the model without its classifier, or a smaller one of ``sizes``."""
    config = official | {"finetuned_model": False}
    if sizes:
        config |= {
            "encoder_layers": sizes["layers"],
            "encoder_embed_dim": sizes["width"],
            "encoder_ffn_embed_dim": 4 * sizes["width"],
            "encoder_attention_heads": sizes["heads"],
        }
    return config
