"""The graph in a file, whose format is told by its ending."""

from __future__ import annotations

from pathlib import Path

from stratavox.encoders.graphs import Graph, content
from stratavox.encoders.onnx import OnnxGraph
from stratavox.encoders.tflite import TfliteGraph
from stratavox.errors import StratavoxError

FORMATS = {".onnx": OnnxGraph, ".tflite": TfliteGraph}


def opened(path: str, sha256: str | None = None) -> tuple[Graph, str]:
    """The graph in the file, and the file's sha256, which must be ``sha256`` where it is given."""
    ending = Path(path).suffix
    if ending not in FORMATS:
        raise StratavoxError(f"{path}: allowed: a file in {' or '.join(FORMATS)}")
    data, digest = content(path, sha256)
    return FORMATS[ending](data, path), digest
