"""Readouts of a torch model: hooks on its blocks, pooled in one forward pass.

The order of a model's axes is declared, never guessed from shapes: where two axes have the same
length, a guess can mix clips.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Literal

import numpy as np
import torch
from torch import nn

from stratavox.encoders.encoder import Encoder, Grid
from stratavox.encoders.sites import blocks
from stratavox.errors import StratavoxError

# Seconds of audio in a batch. On a CPU more is not faster (BEATs: the same from 8 to 48 clips of
# 1.8 s) and takes more memory; a GPU is faster with more (16,000 tokens of BEATs take 1.5 GB).
BATCH_S = {"cpu": 16.0, "cuda": 320.0}
# "batch width bands time" is a conv map; "batch width" is one vector (token) for each window.
Axes = Literal["batch tokens width", "tokens batch width", "batch width bands time", "batch width"]


@dataclass(frozen=True)
class Layout:
    """The axes of a readout's tokens in the input or output of a module.

    ``in_tuple``: the tokens are the first element of a tuple. ``prefix``: the number of leading
    tokens that are not of the audio (CLS, distillation); they are left out. ``bands``: the number
    of frequency bands, whose tokens come band after band; they are put in order of time.
    """

    axes: Axes = "batch tokens width"
    in_tuple: bool = False
    prefix: int = 0
    bands: int = 1

    def tokens(self, value) -> torch.Tensor:
        """The audio's tokens, (batch, tokens, width), in order of time."""
        tokens = value[0] if self.in_tuple else value
        if self.axes == "batch width bands time":
            return tokens.permute(0, 3, 2, 1).flatten(1, 2)
        if self.axes == "batch width":
            return tokens[:, None]
        if self.axes == "tokens batch width":
            tokens = tokens.transpose(0, 1)
        tokens = tokens[:, self.prefix :]
        if self.bands == 1:
            return tokens
        return tokens.unflatten(1, (self.bands, -1)).transpose(1, 2).flatten(1, 2)


@dataclass(frozen=True)
class Tap:
    """Where a readout is read: the input (first argument) or output of a module."""

    readout: str
    module: nn.Module
    width: int
    side: Literal["input", "output"] = "output"
    layout: Layout = Layout()

    def attach(
        self, take: Callable[[str, torch.Tensor], None]
    ) -> torch.utils.hooks.RemovableHandle:
        """Call ``take`` with the readout (batch, tokens, width) whenever the module runs."""

        # The hooks return None: any other value would replace the module's.
        def entering(module, arguments) -> None:
            if not arguments:
                raise StratavoxError(
                    f"readout {self.readout}: the module is called with named arguments alone; "
                    "its first argument, the tokens, must be positional"
                )
            take(self.readout, self.layout.tokens(arguments[0]))

        def leaving(module, arguments, output) -> None:
            take(self.readout, self.layout.tokens(output))

        if self.side == "input":
            return self.module.register_forward_pre_hook(entering)
        return self.module.register_forward_hook(leaving)


@dataclass(frozen=True)
class Stack:
    """Where the blocks of a transformer are, and their axes.

    ``blocks`` is the path of the list of blocks in the model. ``attn`` and ``ffn`` are the paths of
    a block's two branches: attention, which returns a tuple with the tokens first, and the
    feed-forward part, which returns the tokens, both before the residual sum. ``layout.in_tuple``
    is about a block's output.
    """

    blocks: str
    attn: str
    ffn: str
    layout: Layout = Layout()

    def taps(self, model: nn.Module, width: int, sites: Sequence[str]) -> list[Tap]:
        """Taps of ``input``, what enters the first block, and of the blocks' ``sites``."""
        inner = list(model.get_submodule(self.blocks))
        plain = replace(self.layout, in_tuple=False)
        taps = [Tap("input", inner[0], width, "input", plain)]
        taps += [
            Tap(f"block_{place:02d}", block, width, layout=self.layout)
            for place, block in enumerate(inner)
        ]
        for site, path, layout in (
            ("attn", self.attn, replace(self.layout, in_tuple=True)),
            ("ffn", self.ffn, plain),
        ):
            if site in sites:
                taps += [
                    Tap(f"{site}_{place:02d}", block.get_submodule(path), width, layout=layout)
                    for place, block in enumerate(inner)
                ]
        return taps


def valid_mean(tokens: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Mean of each row's first ``counts`` (batch,) tokens of (batch, tokens, width)."""
    places = torch.arange(tokens.shape[1], device=tokens.device)
    weights = (places < counts[:, None]) / counts[:, None].float()
    return torch.bmm(weights[:, None], tokens.float())[:, 0]


def read(
    run: Callable[[], object], taps: list[Tap], keep: Callable[[torch.Tensor], torch.Tensor]
) -> dict[str, np.ndarray]:
    """Call ``run`` once and return ``keep`` of each tap's tokens (batch, tokens, width).

    ``keep`` is applied as each module runs: if it pools, the tokens of all readouts are never in
    memory at once. The hooks are removed afterwards.
    """
    kept: dict[str, torch.Tensor] = {}

    def take(readout: str, tokens: torch.Tensor) -> None:
        with torch.autocast(tokens.device.type, enabled=False):
            kept[readout] = keep(tokens)

    with ExitStack() as hooks:
        for tap in taps:
            hooks.callback(tap.attach(take).remove)
        run()
    # concatenated, so that there is one copy from a GPU
    parts = [kept[tap.readout] for tap in taps]
    values = torch.cat(parts, dim=-1).cpu().numpy()
    ends = np.cumsum([part.shape[-1] for part in parts])[:-1]
    return dict(zip([tap.readout for tap in taps], np.split(values, ends, axis=-1), strict=True))


def _sent(inputs: torch.Tensor, device: str) -> torch.Tensor:
    """``inputs`` on the device; to a GPU from pinned memory, without waiting for the copy."""
    if device == "cpu":
        return inputs
    return inputs.pin_memory().to(device, non_blocking=True)


def _halve(model: nn.Module) -> None:
    """Convert the weights of linear layers to bfloat16; autocast would do so in every pass."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.to(torch.bfloat16)


def torch_encoder(
    model: nn.Module,
    run: Callable[[torch.Tensor], object],
    taps: list[Tap],
    rate: int,
    grid: Grid,
    precision: str,
    provenance: dict,
    maps: bool = False,
    prepare: Callable[[np.ndarray], torch.Tensor] = torch.from_numpy,
) -> Encoder:
    """The `Encoder` whose pass is ``run``, on a GPU if there is one.

    ``prepare`` turns waves (batch, samples) into the input of ``run``, on the CPU and in float32.
    With ``maps`` each readout has its own grid, and its mean is over the whole map. ``provenance``
    comes from the family: ``family``, ``kind`` (encoders of one kind, rate and widths have the same
    architecture), ``model``, weights and ``versions``; the rest is added here.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device).eval()
    # by default cuDNN rounds the inputs of convolutions to 10 bits
    torch.backends.cudnn.allow_tf32 = False
    if precision == "bf16":
        _halve(model)

    def passed(waves: np.ndarray, wanted: list[Tap], keep) -> dict[str, np.ndarray]:
        half = torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")
        try:
            with torch.inference_mode():
                inputs = _sent(prepare(waves), device)
                with half:
                    return read(lambda: run(inputs), wanted, keep)
        except torch.OutOfMemoryError as error:
            raise StratavoxError(
                f"the GPU's memory does not hold a batch of {len(waves)} windows of "
                f"{waves.shape[1] / rate:.2f} s: {error}. Free it of other work, use a larger "
                "one, or hide it (CUDA_VISIBLE_DEVICES=) to embed on the CPU"
            ) from None

    def forward(waves: np.ndarray, counts: list[int]) -> dict[str, np.ndarray]:
        if maps:
            return passed(waves, taps, lambda tokens: tokens.float().mean(dim=1))
        valid = torch.tensor(counts, device=device)
        return passed(waves, taps, lambda tokens: valid_mean(tokens, valid))

    def tokens(waves: np.ndarray, readouts: list[str]) -> dict[str, np.ndarray]:
        # a copy, as later modules may overwrite the output that the hook gets
        wanted = [tap for tap in taps if tap.readout in readouts]
        return passed(waves, wanted, lambda seen: seen.float().clone())

    widths = {tap.readout: tap.width for tap in taps}
    return Encoder(
        rate=rate,
        grid=grid,
        widths=widths,
        forward=forward,
        tokens=None if maps else tokens,
        batch_s=BATCH_S[device],
        provenance=provenance
        | {
            "rate": rate,
            "readouts": list(widths),
            "blocks": blocks(list(widths)),
            "widths": widths,
            "precision": precision,
            "context_s": grid.context / rate,
            "shortest_s": grid.size / rate,
            "device": device,
            "versions": provenance["versions"] | {"torch": version("torch")},
        },
    )
