"""An encoder that costs next to nothing, but whose readouts tell one sound from another."""

from __future__ import annotations

import torch
from torch import nn


class Block(nn.Module):
    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens + torch.tanh(tokens).roll(1, -1)


class Stub(nn.Module):
    """Magnitude spectra of frames of 800 samples by one matrix, then blocks without weights."""

    def __init__(self, blocks: int, width: int):
        super().__init__()
        self.front = nn.Linear(401, width, bias=False)
        self.blocks = nn.ModuleList(Block() for _ in range(blocks))

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        tokens = self.front(torch.fft.rfft(waves.unfold(-1, 800, 800)).abs())
        for block in self.blocks:
            tokens = block(tokens)
        return tokens


def build(blocks: int, width: int) -> nn.Module:
    return Stub(blocks, width)
