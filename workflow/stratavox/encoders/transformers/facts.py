"""Audio transformers of the `transformers` library."""

from __future__ import annotations

from pathlib import Path

from stratavox.encoders.catalogue import Published
from stratavox.encoders.transformers import windows
from stratavox.encoders.transformers.windows import rate as rate
from stratavox.errors import StratavoxError


def _whisper(size: str, commit: str) -> dict[str, Published]:
    name = f"openai/whisper-{size}"
    published = Published(
        name, revision=commit, weights="model.safetensors", beside=tuple(windows.FILES)
    )
    return {name: published}


MODELS = {
    **_whisper("tiny", "169d4a4341b33bc18d8881c4b69c2e104e1cc0af"),
    **_whisper("base", "e37978b90ca9030d5170a5c07aadb050351a65bb"),
    **_whisper("small", "973afd24965f72e36ca33b3055d56a652f456b4d"),
    **_whisper("medium", "abdf7c39ab9d0397620ccaea8974cc764cd0953e"),
}
ENTRY = """
properties:
  path: {type: string, description: "folder with config.json, model.safetensors and the like"}
  model: {type: string, description: "a Whisper by its name on the hub, instead of path"}
  local:
    description: >-
      a folder with the files of model: where it is there, it is used in the hub's place, as path
      would be, and the log tells so
    type: string
  weights:
    description: >-
      those in the folder (file), those of the model's name, fetched once (pretrained), random
      ones of the sizes in config.json, or permuted (the trained values in another order within each
      tensor, a control)
  seed: {$ref: "#/$defs/weights_seed"}
  seeds: {$ref: "#/$defs/seeds"}
  context_s: {$ref: "#/$defs/context_s"}
  sites: {$ref: "#/$defs/sites", default: [block]}
  precision: {$ref: "#/$defs/precision", default: fp32}
allOf:
  - description: give either path (a folder) or model (a name)
    oneOf: [{required: [path]}, {required: [model]}]
  - if: {required: [model]}
    then: {properties: {weights: {enum: [pretrained, random, permuted], default: pretrained}}}
    else:
      properties:
        weights: {enum: [file, random, permuted], default: file}
        local: {description: "only with model", not: {}}
"""
TABLE = (
    (
        "Whisper's encoder, by name or from a folder",
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
    if "model" in settings:
        if settings["model"] not in MODELS:
            raise StratavoxError(
                f"model: found {settings['model']!r}; allowed: {', '.join(MODELS)} (others: path, "
                "a folder)"
            )
        windows.context_samples(settings)
        return
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


def is_fetched(settings: dict) -> bool:
    return "model" in settings  # random weights need its sizes


def weight_files(settings: dict) -> list[str]:
    if "model" in settings:
        return []
    names = list(windows.FILES)
    if settings.get("weights") != "random":
        names.append("model.safetensors")
    return [str(Path(settings["path"], name)) for name in names]
