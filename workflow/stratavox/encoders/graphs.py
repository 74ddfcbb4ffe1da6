"""Readouts of a graph in a file: tensors read while it runs on windows of one length.

The order of a tensor's axes is declared, never guessed from its shape.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stratavox.encoders.encoder import Encoder, Grid
from stratavox.encoders.sites import blocks
from stratavox.errors import StratavoxError

# What runs a graph on one window (samples,): the wanted tensors, by name.
Run = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Readout:
    """A tensor of the graph, with one name for each of its axes.

    ``axes`` are batch (of length 1), bands (of frequency), time and width. Without time the tensor
    is one vector (or one for each band) of a window. ``bands`` and ``steps`` are the lengths of
    bands and time.
    """

    name: str
    tensor: str
    axes: tuple[str, ...]
    bands: int | None = None
    steps: int | None = None

    def check(self, shape: Sequence[int]) -> None:
        """Raise `StratavoxError` for a tensor whose ``shape`` is not the declared one."""
        lengths = {"batch": 1, "bands": self.bands, "time": self.steps}
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

    def pooled(self, value: np.ndarray, samples: int, window: int) -> np.ndarray:
        """The mean (width,) over all bands and the steps inside the first ``samples``.

        Step k lies over the samples from k / steps to (k + 1) / steps of the window. Of a clip
        shorter than a step the first step is taken.
        """
        if self.steps is not None:
            inside = max(1, samples * self.steps // window)
            value = value.take(range(inside), self.axes.index("time"))
        others = tuple(place for place, axis in enumerate(self.axes) if axis != "width")
        return value.mean(axis=others, dtype=np.float64).astype(np.float32)


@dataclass(frozen=True)
class Window(Grid):
    """A window of ``context`` samples, padded with zeros, of which the clip's samples count.

    Each readout has its own steps, so what a window counts for is its number of samples.
    """

    def fed(self, n_samples: int) -> int:
        return self.context

    def tokens(self, n_samples: int) -> int:
        return n_samples

    @classmethod
    def of(cls, samples: int) -> Window:
        return cls(size=samples, hop=samples, context=samples, fixed=True)


def graph_encoder(
    run: Run, readouts: list[Readout], rate: int, window: int, provenance: dict
) -> Encoder:
    """The `Encoder` whose pass is ``run``, on the CPU, a window at a time.

    More windows at once are not faster on a CPU (BirdNET: 36 ms each for 1, 4, 8 and 16) and take
    more memory, as a graph's tensors are all kept (0.4 GB for 1, 3.9 GB for 16). ``provenance``
    comes from the family; the rest is added here. Raises `StratavoxError` for a tensor whose shape
    is not the declared one.
    """
    tried = run(np.random.default_rng(0).uniform(-0.1, 0.1, window).astype(np.float32))
    widths = {}
    for readout in readouts:
        value = tried[readout.tensor]
        readout.check(value.shape)
        widths[readout.name] = value.shape[readout.axes.index("width")]

    def forward(waves: np.ndarray, counts: list[int]) -> dict[str, np.ndarray]:
        means = {name: np.empty((len(waves), width), "f4") for name, width in widths.items()}
        for row, (wave, samples) in enumerate(zip(waves, counts, strict=True)):
            values = run(wave)
            for one in readouts:
                means[one.name][row] = one.pooled(values[one.tensor], samples, window)
        return means

    return Encoder(
        rate=rate,
        grid=Window.of(window),
        widths=widths,
        forward=forward,
        batch_s=window / rate,
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


def shape_of_input(declared: Sequence[int | None], window: int, path: str | Path) -> list[int]:
    """The shape in which a graph takes one window; ``declared`` has None for free lengths.

    Raises `StratavoxError` for a graph that does not take ``window`` samples at once.
    """
    known = int(np.prod([length for length in declared if length is not None]))
    free = [place for place, length in enumerate(declared) if length is None]
    shape = [1 if length is None else length for length in declared]
    if free and known and not window % known:
        shape[free[-1]] = window // known
    if int(np.prod(shape)) != window:
        raise StratavoxError(
            f"{path}: its input is {words_of_shape(declared)}; window: found {window}; allowed: "
            f"{known if known > 1 else 'the number of samples that the graph takes'}"
        )
    return shape


def words_of_shape(shape: Sequence[int | None]) -> str:
    """A shape in words: "(any, 96, 511, 2)"."""
    return f"({', '.join('any' if length is None else str(length) for length in shape)})"


def permuted_values(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The values of a tensor in another order, with its shape."""
    return generator.permutation(values.reshape(-1)).reshape(values.shape)


def refuse_unknown(wanted: Iterable[str], known: Iterable[str], path: str | Path) -> None:
    """Raise `StratavoxError` for a tensor that the graph does not compute."""
    known = set(known)
    missing = [name for name in wanted if name not in known]
    if missing:
        raise StratavoxError(
            f"{path}: it does not compute the tensor {missing[0]!r}"
            f"{f' (and {len(missing) - 1} more)' if len(missing) > 1 else ''}; "
            f"python -m stratavox tensors {path} lists those that it does"
        )
