"""The graph of a .tflite file, run by ai-edge-litert."""

from __future__ import annotations

import struct

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from stratavox.encoders.graphs import (
    Run,
    cannot_run,
    in_another_order,
    no_weights,
    one_input,
    refuse_unknown,
)
from stratavox.errors import StratavoxError

IDENTIFIER = b"TFL3"
# Where the schema's table of a graph has the offset of its outputs.
OUTPUTS = 8
FLOATS = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.FLOAT16: np.float16}


class TfliteGraph:
    """The graph of a file's content ``data`` (see `graphs.Graph`).

    Raises `StratavoxError` for a file that is not whole, or has an operator of its own.
    """

    def __init__(self, data: bytes, path: str):
        self.data, self.path = data, path
        if data[4:8] != IDENTIFIER:
            raise StratavoxError(f"{path}: not a .tflite file")
        # checks that the file is whole, as reading it by its schema does not
        self.input = one_input(
            [
                (one["name"], one["dtype"] is np.float32, _lengths(one["shape_signature"]))
                for one in _interpreter(data, path).get_input_details()
            ],
            path,
        )
        model = schema.Model.GetRootAsModel(data, 0)
        graph = model.Subgraphs(0)
        tensors = list(map(graph.Tensors, range(graph.TensorsLength())))
        self.places = {
            tensor.Name().decode(): place
            for place, tensor in enumerate(tensors)
            if tensor.Type() in FLOATS
            and not model.Buffers(tensor.Buffer()).DataLength()
            and place not in graph.InputsAsNumpy()
        }

    @property
    def computed(self) -> list[str]:
        return list(self.places)

    def runner(self, window: int, wanted: list[str], threads: int = 1, windows: int = 1) -> Run:
        refuse_unknown(self, wanted)
        shape = self.input.taking(window, self.path, windows)
        places = {name: self.places[name] for name in wanted}
        shown = _with_outputs(self.data, list(places.values()))
        interpreter = _interpreter(shown, self.path, threads)
        entry = interpreter.get_input_details()[0]["index"]
        try:
            interpreter.resize_tensor_input(entry, shape)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise cannot_run(self.path, error) from None

        def run(waves: np.ndarray) -> dict[str, np.ndarray]:
            interpreter.set_tensor(entry, waves.reshape(shape))
            interpreter.invoke()
            # copies would be memory that the system clears each time: 7 % of BirdNET's seconds
            return {name: interpreter.tensor(place)() for name, place in places.items()}

        return run

    def permuted(self, seed: int, kept: tuple[str, ...]) -> TfliteGraph:
        changed, generator = bytearray(self.data), np.random.default_rng(seed)
        model = schema.Model.GetRootAsModel(changed, 0)
        graph, weights = model.Subgraphs(0), 0
        for tensor in map(graph.Tensors, range(graph.TensorsLength())):
            stored, name = model.Buffers(tensor.Buffer()), tensor.Name().decode()
            if stored.DataLength() and tensor.Type() in FLOATS and not name.startswith(kept):
                # a view of what is changed
                values = stored.DataAsNumpy().view(FLOATS[tensor.Type()])
                values[:] = in_another_order(values, generator)
                weights += len(values) > 1
        if not weights:
            raise no_weights(self.path)
        return TfliteGraph(bytes(changed), self.path)


def _interpreter(data: bytes, path: str, threads: int = 1) -> Interpreter:
    try:
        return Interpreter(model_content=data, num_threads=threads)
    except (ValueError, RuntimeError) as error:
        raise StratavoxError(f"{path}: not a whole .tflite file ({error})") from None


def _with_outputs(data: bytes, places: list[int]) -> bytes:
    """A file's content whose graph has other outputs: the tensors at ``places``.

    To keep all tensors of a graph is an option of the library, but makes BirdNET a tenth slower and
    takes more memory. A list of outputs is added at the end, to which the graph then points:
    a flatbuffer's offsets are relative and lead forward.
    """
    changed = bytearray(data) + bytes(-len(data) % 4)
    table = schema.Model.GetRootAsModel(changed, 0).Subgraphs(0)._tab
    pointer = table.Pos + table.Offset(OUTPUTS)
    struct.pack_into("<I", changed, pointer, len(changed) - pointer)
    return bytes(changed + struct.pack(f"<I{len(places)}i", len(places), *places))


def _lengths(signature: np.ndarray) -> list[int | None]:
    return [None if length < 0 else int(length) for length in signature]
