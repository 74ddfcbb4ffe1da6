"""A graph in a .tflite or .onnx file of the user's, by a table of its tensors."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from stratavox.errors import StratavoxError

ENTRY = """
required: [path, rate, context_s, readouts]
properties:
  path: {type: string, description: a .tflite or .onnx file, relative to where you run}
  sha256: {$ref: "#/$defs/sha256", description: of the file; another one is refused}
  weights:
    description: >-
      those in the file, or permuted (its values in another order within each weight tensor, a
      control)
    enum: [file, permuted]
    default: file
  seed: {$ref: "#/$defs/weights_seed"}
  seeds: {$ref: "#/$defs/seeds"}
  kept:
    description: >-
      with weights: permuted, beginnings of the names of constants that are left as they are:
      windows and filter banks, which nothing has trained
    type: array
    items: {type: string, minLength: 1}
    default: []
  rate: {type: integer, minimum: 1, description: samples a second}
  context_s:
    description: >-
      seconds of audio that the graph takes at once; longer clips are cut into windows, shorter ones
      padded with zeros
    type: number
    exclusiveMinimum: 0
  readouts:
    description: >-
      what is read, in order of depth. The blocks are called block_00, block_01 ...; what enters the
      first is called input. `python -m stratavox tensors FILE` lists the tensors
    type: array
    minItems: 1
    items:
      type: object
      additionalProperties: false
      required: [name, tensor, layout]
      properties:
        name: {type: string, pattern: "^[a-z][a-z0-9_]*$"}
        tensor: {type: string, description: its name in the file}
        layout:
          description: >-
            its axes in their order, of batch, bands (of frequency), time and width, as in batch
            bands time width; without time it is one vector a window
          type: string
        bands: {type: integer, minimum: 1, description: length of the axis bands}
        steps: {type: integer, minimum: 1, description: length of the axis time}
"""
TABLE = (
    (
        "any `.tflite` or `.onnx` file, such as Perch or YAMNet",
        "those that you name",
        "tested on small graphs of both formats; the published files were not tried",
    ),
)
AXES = ("batch", "bands", "time", "width")
# The key that has the length of an axis.
LENGTHS = {"bands": "bands", "time": "steps"}
FORMATS = (".onnx", ".tflite")


def check(settings: dict) -> None:
    path = Path(settings["path"])
    if path.suffix not in FORMATS:
        raise StratavoxError(f"path: found {str(path)!r}; allowed: {' or '.join(FORMATS)} files")
    if not path.is_file():
        raise StratavoxError(f"path: {path}: no such file")
    names = [readout["name"] for readout in settings["readouts"]]
    for name, count in Counter(names).items():
        if count > 1:
            raise StratavoxError(f"readouts: {name!r} is there {count} times; names must differ")
    blocks = [name for name in names if name.startswith("block_")]
    wanted = [f"block_{place:02d}" for place in range(len(blocks))]
    if blocks != wanted:
        raise StratavoxError(
            f"readouts: the blocks are {', '.join(blocks)}; in order of depth they must be called "
            f"{', '.join(wanted)}"
        )
    if not blocks and len(names) > 1:
        raise StratavoxError(
            f"readouts: found {', '.join(names)}, of which none is a block; call those that have a "
            "depth block_00, block_01 ..., or give one readout only"
        )
    for readout in settings["readouts"]:
        _check_layout(readout)


def _check_layout(readout: dict) -> None:
    axes, name = readout["layout"].split(), readout["name"]
    if "width" not in axes or set(axes) - set(AXES) or len(set(axes)) < len(axes):
        raise StratavoxError(
            f"readouts: {name}: layout: found {readout['layout']!r}; allowed: {', '.join(AXES)}, "
            "each once at most and width always, in the order of the tensor's axes"
        )
    for axis, key in LENGTHS.items():
        if (axis in axes) != (key in readout):
            raise StratavoxError(
                f"readouts: {name}: {key} is {'given' if key in readout else 'missing'}, but the "
                f"layout {readout['layout']!r} has {'an' if axis in axes else 'no'} axis {axis}"
            )


def rate(settings: dict) -> int:
    return settings["rate"]


def has_blocks(settings: dict) -> bool:
    return any(readout["name"].startswith("block_") for readout in settings["readouts"])


def has_tokens(settings: dict) -> bool:
    return False


def weight_files(settings: dict) -> list[str]:
    return [settings["path"]]
