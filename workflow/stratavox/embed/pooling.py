"""Clips to pooled readouts: windows, batches of equal length, exact means over valid tokens.

This works for any family of encoders: its `Grid` gives the number of samples that are fed and the
number of tokens that they make.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby

import numpy as np

from stratavox.embed.overlap import ahead
from stratavox.encoders.encoder import Encoder, Grid


@dataclass(frozen=True)
class Window:
    """``length`` samples of a clip from ``start``: ``fed`` go in, ``tokens`` valid come out."""

    clip: int
    start: int
    length: int
    fed: int
    tokens: int


@dataclass(frozen=True)
class Pooled:
    """Readouts of n clips: ``means`` {readout: float32 (n, width)}, the rest (n,)."""

    means: dict[str, np.ndarray]
    n_windows: np.ndarray
    n_tokens: np.ndarray
    padded: np.ndarray


def windows(clip: int, n_samples: int, grid: Grid) -> list[Window]:
    """The clip in as few windows as the context allows; their lengths differ by one at most."""
    count = 1 if grid.context is None else -(-n_samples // grid.context)
    edges = [n_samples * place // count for place in range(count + 1)]
    return [
        Window(clip, start, end - start, grid.fed(end - start), grid.tokens(end - start))
        for start, end in zip(edges, edges[1:], strict=False)
    ]


def batches(cut: list[Window], samples: int, least: int = 1) -> Iterator[list[Window]]:
    """Windows of equal fed length together, about ``samples`` samples at once.

    A window counts as ``least`` samples or more (see `Grid`).
    """
    ordered = sorted(cut, key=lambda window: window.fed)
    for fed, alike in groupby(ordered, key=lambda window: window.fed):
        alike = list(alike)
        size = max(1, samples // max(fed, least))
        for start in range(0, len(alike), size):
            yield alike[start : start + size]


def waves_of(batch: list[Window], clips: list[np.ndarray]) -> np.ndarray:
    """Input of the model for windows of one fed length: (batch, fed), zeros after the clip."""
    waves = np.zeros((len(batch), batch[0].fed), dtype=np.float32)
    for row, window in zip(waves, batch, strict=True):
        piece = clips[window.clip][window.start : window.start + window.length][: window.fed]
        row[: len(piece)] = piece
    return waves


def fed(
    encoder: Encoder, cut: list[list[Window]], clips: list[np.ndarray]
) -> Iterator[tuple[list[Window], np.ndarray]]:
    """The windows ``cut`` of each clip in the encoder's batches, each with its waves.

    The next batch is prepared while one is in use, so that a GPU need not wait for it.
    """
    flat = list(chain.from_iterable(cut))
    ordered = batches(flat, round(encoder.batch_s * encoder.rate), encoder.grid.least)
    return ahead((batch, waves_of(batch, clips)) for batch in ordered)


def pool(
    encoder: Encoder,
    clips: list[np.ndarray],
    done: Callable[[list[Window]], None] = lambda batch: None,
) -> Pooled:
    """The pooled readouts of ``clips``, each a float32 (samples,) at the encoder's rate.

    Windows are weighted by their tokens, so the result is the mean over all valid tokens of a clip.
    It does not depend on the other clips, except for the last bits of a float. ``done`` is called
    with each batch.
    """
    grid = encoder.grid
    cut = [windows(place, len(clip), grid) for place, clip in enumerate(clips)]
    n_tokens = np.array([sum(w.tokens for w in own) for own in cut], dtype=np.int32)
    row = {window: place for place, window in enumerate(chain.from_iterable(cut))}
    read = {name: np.empty((len(row), width), np.float32) for name, width in encoder.widths.items()}
    for batch, waves in fed(encoder, cut, clips):
        means = encoder.forward(waves, [window.tokens for window in batch])
        rows = [row[window] for window in batch]
        for name, values in means.items():
            read[name][rows] = values
        done(batch)
    return Pooled(
        means=_of_clips(read, cut, n_tokens),
        n_windows=np.array([len(own) for own in cut], dtype=np.int32),
        n_tokens=n_tokens,
        padded=np.array([len(clip) < grid.size for clip in clips], dtype=bool),
    )


def _of_clips(
    read: dict[str, np.ndarray], cut: list[list[Window]], n_tokens: np.ndarray
) -> dict[str, np.ndarray]:
    """Means (clips, width) from the means (windows, width) of the windows ``cut`` of each clip."""
    first = np.cumsum([0, *map(len, cut)])
    means = {name: values[first[:-1]] for name, values in read.items()}
    for clip, own in enumerate(cut):
        if len(own) > 1:
            shares = np.array([window.tokens for window in own]) / n_tokens[clip]
            for name, values in read.items():
                means[name][clip] = shares @ values[first[clip] : first[clip + 1]]
    return means
