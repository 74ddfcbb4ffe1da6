"""The interface of every encoder: a rate, readouts, a grid of tokens, one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stratavox.encoders.catalogue import BASELINE_RATE, clip_rate


@dataclass(frozen=True)
class Grid:
    """How samples become tokens.

    The first step of time takes ``size`` samples, each further step ``hop`` more, and a step gives
    ``per_step`` tokens; samples after the last whole step are not fed. A clip shorter than ``size``
    is padded with zeros. At most ``context`` samples are fed at once (None: no limit). With
    ``fixed`` the model's input is always ``context`` samples, padded with zeros. A model that pads
    its input itself computes on at least ``least`` samples, which count for the size of a batch.
    """

    size: int
    hop: int
    per_step: int = 1
    context: int | None = None
    fixed: bool = False
    least: int = 1

    @classmethod
    def of_convolutions(cls, kernels: Sequence[int], strides: Sequence[int], context: int) -> Grid:
        """Steps of a stack of unpadded convolutions: its receptive field and its total stride."""
        size, hop = 1, 1
        for kernel, stride in zip(kernels, strides, strict=True):
            size += (kernel - 1) * hop
            hop *= stride
        return cls(size=size, hop=hop, context=context)

    def fed(self, n_samples: int) -> int:
        """Samples fed for a window of ``n_samples``, which is cut or padded to this."""
        return self.context if self.fixed else self.size + self.hop * (self._steps(n_samples) - 1)

    def tokens(self, n_samples: int) -> int:
        """Valid tokens of a window of ``n_samples``, the first ones of the output."""
        return self.per_step * self._steps(n_samples)

    def _steps(self, n_samples: int) -> int:
        return 1 + (max(n_samples, self.size) - self.size) // self.hop


@dataclass(frozen=True)
class Encoder:
    """An encoder ready to run.

    ``widths`` maps each readout to its width, in depth order. ``forward(waves, counts)`` takes
    float32 ``waves`` (batch, samples), all rows cut or padded to one `Grid.fed` length, and
    ``counts``, each row's `Grid.tokens`. It returns for each readout the mean over a row's first
    ``counts`` tokens, float32 (batch, width), all from one pass. ``tokens(waves, readouts)``
    returns the tokens of these readouts, float32 (batch, tokens, width); None for a baseline, which
    has no tokens, and for conv maps, whose grids differ. A batch has ``batch_s`` seconds of audio.
    """

    rate: int
    grid: Grid
    widths: dict[str, int]
    forward: Callable[[np.ndarray, list[int]], dict[str, np.ndarray]]
    batch_s: float
    provenance: dict
    tokens: Callable[[np.ndarray, list[str]], dict[str, np.ndarray]] | None = None

    @property
    def readouts(self) -> list[str]:
        return list(self.widths)

    def at_speed(self, speed: float) -> Encoder:
        """The encoder for clips that are fed at ``speed`` times their own: at a tenth, it is fed
        clips of ten times its rate.

        Rate and seconds are those of the clips, in true time.
        """
        rate = clip_rate(self.rate, speed)
        exact = self.rate / rate
        context_s, shortest_s = (self.provenance[key] for key in ("context_s", "shortest_s"))
        return replace(
            self,
            rate=rate,
            batch_s=self.batch_s * exact,
            provenance=self.provenance
            | {
                "rate": rate,
                "speed": speed,
                "context_s": context_s and context_s * exact,
                "shortest_s": shortest_s * exact,
            },
        )


def baseline(
    family: str,
    width: int,
    grid: Grid,
    forward: Callable[[np.ndarray, list[int]], dict[str, np.ndarray]],
    versions: dict[str, str],
) -> Encoder:
    """An encoder without weights or blocks: one readout, ``features``, of ``width`` numbers."""
    widths = {"features": width}
    return Encoder(
        rate=BASELINE_RATE,
        grid=grid,
        widths=widths,
        forward=forward,
        batch_s=16.0,
        provenance={
            "family": family,
            "kind": family,
            "model": None,
            "weights": "none",
            "weights_sha256": None,
            "rate": BASELINE_RATE,
            "readouts": ["features"],
            "blocks": [],
            "widths": widths,
            "precision": "fp32",
            "context_s": None,
            "shortest_s": grid.size / BASELINE_RATE,
            "device": "cpu",
            "versions": versions,
        },
    )
