"""The graph of a .tflite file, run by ai-edge-litert."""

from __future__ import annotations

import warnings

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
FLOATS = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.FLOAT16: np.float16}


class TfliteGraph:
    """The graph of a file's content ``data`` (see `graphs.Graph`).

    Raises `StratavoxError` for a file that is not whole, or has an operator of its own.
    """

    def __init__(self, data: bytes, path: str):
        self.data, self.path = data, path
        if data[4:8] != IDENTIFIER:
            raise StratavoxError(f"{path}: not a .tflite file")
        interpreter = self._interpreter()
        self.input = one_input(
            [
                (one["name"], one["dtype"] is np.float32, _lengths(one["shape_signature"]))
                for one in interpreter.get_input_details()
            ],
            path,
        )
        model = schema.Model.GetRootAsModel(data, 0)
        graph = model.Subgraphs(0)
        tensors = map(graph.Tensors, range(graph.TensorsLength()))
        self.computed = [
            name
            for tensor in tensors
            if (name := tensor.Name().decode()) != self.input.name
            and not model.Buffers(tensor.Buffer()).DataLength()
        ]

    def runner(self, window: int, wanted: list[str], threads: int = 1, windows: int = 1) -> Run:
        refuse_unknown(self, wanted)
        shape = self.input.taking(window, self.path, windows)
        interpreter = self._interpreter(threads)
        entry = interpreter.get_input_details()[0]["index"]
        try:
            interpreter.resize_tensor_input(entry, shape)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise cannot_run(self.path, error) from None
        places = {one["name"]: one["index"] for one in interpreter.get_tensor_details()}

        def run(waves: np.ndarray) -> dict[str, np.ndarray]:
            interpreter.set_tensor(entry, waves.reshape(shape))
            interpreter.invoke()
            return {name: value for name in wanted if (value := kept(name)) is not None}

        def kept(name: str) -> np.ndarray | None:
            try:
                return interpreter.get_tensor(places[name])
            except ValueError:  # it was never stored, as between parts of a fused operator
                return None

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

    def _interpreter(self, threads: int = 1) -> Interpreter:
        try:
            with warnings.catch_warnings():
                # it warns that all tensors are kept, which takes memory
                warnings.simplefilter("ignore")
                return Interpreter(
                    model_content=self.data,
                    num_threads=threads,
                    experimental_preserve_all_tensors=True,
                )
        except (ValueError, RuntimeError) as error:
            raise StratavoxError(f"{self.path}: not a whole .tflite file ({error})") from None


def _lengths(signature: np.ndarray) -> list[int | None]:
    return [None if length < 0 else int(length) for length in signature]
