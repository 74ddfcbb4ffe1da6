"""A pass of a torch model: what is pooled in float32, what a GPU is given, what it lacks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from stratavox.encoders.encoder import Encoder, Grid
from stratavox.encoders.taps import Tap, torch_encoder, valid_mean
from stratavox.errors import StratavoxError


class Steps(nn.Module):
    """A token every 10 samples, 4 wide, of which a block makes others."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.lift, self.block = nn.Linear(10, 4), nn.Linear(4, 6)

    def forward(self, waves):
        return self.block(self.lift(waves.unflatten(1, (-1, 10))))


def encoder(run=None, precision: str = "fp32", **more) -> Encoder:
    """An encoder of `Steps` with two readouts of different widths."""
    model = Steps()
    taps = [Tap("input", model.block, 4, "input"), Tap("block_00", model.block, 6)]
    provenance = {"versions": {}}
    grid = Grid(10, 10, context=1000)
    return torch_encoder(model, run or model, taps, 16000, grid, precision, provenance, **more)


def waves(clips: int = 3, steps: int = 7) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((clips, 10 * steps)).astype(np.float32)


def test_readouts_of_different_widths_come_back_apart():
    """Against the model's own layers, clip by clip."""
    fed, model = waves(), Steps()
    means = encoder().forward(fed, [7, 5, 1])
    whole = encoder().tokens(fed, ["input", "block_00"])
    assert {name: values.shape for name, values in means.items()} == {
        "input": (3, 4),
        "block_00": (3, 6),
    }
    with torch.no_grad():
        lifted = model.lift(torch.from_numpy(fed).unflatten(1, (7, 10)))
        wanted = {"input": lifted.numpy(), "block_00": model.block(lifted).numpy()}
    for name, tokens in wanted.items():
        np.testing.assert_allclose(whole[name], tokens, atol=1e-6)
        for clip, count in enumerate([7, 5, 1]):
            mean = tokens[clip, :count].mean(axis=0)
            np.testing.assert_allclose(means[name][clip], mean, atol=1e-6)


def test_tokens_in_bf16_are_pooled_in_float32():
    """A sum of bf16 stops growing at 256 where 1 is added."""
    tokens = (1 + torch.rand(1, 4000, 3, generator=torch.Generator().manual_seed(0))).bfloat16()
    mean = valid_mean(tokens, torch.tensor([3000]))
    wanted = tokens[0, :3000].double().mean(dim=0)
    assert mean.dtype == torch.float32
    np.testing.assert_allclose(mean[0], wanted, rtol=1e-5)


def test_what_the_model_is_fed_is_prepared_in_float32():
    """Features are no part of what bf16 halves."""
    seen = []

    def prepare(fed):
        weights = torch.eye(fed.shape[1])
        seen.append((torch.from_numpy(fed) @ weights).dtype)
        return torch.from_numpy(2 * fed)

    plain = encoder(precision="bf16").forward(2 * waves(), [7, 7, 7])
    means = encoder(precision="bf16", prepare=prepare).forward(waves(), [7, 7, 7])
    assert seen == [torch.float32]
    np.testing.assert_array_equal(means["block_00"], plain["block_00"])


def test_a_gpu_without_enough_memory_is_one_message():
    def run(fed):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")

    with pytest.raises(StratavoxError, match=r"3 windows of 0\.00 s: CUDA .* 9 GiB\. Free it"):
        encoder(run).forward(waves(), [7, 7, 7])


def test_fp32_is_not_rounded_to_tf32_by_a_gpu():
    encoder()
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
