"""avex's models other than BEATs: its EfficientNets and its AVES.

EfficientNet (Tan & Le 2019, ICML, arXiv 1905.11946) takes avex's log-mel spectrogram of a clip,
with centred frames every 10 ms, scaled so that its minimum is 0 and its maximum 1. Readouts:
``block_00`` ... ``block_08``, torchvision's ``features``. Each has its own width and its own map of
bands by time, over which the mean is taken. The last is the output of avex's model. The network
pads its maps at both ends, so clips with equal numbers of frames make a batch without a mask. A
clip in several windows is their mean, weighted by frames.

AVES (Hagiwara 2023, ICASSP, arXiv 2210.14493) is torchaudio's HuBERT in avex's sizes: ``input``,
``block_NN`` and, with ``sites``, ``attn_NN`` and ``ffn_NN`` (see transformers); avex calls
``ffn_NN`` its layers. It is built here from these sizes because avex's own class opens a fetched
.pt file. The last block's output is what avex's class returns.
"""

from __future__ import annotations

from importlib.metadata import version

import torch
from avex.data.audio_utils import AudioProcessor
from avex.models.aves_model import AVESConfig
from avex.models.utils.registry import get_model_spec
from torch import nn
from torchaudio.models import wav2vec2_model
from torchvision.models import efficientnet_b0

from stratavox.encoders.avex import AVES, AVES_RATE
from stratavox.encoders.catalogue import SPEECH_CONTEXT_S
from stratavox.encoders.encoder import Encoder, Grid
from stratavox.encoders.taps import Layout, Stack, Tap, torch_encoder
from stratavox.encoders.weights import fill, seeded

AVES_STACK = Stack("encoder.transformer.layers", "attention", "feed_forward", Layout(in_tuple=True))
MAP = Layout("batch width bands time")


def load(settings: dict, threads: int = 1) -> Encoder:
    """The model of ``settings``: weights, seed, sites.

    Raises `StratavoxError` if the weights are missing or do not fit exactly.
    """
    torch.set_num_threads(threads)
    return _aves(settings) if settings["model"] == AVES else _efficientnet(settings)


def _aves(settings: dict) -> Encoder:
    sizes = AVESConfig().to_dict()
    with seeded(settings.get("seed", 0)):
        model = wav2vec2_model(**sizes, aux_num_out=None)
    source = fill(model, settings, ("", "model."), heads=("aux.",))
    _, kernels, strides = zip(*sizes["extractor_conv_layer_config"], strict=True)
    return torch_encoder(
        model,
        model.extract_features,
        AVES_STACK.taps(model, sizes["encoder_embed_dim"], settings.get("sites", ())),
        rate=AVES_RATE,
        grid=Grid.of_convolutions(kernels, strides, round(SPEECH_CONTEXT_S * AVES_RATE)),
        precision="fp32",
        provenance=_provenance("aves", settings, source),
    )


def _efficientnet(settings: dict) -> Encoder:
    audio = get_model_spec(settings["model"]).audio_config
    with seeded(settings.get("seed", 0)):
        model = efficientnet_b0(weights=None)
    model.classifier = nn.Identity()
    source = fill(model, settings, ("", "model."), heads=("classifier.", "model.classifier."))
    spectrogram = AudioProcessor(audio)
    # each stage ends in a convolution and a batch norm of the stage's width
    widths = [
        [part for part in stage.modules() if isinstance(part, nn.BatchNorm2d)][-1].num_features
        for stage in model.features
    ]
    taps = [
        Tap(f"block_{place:02d}", stage, width, layout=MAP)
        for place, (stage, width) in enumerate(zip(model.features, widths, strict=True))
    ]

    def run(waves: torch.Tensor) -> None:
        model.features(spectrogram(waves)[:, None].repeat(1, 3, 1, 1))

    # centred frames are padded by reflection, which needs more samples than half a frame
    shortest = audio.hop_length * (audio.n_fft // 2 // audio.hop_length + 1)
    return torch_encoder(
        model,
        run,
        taps,
        rate=audio.sample_rate,
        grid=Grid(
            shortest, audio.hop_length, context=audio.target_length_seconds * audio.sample_rate
        ),
        precision="fp32",
        provenance=_provenance("efficientnet_b0", settings, source),
        maps=True,
    )


def _provenance(kind: str, settings: dict, source: dict) -> dict:
    return {
        "family": "avex",
        "kind": kind,
        "model": settings["model"],
        **source,
        "versions": {name: version(name) for name in ("avex", "torchaudio", "torchvision")},
    }
