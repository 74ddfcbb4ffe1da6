"""Readouts of a torch model: hooks on its blocks, pooled as they pass, in one forward pass."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

import numpy as np
import torch
from torch import nn

from stratavox.encoders.encoder import Encoder, Grid, blocks

# Seconds of audio a batch. On a CPU more is no faster (BEATs: the same from 8 to 48 clips of
# 1.8 s) and takes more memory; a GPU wants to be filled.
BATCH_S = {"cpu": 16.0, "cuda": 320.0}


@dataclass(frozen=True)
class Tap:
    """Where a readout is read: what goes into a module (its first argument) or comes out.

    ``layout`` names the axes. ``in_tuple``: the tokens are the first of a tuple.
    """

    readout: str
    module: nn.Module
    side: Literal["input", "output"] = "output"
    layout: Literal["batch tokens width", "tokens batch width"] = "batch tokens width"
    in_tuple: bool = False

    def attach(
        self, take: Callable[[str, torch.Tensor], None]
    ) -> torch.utils.hooks.RemovableHandle:
        """Hand the readout as (batch, tokens, width) to ``take`` whenever the module runs."""

        def seen(value) -> None:
            tokens = value[0] if self.side == "input" or self.in_tuple else value
            take(
                self.readout,
                tokens.transpose(0, 1) if self.layout == "tokens batch width" else tokens,
            )

        # The hooks return None: a value would take the place of the module's own.
        if self.side == "input":
            return self.module.register_forward_pre_hook(lambda module, args: seen(args))
        return self.module.register_forward_hook(lambda module, args, output: seen(output))


def valid_mean(tokens: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Mean of each row's first ``counts`` (batch,) tokens of (batch, tokens, width)."""
    places = torch.arange(tokens.shape[1], device=tokens.device)
    weights = (places < counts[:, None]) / counts[:, None].float()
    return torch.bmm(weights[:, None], tokens.float())[:, 0]


def read(
    run: Callable[[], object], taps: list[Tap], keep: Callable[[torch.Tensor], torch.Tensor]
) -> dict[str, np.ndarray]:
    """Call ``run`` once and return what ``keep`` makes of each tap's (batch, tokens, width).

    ``keep`` is applied as each module runs, so where it pools, the tokens of all readouts never
    stand in memory at once. The hooks are gone afterwards.
    """
    kept: dict[str, torch.Tensor] = {}

    def take(readout: str, tokens: torch.Tensor) -> None:
        with torch.autocast(tokens.device.type, enabled=False):
            kept[readout] = keep(tokens)

    with ExitStack() as hooks:
        for tap in taps:
            hooks.callback(tap.attach(take).remove)
        run()
    return {tap.readout: kept[tap.readout].cpu().numpy() for tap in taps}


def torch_encoder(
    model: nn.Module,
    run: Callable[[np.ndarray], object],
    taps: list[Tap],
    width: int,
    rate: int,
    grid: Grid,
    precision: str,
    provenance: dict,
) -> Encoder:
    """The `Encoder` whose pass is ``run`` (from waves), on a GPU where there is one.

    ``provenance`` is what the family knows; device, precision and torch's version are added.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device).eval()

    def passed(waves: np.ndarray, wanted: list[Tap], keep) -> dict[str, np.ndarray]:
        half = torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")
        with torch.inference_mode(), half:
            return read(lambda: run(waves), wanted, keep)

    def forward(waves: np.ndarray, counts: list[int]) -> dict[str, np.ndarray]:
        valid = torch.tensor(counts, device=device)
        return passed(waves, taps, lambda tokens: valid_mean(tokens, valid))

    def tokens(waves: np.ndarray, readouts: list[str]) -> dict[str, np.ndarray]:
        # a copy: a hook is handed the module's own output, which later modules may overwrite
        wanted = [tap for tap in taps if tap.readout in readouts]
        return passed(waves, wanted, lambda seen: seen.float().clone())

    widths = {tap.readout: width for tap in taps}
    return Encoder(
        rate=rate,
        grid=grid,
        widths=widths,
        forward=forward,
        tokens=tokens,
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
