"""BatDetect2 (Mac Aodha et al. 2022, bioRxiv 2022.12.14.520490), built from its tensors.

A spectrogram of 10 to 120 kHz (frames of 2 ms every .5 ms, PCEN, less each band's mean, negative
values cut) is resized to 128 bands and one step a millisecond. An encoder of four stages, a
bottleneck with attention over time, and a decoder follow; the levels of the encoder are added to
those of the decoder. As in the package, zeros follow a clip until the spectrogram has a multiple of
32 steps, at least 64, and they count in the bands' means.

Readouts: ``input``, the spectrogram, one number a band; ``block_00`` to ``block_03``, the encoder;
``block_04`` and ``block_05``, the bottleneck before and after attention; ``block_06`` to
``block_08``, the decoder; ``block_09``, its last convolution, from which detections are computed.
The mean of a map is over its bands and the steps of the clip. A map of longer steps is repeated to
one a millisecond, so that a step at the clip's end counts by its share inside the clip.
"""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

# librosa imports its parts as they are named: here once, not in each fork (forks.py)
from librosa import pcen, stft
from torch import nn
from torch.nn import functional

from stratavox.encoders.batdetect2 import FILE, LICENCE, PACKAGED, RATE, installed
from stratavox.encoders.encoder import Encoder, Grid
from stratavox.encoders.taps import Tap, torch_encoder
from stratavox.encoders.weights import fill, fit, permute, seeded
from stratavox.encoders.weights_entry import source
from stratavox.errors import StratavoxError

# Frames of the spectrogram in samples, and those of its bins that are kept, lowest first.
WINDOW, HOP, LOWEST, HIGHEST = 512, 128, 21, 240
BANDS, STEP = 128, 2 * HOP
# Steps of the fed spectrogram: a multiple of the first, and at least the second.
WHOLE, LEAST = 32, 64
# PCEN's input is in 32-bit integers, and its time is in frames of 512 at a tenth of the rate.
PCEN_SCALE, PCEN_RATE = 2.0**31, RATE / 10
# Maps are large: on a CPU 8 s at once take twice as long as 1 s, and 1.9 GB.
CPU_BATCH_S = 1.0
# Detections are no readouts.
HEADS = ("conv_size_op.", "conv_classes_op.")


@dataclass(frozen=True)
class Steps(Grid):
    """Steps of a millisecond, fed with zeros after the clip to a whole spectrogram."""

    def fed(self, n_samples: int) -> int:
        steps = max(LEAST, -(-self.tokens(n_samples) // WHOLE) * WHOLE)
        return self.size + self.hop * (steps - 1)


# A step is two frames; windows are of 1 s, of which a whole number of steps fits.
GRID = Steps(size=WINDOW + HOP, hop=STEP, context=RATE)


def load(settings: dict, threads: int = 1) -> Encoder:
    """The model of ``settings``: weights, seed.

    Raises `StratavoxError` if the weights are missing or do not fit exactly.
    """
    torch.set_num_threads(threads)
    with seeded(settings.get("seed", 0)):
        model = Net2D()
    if source(settings) in PACKAGED:
        filled = _packaged(model, settings)
    else:
        filled = fill(model, settings, heads=HEADS)
    encoder = torch_encoder(
        model,
        model,
        [Tap(name, module, model.widths[name]) for name, module in model.read.items()],
        rate=RATE,
        grid=GRID,
        precision="fp32",
        prepare=spectrogram,
        provenance={
            "family": "batdetect2",
            "kind": "batdetect2",
            "model": FILE.partition(".")[0],
            **filled,
            "versions": {"librosa": version("librosa")},
        },
    )
    if encoder.provenance["device"] == "cpu":
        return replace(encoder, batch_s=CPU_BATCH_S)
    return encoder


def _packaged(model: nn.Module, settings: dict) -> dict:
    """Fill ``model`` from the package's file; its part of the provenance."""
    path = Path(installed())
    try:
        # tensors and plain values alone: no code of the file is run
        tensors = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError) as error:
        why = str(error).splitlines()[0]
        raise StratavoxError(f"{path}: not BatDetect2's weights ({why}); run make setup") from None
    fit(model, tensors, path, heads=HEADS)
    about = {}
    if settings["weights"] == "permuted":
        about = {"seed": settings["seed"]}
        permute(model, settings["seed"])
    print(f"weights: BatDetect2, {FILE}; licence: {LICENCE}, not for commercial use")
    return {
        "weights": settings["weights"],
        "weights_from": FILE,
        "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "licence": LICENCE,
        **about,
    }


def spectrogram(waves: np.ndarray) -> torch.Tensor:
    """The input (batch, 1, 128, steps) of waves (batch, samples), highest band first."""
    frames = np.abs(stft(waves, n_fft=WINDOW, hop_length=HOP, center=False))
    bands = frames[:, HIGHEST : LOWEST - 1 : -1].astype(np.float32)
    levels = pcen(bands * PCEN_SCALE, sr=PCEN_RATE).astype(np.float32)
    levels = np.maximum(levels - levels.mean(axis=2, keepdims=True), 0)
    size = (BANDS, levels.shape[2] // 2)
    return functional.interpolate(torch.from_numpy(levels)[:, None], size=size, mode="bilinear")


class Read(nn.Module):
    """A map (batch, width, bands, time) as tokens (batch, steps, width), each of a millisecond."""

    def __init__(self, longer: int):
        super().__init__()
        self.longer = longer

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps.mean(dim=2).repeat_interleave(self.longer, dim=2).transpose(1, 2)


class Stage(nn.Module):
    """A convolution that is also given each band's place, with a batch norm."""

    def __init__(self, width_in: int, width: int, bands: int):
        super().__init__()
        # a band's place from top to bottom, which nothing has trained
        places = torch.linspace(-1, 1, bands)[None, None, :, None]
        self.coords = nn.Parameter(places, requires_grad=False)
        self.conv = nn.Conv2d(width_in + 1, width, 3, padding=1)
        self.conv_bn = nn.BatchNorm2d(width)

    def convolved(self, maps: torch.Tensor) -> torch.Tensor:
        places = self.coords.expand(len(maps), 1, -1, maps.shape[3])
        return self.conv(torch.cat([maps, places], dim=1))


class Down(Stage):
    """Halves bands and steps after the convolution."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.conv_bn(functional.max_pool2d(self.convolved(maps), 2)))


class Up(Stage):
    """Doubles bands and steps before the convolution."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        larger = functional.interpolate(maps, scale_factor=2, mode="bilinear")
        return functional.relu(self.conv_bn(self.convolved(larger)))


class Attention(nn.Module):
    """One head over the steps of a map of one band, without positions, scaled by the width."""

    def __init__(self, width: int):
        super().__init__()
        self.key_fun = nn.Linear(width, width)
        self.val_fun = nn.Linear(width, width)
        self.que_fun = nn.Linear(width, width)
        self.pro_fun = nn.Linear(width, width)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        steps = maps[:, :, 0].transpose(1, 2)
        mixed = functional.scaled_dot_product_attention(
            self.que_fun(steps), self.key_fun(steps), self.val_fun(steps), scale=1 / steps.shape[2]
        )
        return self.pro_fun(mixed).transpose(1, 2)[:, :, None]


class Net2D(nn.Module):
    """BatDetect2's network up to what its detections are computed from.

    ``read`` maps each readout to the module that gives its tokens, in depth order, and ``widths``
    to its width. Names of tensors are those of the published file.
    """

    def __init__(self, width: int = 128):
        super().__init__()
        self.conv_dn_0 = Down(1, width // 4, BANDS)
        self.conv_dn_1 = Down(width // 4, width // 2, BANDS // 2)
        self.conv_dn_2 = Down(width // 2, width, BANDS // 4)
        self.conv_dn_3 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.conv_dn_3_bn = nn.BatchNorm2d(2 * width)
        self.conv_1d = nn.Conv2d(2 * width, 2 * width, (BANDS // 8, 1))
        self.conv_1d_bn = nn.BatchNorm2d(2 * width)
        self.att = Attention(2 * width)
        self.conv_up_2 = Up(2 * width, width // 2, BANDS // 4)
        self.conv_up_3 = Up(width // 2, width // 4, BANDS // 2)
        self.conv_up_4 = Up(width // 4, width // 4, BANDS)
        self.conv_op = nn.Conv2d(width // 4, width // 4, 3, padding=1)
        self.conv_op_bn = nn.BatchNorm2d(width // 4)
        # width of each block, and steps of a millisecond in one of its own
        blocks = (
            *((width // 4, 2), (width // 2, 4), (width, 8), (2 * width, 8)),
            *((2 * width, 8), (2 * width, 8)),
            *((width // 2, 4), (width // 4, 2), (width // 4, 1), (width // 4, 1)),
        )
        named = {"input": (BANDS, 1)}
        named |= {f"block_{place:02d}": block for place, block in enumerate(blocks)}
        self.widths = {name: own for name, (own, _) in named.items()}
        self.read = nn.ModuleDict({name: Read(longer) for name, (_, longer) in named.items()})

    def forward(self, spectrogram: torch.Tensor) -> torch.Tensor:
        """What detections are computed from (batch, width, 128, steps); calls ``read``."""
        read = self.read
        read["input"](spectrogram.transpose(1, 2))
        read["block_00"](first := self.conv_dn_0(spectrogram))
        read["block_01"](second := self.conv_dn_1(first))
        read["block_02"](maps := self.conv_dn_2(second))
        read["block_03"](third := functional.relu(self.conv_dn_3_bn(self.conv_dn_3(maps))))
        read["block_04"](maps := functional.relu(self.conv_1d_bn(self.conv_1d(third))))
        read["block_05"](maps := self.att(maps))
        read["block_06"](maps := self.conv_up_2(maps + third))
        read["block_07"](maps := self.conv_up_3(maps + second))
        read["block_08"](maps := self.conv_up_4(maps + first))
        read["block_09"](maps := functional.relu(self.conv_op_bn(self.conv_op(maps))))
        return maps
