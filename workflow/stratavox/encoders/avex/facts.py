"""avex's models other than BEATs: its EfficientNets and its AVES."""

from __future__ import annotations

from typing import NamedTuple

from stratavox.encoders import weights_entry
from stratavox.encoders.avex import AVES, AVES_RATE
from stratavox.encoders.catalogue import Published
from stratavox.errors import StratavoxError

MODELS = {
    f"esp_aves2_effnetb0_{data}": Published(f"EarthSpeciesProject/esp-aves2-effnetb0-{data}")
    for data in ("all", "audioset", "bio")
}


class Refused(NamedTuple):
    """Why a model of avex cannot be loaded, and the nearest that can."""

    why: str
    nearest: str


BEATS = "`family: beats`, `model: esp_aves2_sl_beats_all`"
PERCH = "`family: graph` with an .onnx or .tflite file of Perch"
EAT = Refused(
    "avex fetches its code from the hub, runs it, and needs transformers < 5; in transformers no "
    "class has its blocks, whose norms follow attention and feed-forward part",
    f"{BEATS}, by the same authors",
)
RESNET = Refused(
    "a network for pictures, of which avex has no weights trained on sound",
    "`esp_aves2_effnetb0_all`",
)
# Names that avex lists, or their beginnings.
NOT_LOADED = {
    "esp_aves2_eat": EAT,
    "esp_aves2_sl_eat": EAT,
    "eat": EAT,
    "birdmae": Refused(
        "its code, its spectrogram too, is fetched from the hub and run; transformers' ViT has "
        "such blocks, but without the published files nothing could be compared",
        "`family: birdnet`, also of birds; or a ViT of your own by `family: module`",
    ),
    "perch": Refused("it needs tensorflow", PERCH),
    "perch2": Refused("avex fetches the .onnx file of it and gives its embedding alone", PERCH),
    "surfperch": Refused("it needs tensorflow", PERCH),
    "birdnet": Refused(
        "avex fetches an .onnx file of it and gives one vector",
        "`family: birdnet`, which reads every stage",
    ),
    "beats": Refused("a class of avex, not the name of weights", BEATS),
    "efficientnet": Refused("a class of avex, not the name of weights", "`esp_aves2_effnetb0_all`"),
    "clip": Refused(
        "sound and text in one space, of which avex publishes no weights",
        "`esp_aves2_effnetb0_all`, whose network hears for it",
    ),
    "resnet": RESNET,
}
WEIGHTS = ("pretrained",)

ENTRY = """
required: [model, weights]
properties:
  model: {type: string, description: "avex's name of an EfficientNet, or aves_bio"}
  weights:
    description: >-
      random, pretrained (fetched once by the model's name), a .safetensors file, or permuted
      (trained values in another order within each tensor, a control)
    type: string
  of: {$ref: "#/$defs/permuted_of"}
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
        no = refused(model)
        why = f", not supported: {no.why}; nearest: {no.nearest}" if no else ""
        raise StratavoxError(
            f"model: found {model!r}{why}; allowed: {', '.join((*MODELS, AVES))} (for avex's "
            "BEATs: family: beats)"
        )
    if model == AVES and weights_entry.source(settings) == "pretrained":
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


def refused(model: str) -> Refused | None:
    """Why a name of avex is refused; None for a name that is unknown or loaded."""
    starts = [start for start in NOT_LOADED if model.startswith(start) and model not in MODELS]
    return NOT_LOADED[max(starts, key=len)] if starts else None


def rate(settings: dict) -> int:
    return AVES_RATE if settings["model"] == AVES else MODELS[settings["model"]].rate


def has_blocks(settings: dict) -> bool:
    return True


def has_tokens(settings: dict) -> bool:
    return settings["model"] not in MODELS
