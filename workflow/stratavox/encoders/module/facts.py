"""A torch module of the user's."""

from __future__ import annotations

from pathlib import Path

from stratavox.encoders import weights_entry
from stratavox.encoders.module import context_samples
from stratavox.errors import StratavoxError

WEIGHTS = ()
ENTRY = """
required: [factory, path, weights, rate, context_s, grid, layout]
properties:
  factory:
    description: >-
      module.function that is called with arguments and returns a torch.nn.Module of waves (batch,
      samples) at rate; the code of its top module is part of the embeddings' key
    type: string
  path: {type: string, description: "folder put on the import path, relative to where you run"}
  arguments: {type: object, default: {}, description: of the factory}
  weights:
    description: >-
      a .safetensors file, random, as the factory draws them from the seed, or permuted (a file's
      values in another order within each tensor, a control)
    type: string
  of: {$ref: "#/$defs/permuted_of"}
  seed: {$ref: "#/$defs/weights_seed"}
  seeds: {$ref: "#/$defs/seeds"}
  rate: {type: integer, minimum: 1, description: samples a second}
  context_s: {$ref: "#/$defs/context_s"}
  grid:
    description: >-
      samples of the first step of time (shorter clips are padded) and of each further one, and
      tokens of a step; checked before any clip is read
    type: object
    additionalProperties: false
    required: [size, hop]
    properties:
      size: {type: integer, minimum: 1}
      hop: {type: integer, minimum: 1}
      per_step: {type: integer, minimum: 1, default: 1}
  blocks:
    description: >-
      the list of blocks in the module, such as encoder.layers; without it the only readout is
      output, what the module returns
    type: string
  layout:
    description: axes of the tensor that a block (or the module) returns
    enum: [batch tokens width, tokens batch width, batch width]
  in_tuple:
    description: whether a block (or the module) returns a tuple, with the tokens first
    type: boolean
    default: false
  prefix:
    description: leading tokens that are not of the audio (CLS), left out
    type: integer
    minimum: 0
    default: 0
"""
TABLE = (
    (
        "your own `torch.nn.Module`",
        "`input`, `block_NN`, or `output`",
        "the examples below are a test",
    ),
)


def check(settings: dict) -> None:
    _sources(settings)
    grid, context = settings["grid"], context_samples(settings)
    if context < grid["size"]:
        raise StratavoxError(
            f"context_s: found {settings['context_s']}, {context} samples; allowed: grid.size, "
            f"{grid['size']} samples, or more"
        )
    if settings["layout"] == "batch width":
        if "blocks" in settings:
            raise StratavoxError(
                "layout: found 'batch width', one vector a window, with blocks; allowed with "
                "blocks: 'batch tokens width', 'tokens batch width'"
            )
        for key, only in (("prefix", 0), ("hop", context), ("size", context), ("per_step", 1)):
            value = settings.get(key, 0) if key == "prefix" else grid.get(key, 1)
            if value != only:
                where = key if key == "prefix" else f"grid.{key}"
                raise StratavoxError(
                    f"{where}: found {value}; with layout: batch width, one vector a window of "
                    f"context_s, allowed: {only}"
                )


def rate(settings: dict) -> int:
    return settings["rate"]


def has_blocks(settings: dict) -> bool:
    return "blocks" in settings


def has_tokens(settings: dict) -> bool:
    return True


def weight_files(settings: dict) -> list[str]:
    """The code of the factory's top module, and its weights."""
    return [*map(str, _sources(settings)), *weights_entry.files(settings, WEIGHTS)]


def _sources(settings: dict) -> list[Path]:
    """The file of the factory's top module, or all files of that package."""
    top, _, rest = settings["factory"].partition(".")
    if not rest:
        raise StratavoxError(
            f"factory: found {settings['factory']!r}; allowed: a module and a function in it, as "
            "in my_models.build"
        )
    folder = Path(settings["path"])
    if (folder / f"{top}.py").is_file():
        return [folder / f"{top}.py"]
    if (folder / top / "__init__.py").is_file():
        return sorted((folder / top).rglob("*.py"))
    raise StratavoxError(
        f"factory: {settings['factory']}: neither {folder / f'{top}.py'} nor "
        f"{folder / top / '__init__.py'} exists; path is the folder that holds the module"
    )
