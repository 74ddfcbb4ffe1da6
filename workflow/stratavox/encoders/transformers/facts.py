"""Audio transformers of the `transformers` library."""

from __future__ import annotations

from pathlib import Path

from stratavox.encoders.transformers import windows
from stratavox.encoders.transformers.windows import rate as rate
from stratavox.errors import StratavoxError

ENTRY = """
required: [path]
properties:
  path: {type: string, description: "folder with config.json, model.safetensors and the like"}
  weights:
    description: those in the folder, or random ones of the sizes in config.json
    enum: [file, random]
    default: file
  seed: {$ref: "#/$defs/weights_seed"}
  seeds: {$ref: "#/$defs/seeds"}
  context_s: {$ref: "#/$defs/context_s"}
  sites: {$ref: "#/$defs/sites", default: [block]}
  precision: {$ref: "#/$defs/precision", default: fp32}
"""
TABLE = (
    (
        "Whisper's encoder",
        "`input`, `block_NN`",
        "tested against the library, also with real weights",
    ),
    (
        "wav2vec 2.0, HuBERT, WavLM, either order of norms",
        "`input`, `block_NN`",
        "tested against the library on small random models",
    ),
    (
        "AST (`audio-spectrogram-transformer`)",
        "`input`, `block_NN`",
        "tested on a small random model; files with old and new names",
    ),
)


def check(settings: dict) -> None:
    folder = Path(settings["path"])
    if not folder.is_dir():
        raise StratavoxError(
            f"path: {folder}: no such folder; it must hold config.json, preprocessor_config.json "
            "and model.safetensors"
        )
    kind = windows.model_type(settings)
    if kind not in windows.CONTEXT_S:
        raise StratavoxError(
            f"path: {folder}/config.json: model_type {kind!r} has no declared layout; "
            f"supported: {', '.join(windows.CONTEXT_S)}"
        )
    windows.context_samples(settings)
    if settings.get("weights") != "random" and not (folder / "model.safetensors").is_file():
        names = ", ".join(sorted(entry.name for entry in folder.iterdir()))
        raise StratavoxError(
            f"path: {folder}/model.safetensors: no such file (the folder has: {names}). Weights "
            "must be one .safetensors file: opening a .bin or .pt runs whatever code it holds"
        )


def has_blocks(settings: dict) -> bool:
    return True


def weight_files(settings: dict) -> list[str]:
    names = ["config.json", "preprocessor_config.json"]
    if settings.get("weights") != "random":
        names.append("model.safetensors")
    return [str(Path(settings["path"], name)) for name in names]
