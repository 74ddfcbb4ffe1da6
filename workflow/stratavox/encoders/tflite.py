"""A .tflite file: its tensors, one run on a window, and its weights in another order."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from stratavox.encoders.graphs import (
    Run,
    permuted_values,
    refuse_unknown,
    shape_of_input,
)
from stratavox.errors import StratavoxError

IDENTIFIER = b"TFL3"
FLOATS = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.FLOAT16: np.float16}


class Tensor(NamedTuple):
    """A tensor that the graph computes: ``shape`` has None for free lengths."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


def tensors(data: bytes, path: str | Path) -> list[Tensor]:
    """The tensors that the graph of a file's content computes, in its order, with its input."""
    model, found = _model(data, path), []
    graph = model.Subgraphs(0)
    kinds = {value: name for name, value in vars(schema.TensorType).items() if name.isupper()}
    for place in range(graph.TensorsLength()):
        tensor = graph.Tensors(place)
        if model.Buffers(tensor.Buffer()).DataLength():
            continue
        lengths = tensor.ShapeSignatureAsNumpy() if tensor.ShapeSignatureLength() else None
        if lengths is None:
            lengths = tensor.ShapeAsNumpy() if tensor.ShapeLength() else []
        shape = tuple(None if length < 0 else int(length) for length in lengths)
        found.append(Tensor(tensor.Name().decode(), shape, kinds[tensor.Type()].lower()))
    return found


def runner(data: bytes, path: str | Path, window: int, wanted: list[str], threads: int) -> Run:
    """What runs the graph on one window (samples,) and returns its tensors ``wanted``.

    Raises `StratavoxError` for a graph that has an operator of its own, does not take ``window``
    samples, or does not compute what is wanted.
    """
    refuse_unknown(wanted, [tensor.name for tensor in tensors(data, path)], path)
    try:
        with warnings.catch_warnings():
            # it warns that keeping all tensors takes memory
            warnings.simplefilter("ignore")
            interpreter = Interpreter(
                model_content=data, num_threads=threads, experimental_preserve_all_tensors=True
            )
        given = interpreter.get_input_details()
        if len(given) != 1 or given[0]["dtype"] is not np.float32:
            raise StratavoxError(
                f"{path}: its inputs are {', '.join(str(one['name']) for one in given)}; allowed: "
                "one, of float32 samples"
            )
        declared = [None if length < 0 else int(length) for length in given[0]["shape_signature"]]
        shape, place = shape_of_input(declared, window, path), given[0]["index"]
        interpreter.resize_tensor_input(place, shape)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise StratavoxError(f"{path}: its graph cannot be run: {error}") from None
    places = {one["name"]: one["index"] for one in interpreter.get_tensor_details()}

    def run(wave: np.ndarray) -> dict[str, np.ndarray]:
        interpreter.set_tensor(place, wave.reshape(shape))
        interpreter.invoke()
        return {name: interpreter.get_tensor(places[name]) for name in wanted}

    return run


def permuted(data: bytes, path: str | Path, seed: int, kept: tuple[str, ...] = ()) -> bytes:
    """The file's content with the values of each of its weights in another order.

    Weights are the constants of floating point with more than one value, but for those whose names
    begin with one of ``kept``: windows and filter banks, which nothing has trained. Raises
    `StratavoxError` for a file without weights of floating point.
    """
    changed = bytearray(data)
    model, generator = _model(changed, path), np.random.default_rng(seed)
    graph, count = model.Subgraphs(0), 0
    for place in range(graph.TensorsLength()):
        tensor = graph.Tensors(place)
        stored = model.Buffers(tensor.Buffer())
        name = tensor.Name().decode()
        if not stored.DataLength() or tensor.Type() not in FLOATS or name.startswith(kept):
            continue
        values = stored.DataAsNumpy().view(FLOATS[tensor.Type()])
        if len(values) > 1:
            values[:] = permuted_values(values, generator)
            count += 1
    if not count:
        raise StratavoxError(
            f"weights: permuted: {path} has no weights of floating point, which could be put in "
            "another order; use a file that is not quantised"
        )
    return bytes(changed)


def _model(data: bytes | bytearray, path: str | Path) -> schema.Model:
    if data[4:8] != IDENTIFIER:
        raise StratavoxError(f"{path}: not a .tflite file; fetch it again")
    return schema.Model.GetRootAsModel(data, 0)
