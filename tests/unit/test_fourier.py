"""The spectral convolution gives torch's own numbers, whatever the length."""

import pytest
import torch
from torch import nn

from stratavox.encoders.beats.fourier import FourierConv1d


@pytest.mark.parametrize("steps", [1, 8, 63, 64, 65, 200, 496])
@pytest.mark.parametrize(("channels", "groups", "taps"), [(32, 4, 128), (6, 6, 5)])
def test_equals_the_convolution(steps, channels, groups, taps):
    torch.manual_seed(steps)
    plain = nn.Conv1d(channels, channels, taps, padding=taps // 2, groups=groups)
    spectral = FourierConv1d(plain)
    x = torch.randn(3, channels, steps)
    with torch.inference_mode():
        torch.testing.assert_close(spectral(x), plain(x), atol=1e-5, rtol=1e-5)


def test_lengths_may_alternate():
    """A kept spectrum of one length must not serve another."""
    plain = nn.Conv1d(8, 8, 128, padding=64, groups=2)
    spectral = FourierConv1d(plain)
    with torch.inference_mode():
        for steps in (8, 496, 8, 100):
            x = torch.randn(1, 8, steps)
            torch.testing.assert_close(spectral(x), plain(x), atol=1e-5, rtol=1e-5)
