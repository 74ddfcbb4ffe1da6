"""Readouts of a graph in a file: tensors read while it runs on windows of one length.

The order of a tensor's axes is declared, never guessed from its shape.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from stratavox.encoders.encoder import Encoder, Grid
from stratavox.encoders.sites import blocks
from stratavox.errors import StratavoxError

# What runs a graph on samples: its wanted tensors, by name, which must be dropped before the next
# run, as they may be the memory of this one.
Run = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Readout:
    """A tensor of the graph, with one name for each of its axes.

    ``axes`` are batch (of windows), bands (of frequency), time and width. Without time the tensor
    is one vector (or one for each band) of a window. ``bands`` and ``steps`` are the lengths of
    bands and time.
    """

    name: str
    tensor: str
    axes: tuple[str, ...]
    bands: int | None = None
    steps: int | None = None

    def check(self, shape: Sequence[int], windows: int) -> None:
        """Raise `StratavoxError` where ``shape``, of ``windows`` windows, is not as declared."""
        lengths = {"batch": windows, "bands": self.bands, "time": self.steps}
        wanted = [lengths.get(axis) for axis in self.axes]
        matches = len(shape) == len(wanted) and all(
            length in (None, found) for length, found in zip(wanted, shape, strict=True)
        )
        if not matches:
            declared = ", ".join(
                axis if length is None else f"{axis} {length}"
                for axis, length in zip(self.axes, wanted, strict=True)
            )
            raise StratavoxError(
                f"readout {self.name}: the tensor {self.tensor!r} has the shape {tuple(shape)}; "
                f"declared: ({declared}). Correct the readout's axes, bands and steps"
            )

    def of_row(self, value: np.ndarray, row: int) -> np.ndarray:
        """A view of the tensor, of the window ``row`` alone."""
        if "batch" not in self.axes:
            return value
        return value[(slice(None),) * self.axes.index("batch") + (slice(row, row + 1),)]

    def pooled(self, value: np.ndarray, samples: int, window: int) -> np.ndarray:
        """The mean (width,) over all bands and the steps inside the first ``samples``.

        ``value`` is of one window. Step k lies over the samples from k / steps to (k + 1) / steps
        of the window. Of a clip shorter than a step the first step is taken.
        """
        axes = tuple(axis for axis in self.axes if axis != "width")
        inside = 1 if self.steps is None else max(1, samples * self.steps // window)
        lengths = {"bands": self.bands or 1, "time": self.steps or 1}
        shares = _shares(tuple(lengths.get(axis, 1) for axis in axes), axes, inside)
        rows = value.transpose(*(self.axes.index(axis) for axis in (*axes, "width")))
        # a product of matrices is five times as fast as a mean over axes
        return shares @ rows.reshape(len(shares), -1)


@lru_cache(maxsize=512)
def _shares(lengths: tuple[int, ...], axes: tuple[str, ...], inside: int) -> np.ndarray:
    """The share of each place along ``axes``, flattened, in the mean over ``inside`` steps."""
    shares = np.ones(lengths, np.float32)
    if "time" in axes:
        shares.swapaxes(0, axes.index("time"))[inside:] = 0
    return shares.reshape(-1) / shares.sum()


@dataclass(frozen=True)
class WholeWindow(Grid):
    """A window of ``context`` samples, padded with zeros, of which the clip's samples count.

    Each readout has its own steps, so what a window counts for is its number of samples.
    """

    def fed(self, n_samples: int) -> int:
        return self.context

    def tokens(self, n_samples: int) -> int:
        return n_samples

    @classmethod
    def of(cls, samples: int) -> WholeWindow:
        return cls(size=samples, hop=1, context=samples, fixed=True)


def graph_encoder(
    graph: Graph,
    readouts: list[Readout],
    rate: int,
    window: int,
    threads: int,
    provenance: dict,
    together: int = 1,
) -> Encoder:
    """The `Encoder` that runs ``graph`` on the CPU, ``together`` windows of ``window`` samples.

    One at a time, a clip cannot depend on its batch, whatever the graph does. Several at once are
    for a family that knows that they do not depend on each other. ``provenance`` comes from the
    family; the rest is added here. Raises `StratavoxError` for a tensor whose shape is not the
    declared one.
    """
    run = graph.runner(window, [readout.tensor for readout in readouts], threads, together)
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (together, window)).astype(np.float32)
    shapes = {name: (value.shape, value.dtype) for name, value in run(noise).items()}
    widths = {}
    for readout in readouts:
        shape, dtype = shapes[readout.tensor]
        if not np.issubdtype(dtype, np.floating):
            raise StratavoxError(
                f"readout {readout.name}: the tensor {readout.tensor!r} is of {dtype}; "
                f"allowed: those that `python -m stratavox tensors {graph.path}` lists"
            )
        readout.check(shape, together)
        widths[readout.name] = shape[readout.axes.index("width")]

    def pooled(waves: np.ndarray, counts: list[int]) -> list[list[np.ndarray]]:
        if missing := together - len(waves):
            waves = np.concatenate([waves, *[waves[-1:]] * missing])
        values = run(waves)
        return [
            [one.pooled(one.of_row(values[one.tensor], row), count, window) for one in readouts]
            for row, count in enumerate(counts)
        ]

    def forward(waves: np.ndarray, counts: list[int]) -> dict[str, np.ndarray]:
        rows = []
        for start in range(0, len(waves), together):
            these = slice(start, start + together)
            rows += pooled(waves[these], counts[these])
        return dict(zip(widths, map(np.stack, zip(*rows, strict=True)), strict=True))

    return Encoder(
        rate=rate,
        grid=WholeWindow.of(window),
        widths=widths,
        forward=forward,
        batch_s=together * window / rate,
        provenance=provenance
        | {
            "rate": rate,
            "readouts": list(widths),
            "blocks": blocks(list(widths)),
            "widths": widths,
            "precision": "fp32",
            "context_s": window / rate,
            "shortest_s": window / rate,
            "device": "cpu",
        },
    )


def content(path: str | Path, sha256: str | None = None) -> tuple[bytes, str]:
    """A file's bytes and their sha256. Raises `StratavoxError` unless it is ``sha256``."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise StratavoxError(f"{path}: no such file") from None
    digest = hashlib.sha256(data).hexdigest()
    if sha256 not in (None, digest):
        raise StratavoxError(f"{path}: another file than wanted: sha256 {digest}, not {sha256}")
    return data, digest


class Input(NamedTuple):
    """The input of a graph: ``shape`` has None for free lengths."""

    name: str
    shape: tuple[int | None, ...]

    def taking(self, window: int, path: str | Path, windows: int = 1) -> list[int]:
        """The shape in which it takes ``windows`` windows of ``window`` samples.

        Raises `StratavoxError` where it takes no such windows.
        """
        known = self.samples
        shape = [1 if length is None else length for length in self.shape]
        free = [place for place, length in enumerate(self.shape) if length is None]
        if free and not window % known:
            shape[free[-1]] = window // known
        if math.prod(shape) != window:
            raise StratavoxError(
                f"{path}: its input {self.name} has the shape {self}, which a window of {window} "
                "samples does not fill"
                + (f"; allowed: {known} samples (context_s times rate)" if known > 1 else "")
            )
        if windows > 1:
            shape[0] *= windows
        return shape

    @property
    def samples(self) -> int:
        """The product of the lengths that are not free."""
        return math.prod(length for length in self.shape if length is not None)

    @property
    def batched(self) -> bool:
        """Whether it takes any number of windows at once."""
        return len(self.shape) > 1 and self.shape[0] is None

    def __str__(self) -> str:
        return f"({', '.join('any' if length is None else str(length) for length in self.shape)})"


class Graph(Protocol):
    """The graph in a file of some format; ``path`` is named in errors."""

    path: str
    input: Input
    # the names of the tensors that it computes, in its order
    computed: list[str]

    def runner(self, window: int, wanted: list[str], threads: int = 1, windows: int = 1) -> Run:
        """What runs it on ``windows`` windows of ``window`` samples and returns ``wanted``.

        Raises `StratavoxError` for a graph that cannot be run on them or does not compute these.
        """

    def permuted(self, seed: int, kept: tuple[str, ...]) -> Graph:
        """The same graph with the values of each of its weights in another order.

        Weights are the constants of floating point with more than one value, but for those whose
        names begin with one of ``kept``: windows and filter banks, which nothing has trained.
        Raises `StratavoxError` for a graph without weights of floating point.
        """


def one_input(inputs: list[tuple[str, bool, Sequence[int | None]]], path: str | Path) -> Input:
    """The only input of a graph; of each is given its name, whether it is float32, and its shape.

    Raises `StratavoxError` for another input than one of float32.
    """
    if len(inputs) != 1 or not inputs[0][1]:
        there = ", ".join(f"{name}{'' if real else ' (not float32)'}" for name, real, _ in inputs)
        raise StratavoxError(f"{path}: its inputs are: {there}; allowed: one, samples in float32")
    name, _, shape = inputs[0]
    return Input(name, tuple(shape))


def in_another_order(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The values of a tensor in another order, in its shape."""
    return generator.permutation(values.reshape(-1)).reshape(values.shape)


def refuse_unknown(graph: Graph, wanted: list[str]) -> None:
    """Raise `StratavoxError` for a tensor that the graph does not compute."""
    missing = [name for name in wanted if name not in set(graph.computed)]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise StratavoxError(
            f"{graph.path}: it does not compute the tensor {missing[0]!r}{more}; "
            f"`python -m stratavox tensors {graph.path}` lists those that it does"
        )


def cannot_run(path: str, error: Exception) -> StratavoxError:
    """What a library says of a graph that it cannot run, in one line."""
    return StratavoxError(f"{path}: its graph cannot be run: {' '.join(str(error).split())}")


def no_weights(path: str | Path) -> StratavoxError:
    return StratavoxError(
        f"weights: permuted: {path} has no weights of floating point, which could be put in "
        "another order; use a file that is not quantised"
    )
