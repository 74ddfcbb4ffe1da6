"""avex's models other than BEATs: its EfficientNets and its AVES."""

from __future__ import annotations

from stratavox.encoders.avex import AVES, AVES_RATE
from stratavox.encoders.catalogue import Published
from stratavox.errors import StratavoxError

MODELS = {
    f"esp_aves2_effnetb0_{data}": Published(f"EarthSpeciesProject/esp-aves2-effnetb0-{data}")
    for data in ("all", "audioset", "bio")
}
# Other models of avex, by the start of the name, and why they cannot be loaded.
EAT = "EAT's code is fetched from the hub and run, and needs transformers < 5"
NOT_LOADED = {
    "esp_aves2_eat": EAT,
    "esp_aves2_sl_eat": EAT,
    "eat": EAT,
    "birdmae": "its code is fetched from the hub and run",
    "perch": "it needs tensorflow; family: graph reads an .onnx or .tflite file of it",
    "surfperch": "it needs tensorflow; family: graph reads an .onnx or .tflite file of it",
    "birdnet": "it needs tensorflow; family: birdnet reads all its stages without it",
}
WEIGHTS = ("random", "pretrained")

ENTRY = """
required: [model, weights]
properties:
  model: {type: string, description: "avex's name of an EfficientNet, or aves_bio"}
  weights:
    description: random, pretrained (fetched once by the model's name) or a .safetensors file
    type: string
  sha256: {$ref: "#/$defs/sha256"}
  seed: {$ref: "#/$defs/weights_seed"}
  seeds: {$ref: "#/$defs/seeds"}
  sites: {$ref: "#/$defs/sites", default: [block]}
"""
TABLE = (
    (
        "`esp_aves2_effnetb0_all`, `_bio`, `_audioset`",
        "`block_00` ... `block_08` (torchvision's `features`)",
        "tested against avex's class on random weights at full size; the published files were not "
        "tried",
    ),
    (
        "`aves_bio` (AVES)",
        "`input`, `block_NN`",
        "tested against avex's class and torchaudio on a small random model; the published file is "
        "a `.pt` and must be converted",
    ),
)


def check(settings: dict) -> None:
    model = settings["model"]
    if model not in (*MODELS, AVES):
        why = next((why for start, why in NOT_LOADED.items() if model.startswith(start)), None)
        raise StratavoxError(
            f"model: found {model!r}{f', not supported: {why}' if why else ''}; allowed: "
            f"{', '.join((*MODELS, AVES))} (for avex's BEATs: family: beats)"
        )
    if model == AVES and settings["weights"] == "pretrained":
        raise StratavoxError(
            "weights: pretrained: AVES is published as a .pt file, which runs whatever code it "
            "holds when opened; convert one you trust with safetensors.torch.save_file and give "
            "its path"
        )
    if model in MODELS and set(settings.get("sites", ())) - {"block"}:
        raise StratavoxError(
            f"sites: found {', '.join(settings['sites'])}; allowed: block: an EfficientNet has "
            "neither attention nor a feed-forward part"
        )


def rate(settings: dict) -> int:
    return AVES_RATE if settings["model"] == AVES else MODELS[settings["model"]].rate


def has_blocks(settings: dict) -> bool:
    return True


def has_tokens(settings: dict) -> bool:
    return settings["model"] not in MODELS
