"""The graph of an .onnx file, run by onnxruntime: a file is data, and no code of it is run."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError, Message
from onnx import numpy_helper
from onnx.external_data_helper import uses_external_data

from stratavox.encoders.graphs import (
    Run,
    cannot_run,
    in_another_order,
    no_weights,
    one_input,
    refuse_unknown,
)
from stratavox.errors import StratavoxError

# Operators that are part of onnxruntime; others would be code of a library that must be loaded.
DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}
FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)


class OnnxGraph:
    """The graph of a file's content ``data`` (see `graphs.Graph`).

    Raises `StratavoxError` for a file that is not whole, is not all of the model, or has an
    operator of its own.
    """

    def __init__(self, data: bytes, path: str):
        self.path = path
        try:
            self.model = onnx.load_model_from_string(data)
        except DecodeError as error:
            raise StratavoxError(f"{path}: not a whole .onnx file ({error})") from None
        graph = self.model.graph
        if not graph.node:
            raise StratavoxError(f"{path}: not an .onnx file: there is no graph in it")
        elsewhere = [
            one.name for one in _inside(self.model, onnx.TensorProto) if uses_external_data(one)
        ]
        if elsewhere:
            raise StratavoxError(
                f"{path}: some of its tensors are in other files ({elsewhere[0]!r}); save the "
                "model as one file"
            )
        known = DOMAINS | {function.domain for function in self.model.functions}
        nodes = _inside(self.model, onnx.NodeProto)
        foreign = {f"{one.op_type} of {one.domain}" for one in nodes if one.domain not in known}
        if foreign:
            raise StratavoxError(
                f"{path}: onnxruntime does not have its operators {', '.join(sorted(foreign))}; "
                "they are code of a library, which is not loaded"
            )
        constants = {one.name for one in graph.initializer}
        self.input = one_input(
            [
                (one.name, one.type.tensor_type.elem_type == onnx.TensorProto.FLOAT, _lengths(one))
                for one in graph.input
                if one.name not in constants
            ],
            path,
        )
        self.computed = [name for node in graph.node for name in node.output if name]

    def runner(self, window: int, wanted: list[str], threads: int = 1, windows: int = 1) -> Run:
        refuse_unknown(self, wanted)
        shape = self.input.taking(window, self.path, windows)
        shown = onnx.ModelProto()
        shown.CopyFrom(self.model)
        outputs = {output.name for output in shown.graph.output}
        shown.graph.output.extend(
            onnx.ValueInfoProto(name=name) for name in wanted if name not in outputs
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors
        try:
            session = onnxruntime.InferenceSession(
                shown.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its classes share no other base
            raise cannot_run(self.path, error) from None

        def run(waves: np.ndarray) -> dict[str, np.ndarray]:
            values = session.run(wanted, {self.input.name: waves.reshape(shape)})
            return dict(zip(wanted, values, strict=True))

        return run

    def permuted(self, seed: int, kept: tuple[str, ...]) -> OnnxGraph:
        changed, generator = onnx.ModelProto(), np.random.default_rng(seed)
        changed.CopyFrom(self.model)
        weights = 0
        for one in changed.graph.initializer:
            if one.data_type in FLOATS and not one.name.startswith(kept):
                values = in_another_order(numpy_helper.to_array(one), generator)
                one.CopyFrom(numpy_helper.from_array(values, one.name))
                weights += values.size > 1
        if not weights:
            raise no_weights(self.path)
        return OnnxGraph(changed.SerializeToString(), self.path)


def _lengths(value: onnx.ValueInfoProto) -> list[int | None]:
    dimensions = value.type.tensor_type.shape.dim
    return [one.dim_value if one.HasField("dim_value") else None for one in dimensions]


def _inside(message: Message, kind: type) -> Iterator[Message]:
    """The messages of a kind in another, at any depth: graphs are also in attributes of nodes."""
    if isinstance(message, kind):
        yield message
    for field, value in message.ListFields():
        if field.message_type:
            for one in value if field.is_repeated else [value]:
                yield from _inside(one, kind)
