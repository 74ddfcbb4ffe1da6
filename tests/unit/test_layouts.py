"""Whatever the order of its axes, a readout's tokens come out clip by clip, in order of time."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from stratavox.encoders.taps import Layout, Tap, read
from stratavox.errors import StratavoxError

# as many clips as steps as bands, where an order that was guessed from sizes would be wrong
CLIPS = STEPS = BANDS = 3
WIDTH = 2


def token(clip: int, step: int, band: int) -> list[float]:
    return [100.0 * clip + 10 * step + band, -1.0]


# (clips, steps, bands, width)
WANTED = torch.tensor(
    [
        [[token(clip, step, band) for band in range(BANDS)] for step in range(STEPS)]
        for clip in range(CLIPS)
    ]
)
TOKENS = WANTED.flatten(1, 2)
PREFIX = torch.full((CLIPS, 2, WIDTH), 9e9)


@pytest.mark.parametrize(
    ("layout", "output"),
    [
        (Layout(), TOKENS),
        (Layout("tokens batch width"), TOKENS.transpose(0, 1)),
        (Layout(prefix=2), torch.cat([PREFIX, TOKENS], 1)),
        (Layout("tokens batch width", prefix=2), torch.cat([PREFIX, TOKENS], 1).transpose(0, 1)),
        (Layout(bands=BANDS), WANTED.transpose(1, 2).flatten(1, 2)),
        (
            Layout(bands=BANDS, prefix=2),
            torch.cat([PREFIX, WANTED.transpose(1, 2).flatten(1, 2)], 1),
        ),
        (Layout("batch width bands time"), WANTED.permute(0, 3, 2, 1)),
        (Layout(in_tuple=True), (TOKENS, None)),
    ],
)
def test_tokens_come_out_clip_by_clip_in_order_of_time(layout, output):
    assert torch.equal(layout.tokens(output), TOKENS)


def test_one_vector_a_window_is_its_only_token():
    vectors = torch.arange(6.0).reshape(3, 2)
    assert torch.equal(Layout("batch width").tokens(vectors), vectors[:, None])


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 2)

    def forward(self, x, named):
        return self.inner(input=x) if named else self.inner(x)


def test_an_input_passed_by_name_alone_is_refused_and_hooks_are_removed():
    model = Outer()
    tap = Tap("input", model.inner, 2, "input")
    values = read(lambda: model(TOKENS, False), [tap], lambda tokens: tokens)
    assert torch.equal(torch.from_numpy(values["input"]), TOKENS)
    with pytest.raises(StratavoxError, match="readout input: .* named arguments alone"):
        read(lambda: model(TOKENS, True), [tap], lambda tokens: tokens)
    assert not model.inner._forward_pre_hooks
