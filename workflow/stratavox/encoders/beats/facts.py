"""BEATs (Chen et al. 2023) as avex builds it."""

from __future__ import annotations

from stratavox.encoders import weights_entry
from stratavox.encoders.beats import ARCHITECTURE_OF, BUNDLED
from stratavox.encoders.catalogue import Published
from stratavox.errors import StratavoxError

# avex's BEATs models (a test compares them with avex's list).
MODELS = {
    "esp_aves2_naturelm_audio_v1_beats": Published(
        "EarthSpeciesProject/esp-aves2-naturelm-audio-v1-beats"
    ),
    "esp_aves2_sed_birdcode_beats_encoder": Published(
        "EarthSpeciesProject/esp-aves2-sed-birdcode-ablation-ssl-beats-clip-pseudo-encoder", 32000
    ),
    "esp_aves2_sl_beats_all": Published(
        "EarthSpeciesProject/esp-aves2-sl-beats-all",
        sha256="25dc242853822de6e35228b22c285886162b5f787d162280e0277c010a510e91",
    ),
    "esp_aves2_sl_beats_bio": Published("EarthSpeciesProject/esp-aves2-sl-beats-bio"),
}
WEIGHTS = ("pretrained", "bundled")
# Groups of the positional convolution; the width must be a multiple of it.
POSITION_GROUPS = 16

ENTRY = """
required: [weights]
properties:
  model: {type: string, description: "avex's name of a BEATs"}
  weights:
    description: >-
      random, pretrained (fetched once by the model's name), bundled (the small BEATs of this
      repository), a .safetensors file, or permuted (trained values in another order within each
      tensor, a control)
    type: string
  of: {$ref: "#/$defs/permuted_of"}
  sha256: {$ref: "#/$defs/sha256"}
  seed: {$ref: "#/$defs/weights_seed"}
  seeds: {$ref: "#/$defs/seeds"}
  architecture:
    description: sizes of a small BEATs of random weights; instead of model
    type: object
    additionalProperties: false
    required: [layers, width, heads]
    properties:
      layers: {type: integer, minimum: 1}
      width: {type: integer, minimum: 8}
      heads: {type: integer, minimum: 1}
  sites: {$ref: "#/$defs/sites", default: [block]}
  precision: {$ref: "#/$defs/precision", default: fp32}
allOf:
  - if:
      anyOf:
        - {properties: {weights: {const: bundled}}}
        - {required: [of], properties: {of: {const: bundled}}}
    then: {properties: {model: {description: "not with weights: bundled", not: {}}}}
    else:
      description: give either model (avex's name) or architecture
      oneOf: [{required: [model]}, {required: [architecture]}]
  - if: {properties: {weights: {const: random}}}
    else:
      properties:
        architecture: {description: "only with weights: random, as a file has its sizes", not: {}}
"""
TABLE = (
    (
        "avex's BEATs, by name, `bundled`, or a small `architecture` of random weights",
        "`patch`, `input`, `block_NN`",
        "tested against avex, block by block",
    ),
)


def check(settings: dict) -> None:
    sizes, model = settings.get("architecture"), settings.get("model", ARCHITECTURE_OF)
    if model not in MODELS:
        raise StratavoxError(
            f"model: found {model!r}; allowed, BEATs models of avex: {', '.join(MODELS)}"
        )
    if sizes and (sizes["width"] % sizes["heads"] or sizes["width"] % POSITION_GROUPS):
        raise StratavoxError(
            f"architecture.width: found {sizes['width']} with {sizes['heads']} heads; it must be "
            f"a multiple of heads and of {POSITION_GROUPS}"
        )


def rate(settings: dict) -> int:
    return MODELS[settings.get("model", ARCHITECTURE_OF)].rate


def has_blocks(settings: dict) -> bool:
    return True


def has_avex_layers(settings: dict) -> bool:
    return "ffn" in settings.get("sites", ())


def weight_files(settings: dict) -> list[str]:
    if weights_entry.source(settings) == "bundled":
        return [str(BUNDLED)]
    return weights_entry.files(settings, WEIGHTS)
