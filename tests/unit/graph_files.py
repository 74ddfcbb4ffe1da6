"""Tiny graphs of random weights as .tflite and .onnx files, made without tensorflow or torch."""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

RATE, WINDOW, STEPS, STEP = 16000, 16000, 50, 320
# In the .tflite each step is read as two bands of half its samples.
BANDS, WIDTH, SPECIES = 2, 8, 5
TFLITE_READOUTS = [
    {"name": "input", "tensor": "stem", "layout": "batch time bands width"}
    | {"bands": BANDS, "steps": STEPS},
    {"name": "block_00", "tensor": "first", "layout": "batch time bands width"}
    | {"bands": BANDS, "steps": STEPS},
    {"name": "embedding", "tensor": "embedding", "layout": "batch width"},
    {"name": "logits", "tensor": "logits", "layout": "batch width"},
]
ONNX_READOUTS = [
    {"name": "input", "tensor": "stem", "layout": "batch width time", "steps": STEPS},
    {"name": "block_00", "tensor": "first", "layout": "batch width time", "steps": STEPS},
    {"name": "embedding", "tensor": "embedding", "layout": "batch width"},
    {"name": "logits", "tensor": "logits", "layout": "batch width"},
]


def entry(path: Path) -> dict:
    """The encoder's entry for a file of `make_tflite` or `make_onnx`."""
    readouts = TFLITE_READOUTS if path.suffix == ".tflite" else ONNX_READOUTS
    settings = {"family": "graph", "path": str(path), "rate": RATE, "context_s": WINDOW / RATE}
    return settings | {"readouts": readouts}


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    """The weights of the .tflite: of its stem, of its block (both a matrix a step), of its head."""
    draw = np.random.default_rng(seed).standard_normal
    return {
        "stem weight": 0.3 * draw((WIDTH, 1, 1, STEP // BANDS), np.float32),
        "stem bias": 0.1 * draw(WIDTH, np.float32),
        "block weight": draw((WIDTH, 1, 1, WIDTH), np.float32),
        "block bias": 0.1 * draw(WIDTH, np.float32),
        "head weight": draw((SPECIES, WIDTH), np.float32),
        "head bias": draw(SPECIES, np.float32),
    }


def make_tflite(path: Path, seed: int = 0, operator: str = "") -> Path:
    """Write (any, 16000) -> stem, first, embedding, logits; with the custom ``operator`` if given.

    Stem and first are (any, 50 steps, 2 bands, 8); each step is a matrix and a rectifier.
    """
    made = _Tflite()
    made.constant("shape", np.array([-1, STEPS, BANDS, STEP // BANDS], np.int32))
    made.constant("axes", np.array([1, 2], np.int32))
    for name, values in weights(seed).items():
        made.constant(name, values)
    made.tensor("wave", [1, WINDOW])
    if operator:
        made.operator(schema.BuiltinOperator.CUSTOM, ["wave"], "own", [1, WINDOW], custom=operator)
    made.operator("RESHAPE", ["wave", "shape"], "steps", [1, STEPS, BANDS, STEP // BANDS])
    for name, given, out in (("stem", "steps", "stem"), ("block", "stem", "first")):
        inputs = [given, f"{name} weight", f"{name} bias"]
        made.operator("CONV_2D", inputs, out, [1, STEPS, BANDS, WIDTH])
    made.operator("MEAN", ["first", "axes"], "embedding", [1, WIDTH])
    inputs = ["embedding", "head weight", "head bias"]
    made.operator("FULLY_CONNECTED", inputs, "logits", [1, SPECIES])
    path.write_bytes(made.content("wave", "logits"))
    return path


class _Tflite:
    """A model that grows by constants, tensors and operators."""

    def __init__(self):
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.operatorCodes = 3, []
        self.model.buffers, self.model.subgraphs = [schema.BufferT()], [self.graph]
        self.graph.tensors, self.graph.operators, self.places = [], [], {}

    def constant(self, name: str, values: np.ndarray) -> None:
        stored = schema.BufferT()
        stored.data = np.frombuffer(values.tobytes(), np.uint8)
        self.model.buffers.append(stored)
        whole = values.dtype == np.int32
        kind = schema.TensorType.INT32 if whole else schema.TensorType.FLOAT32
        self.tensor(name, values.shape, kind, len(self.model.buffers) - 1)

    def tensor(self, name: str, shape, kind=schema.TensorType.FLOAT32, stored: int = 0) -> None:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, stored
        if not stored:
            tensor.shapeSignature = [-1, *shape[1:]]
        self.places[name] = len(self.graph.tensors)
        self.graph.tensors.append(tensor)

    def operator(self, kind, inputs: list[str], output: str, shape, custom: str = "") -> None:
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = kind if custom else getattr(schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode, code.customCode, code.version = code.builtinCode, custom, 1
        self.tensor(output, shape)
        operator.opcodeIndex = len(self.model.operatorCodes)
        operator.inputs = [self.places[name] for name in inputs]
        operator.outputs = [self.places[output]]
        if not custom:
            self._options(operator, kind)
        self.model.operatorCodes.append(code)
        self.graph.operators.append(operator)

    def _options(self, operator: schema.OperatorT, kind: str) -> None:
        options = {
            "RESHAPE": schema.ReshapeOptionsT,
            "CONV_2D": schema.Conv2DOptionsT,
            "MEAN": schema.ReducerOptionsT,
            "FULLY_CONNECTED": schema.FullyConnectedOptionsT,
        }[kind]()
        if kind == "CONV_2D":
            options.strideW = options.strideH = 1
            options.fusedActivationFunction = schema.ActivationFunctionType.RELU
        operator.builtinOptions = options
        name = type(options).__name__.removesuffix("T")
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)

    def content(self, given: str, output: str) -> bytes:
        self.graph.inputs, self.graph.outputs = [self.places[given]], [self.places[output]]
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def make_onnx(
    path: Path,
    seed: int = 0,
    batch: int | str = "any",
    domain: str = "",
    **stored: str,
) -> Path:
    """Write (batch, 16000) -> stem, first, embedding, logits.

    Stem and first are (batch, 8, 50 steps). With ``domain`` an operator is of that domain; with
    ``location`` the weights are said to be in that file.
    """
    draw = np.random.default_rng(seed).standard_normal
    constants = {
        "one": np.array([1], np.int64),
        "stem weight": 0.3 * draw((WIDTH, 1, STEP), np.float32),
        "stem bias": 0.1 * draw(WIDTH, np.float32),
        "block weight": draw((WIDTH, WIDTH, 3), np.float32),
        "head weight": draw((WIDTH, SPECIES), np.float32),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["wave", "one"], ["column"]),
        helper.make_node("Conv", ["column", "stem weight", "stem bias"], ["stem"], strides=[STEP]),
        helper.make_node("Conv", ["stem", "block weight"], ["mixed"], pads=[1, 1]),
        helper.make_node("Tanh", ["mixed"], ["first"], domain=domain),
        helper.make_node("ReduceMean", ["first"], ["embedding"], axes=[2], keepdims=0),
        helper.make_node("MatMul", ["embedding", "head weight"], ["logits"]),
    ]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    for key, value in stored.items():
        initializers[-1].data_location = TensorProto.EXTERNAL
        initializers[-1].external_data.add(key=key, value=value)
    ends = {"wave": [batch, WINDOW], "logits": [batch, SPECIES]}
    given, output = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in ends.items()
    )
    graph = helper.make_graph(nodes, "tiny", given, output, initializers)
    opsets = [helper.make_opsetid("", 13)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path
