"""The command `tensors`: which tensors of a graph can be read, with their shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stratavox.encoders.graph_file import opened
from stratavox.encoders.graphs import Graph
from stratavox.errors import StratavoxError


def start(path: Path, window: int | None) -> None:
    """Print the tensors of floating point that the graph in a file computes for a window.

    Axes are not guessed: the batch axis is the one that grows with a second window.
    """
    graph, digest = opened(str(path))
    samples = window or graph.input.samples
    if samples < 2:
        raise StratavoxError(
            f"{path}: its input has the shape {graph.input}, which does not say how many samples "
            "a window has; add --window SAMPLES"
        )
    one = shapes(graph, samples, 1)
    two = shapes(graph, samples, 2) if graph.input.batched else {}
    print(f"{path}, sha256 {digest}")
    print(f"input {graph.input.name}, shape {graph.input}; run on {samples} samples of noise")
    if not two:
        print("It takes one window at a time, so no axis is shown to be the batch's.")
    print(f"{'batch axis':<12}{'shape of one window':<28}{'type':<10}tensor")
    for name, (shape, dtype) in one.items():
        grown = two.get(name, (shape, dtype))[0]
        axes = [
            str(axis)
            for axis, (first, second) in enumerate(zip(shape, grown, strict=True))
            if second == 2 * first
        ]
        print(f"{', '.join(axes) or '-':<12}{str(shape):<28}{dtype:<10}{name}")
    others = len(set(graph.computed)) - len(one)
    if others:
        print(f"{others} more are whole or single numbers")


def shapes(graph: Graph, samples: int, windows: int) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and type of each tensor of floating point for ``windows`` windows, by name."""
    names = list(dict.fromkeys(graph.computed))
    waves = np.random.default_rng(0).uniform(-0.1, 0.1, windows * samples).astype(np.float32)
    values = graph.runner(samples, names, windows=windows)(waves)
    return {
        name: (value.shape, str(value.dtype))
        for name, value in values.items()
        if np.issubdtype(value.dtype, np.floating) and value.ndim
    }
