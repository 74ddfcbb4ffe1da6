"""What the config says of an encoder, told without importing its library.

Snakemake asks at parse time, in every job, so nothing here is heavy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from stratavox.encoders import module_facts, weights_asked
from stratavox.errors import StratavoxError

FAMILIES = ("beats", "transformers", "avex", "module", "logmel", "duration_level")
BASELINE_RATE = 16000
ARCHITECTURE_OF = "esp_aves2_sl_beats_all"
# The small BEATs of this repository (encoders/train_small.py): `weights: bundled`.
BUNDLED = Path(__file__).with_name("beats_small.safetensors")
# BEATs's positional convolution has this many groups, and its width must be a multiple.
POSITION_GROUPS = 16
AST = "audio-spectrogram-transformer"
# The crop of wav2vec 2.0 and its kin, which have no window of their own: the 250,000 samples they
# were trained on (Baevski et al. 2020, section 4.2).
SPEECH_CONTEXT_S = 15.625
# Seconds of audio each kind of transformers model is fed at most; Whisper and AST: their windows.
CONTEXT_S = {
    "whisper": 30.0,
    "wav2vec2": SPEECH_CONTEXT_S,
    "hubert": SPEECH_CONTEXT_S,
    "wavlm": SPEECH_CONTEXT_S,
    AST: 10.24,
}
SHORTEST_CONTEXT_S = 0.1
AVES, AVES_RATE = "aves_bio", 16000
# What else avex has, and why it cannot be loaded here: by the start of its name.
NOT_LOADED = {
    "esp_aves2_eat": "EAT's code is fetched from the hub and run, and needs transformers < 5",
    "esp_aves2_sl_eat": "EAT's code is fetched from the hub and run, and needs transformers < 5",
    "eat": "EAT's code is fetched from the hub and run, and needs transformers < 5",
    "birdmae": "its code is fetched from the hub and run",
    "perch": "it needs onnxruntime or tensorflow",
    "surfperch": "it needs tensorflow",
    "birdnet": "it needs tensorflow",
}


@dataclass(frozen=True)
class Published:
    """A model that avex lists: where its weights are, and the rate in Hz of the audio it wants.

    ``sha256`` is that of the file as published by its makers; None where they give none, and the
    hub's own is then what a fetched file is held against.
    """

    repository: str
    rate: int = 16000
    sha256: str | None = None

    @property
    def file(self) -> str:
        return f"{self.repository.rpartition('/')[2]}.safetensors"


# avex's BEATs and EfficientNet models (a test asks avex for the same).
BEATS = {
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
EFFNETS = {
    "esp_aves2_effnetb0_all": Published("EarthSpeciesProject/esp-aves2-effnetb0-all"),
    "esp_aves2_effnetb0_audioset": Published("EarthSpeciesProject/esp-aves2-effnetb0-audioset"),
    "esp_aves2_effnetb0_bio": Published("EarthSpeciesProject/esp-aves2-effnetb0-bio"),
}


def check(settings: dict) -> None:
    """Raise `StratavoxError`, the key first, for an encoder that cannot be loaded as asked."""
    family = settings.get("family")
    if family not in FAMILIES:
        raise StratavoxError(f"family: found {family!r}; allowed: {', '.join(FAMILIES)}")
    if family == "beats":
        _check_beats(settings)
    elif family == "transformers":
        _check_transformers(settings)
    elif family == "avex":
        _check_avex(settings)
    elif family == "module":
        module_facts.check(settings)
    if "block" not in settings.get("sites", ["block"]):
        raise StratavoxError(
            f"sites: found {', '.join(settings['sites']) or 'none'}; block must be among them: "
            "depth curves, and the choice of a block, are of the blocks' outputs"
        )


def rate(settings: dict) -> int:
    """Sample rate in Hz of the audio that the encoder is fed."""
    if settings["family"] == "beats":
        return BEATS[settings.get("model", ARCHITECTURE_OF)].rate
    if settings["family"] == "transformers":
        return _count(settings, "sampling_rate")
    if settings["family"] == "avex":
        return AVES_RATE if settings["model"] == AVES else EFFNETS[settings["model"]].rate
    return settings["rate"] if settings["family"] == "module" else BASELINE_RATE


def has_blocks(settings: dict) -> bool:
    """Whether the encoder has ``block_NN`` readouts; a baseline has one readout, ``features``."""
    if settings["family"] == "module":
        return "blocks" in settings
    return settings["family"] in ("beats", "transformers", "avex")


def has_tokens(settings: dict) -> bool:
    """Whether its tokens can be kept: a baseline has none, conv maps a grid of their own each."""
    if settings["family"] == "avex":
        return settings["model"] not in EFFNETS
    return settings["family"] in ("beats", "transformers", "module")


def has_avex_layers(settings: dict) -> bool:
    """Whether it has the readouts that avex calls all layers of BEATs (fusion ``concat_avex``)."""
    return settings["family"] == "beats" and "ffn" in settings.get("sites", ())


def published(settings: dict) -> dict:
    """Repository, file and sha256 of the weights that ``weights: pretrained`` stands for.

    The config's ``sha256`` comes before that of the makers; None where neither is given.
    """
    model = (BEATS | EFFNETS)[settings["model"]]
    sha256 = settings.get("sha256", model.sha256)
    return {"repository": model.repository, "file": model.file, "sha256": sha256}


def weight_files(settings: dict) -> list[str]:
    """The local files whose content the embeddings depend on, as written in the config."""
    if settings["family"] == "beats":
        if settings["weights"] == "bundled":
            return [str(BUNDLED)]
        return [] if settings["weights"] in ("random", "pretrained") else [settings["weights"]]
    if settings["family"] == "avex":
        return [] if settings["weights"] in ("random", "pretrained") else [settings["weights"]]
    if settings["family"] == "module":
        return module_facts.files(settings)
    if settings["family"] == "transformers":
        names = ["config.json", "preprocessor_config.json"]
        if settings.get("weights", "file") == "file":
            names.append("model.safetensors")
        return [str(Path(settings["path"], name)) for name in names]
    return []


def context_samples(settings: dict) -> int:
    """Samples that a transformers model is fed at most: ``context_s``, or its kind's own."""
    hertz, config = rate(settings), _json(settings, "config.json")
    kind = config["model_type"]
    context_s = settings.get("context_s", CONTEXT_S[kind])
    samples = round(context_s * hertz)
    if context_s < SHORTEST_CONTEXT_S:
        raise StratavoxError(f"context_s: found {context_s}; allowed: {SHORTEST_CONTEXT_S} or more")
    if kind == AST:
        longest = config.get("max_length", 1024) * ast_frame(hertz)[1]
        if samples > longest:
            raise StratavoxError(
                f"context_s: found {context_s}; allowed: up to the model's window of "
                f"{longest / hertz} s"
            )
    if kind == "whisper":
        token = whisper_token(settings)
        longest = config.get("max_source_positions", 1500) * token
        if abs(samples - context_s * hertz) > 1e-6 or samples % token or samples > longest:
            raise StratavoxError(
                f"context_s: found {context_s}; allowed: multiples of {token / hertz} s up to the "
                f"model's window of {longest / hertz} s"
            )
    return samples


def ast_frame(hertz: int) -> tuple[int, int]:
    """Samples of a frame of AST's spectrogram, 25 ms, and between two, 10 ms."""
    return hertz * 25 // 1000, hertz * 10 // 1000


def whisper_token(settings: dict) -> int:
    """Samples between two of Whisper's tokens: two spectrogram frames."""
    return 2 * _count(settings, "hop_length")


def _check_beats(settings: dict) -> None:
    weights, model = settings.get("weights"), settings.get("model")
    if weights == "bundled":
        given = [key for key in ("model", "architecture", "seed") if key in settings]
        if given:
            raise StratavoxError(f"{given[0]}: not with weights: bundled, whose file says it all")
        return
    if "architecture" in settings:
        _check_architecture(settings["architecture"])
    elif model not in BEATS:
        raise StratavoxError(
            f"model: found {model!r}; allowed, BEATs models of avex: {', '.join(BEATS)}"
        )
    if weights != "random" and "architecture" in settings:
        raise StratavoxError(f"architecture: only with weights: random, found weights: {weights}")
    weights_asked.check(settings, ("random", "pretrained", "bundled"))


def _check_avex(settings: dict) -> None:
    model, weights = settings["model"], settings["weights"]
    if model in BEATS:
        raise StratavoxError(f"model: {model} is a BEATs; say family: beats")
    if model not in (*EFFNETS, AVES):
        why = next((why for start, why in NOT_LOADED.items() if model.startswith(start)), None)
        raise StratavoxError(
            f"model: found {model!r}{f', not supported: {why}' if why else ''}; allowed: "
            f"{', '.join((*EFFNETS, AVES))}"
        )
    if model == AVES and weights == "pretrained":
        raise StratavoxError(
            "weights: pretrained: AVES is published as a .pt file, which runs whatever code it "
            "holds when opened; convert one you trust with safetensors.torch.save_file and give "
            "its path"
        )
    if model in EFFNETS and set(settings.get("sites", ())) - {"block"}:
        raise StratavoxError(
            f"sites: found {', '.join(settings['sites'])}; allowed: block: an EfficientNet has "
            "neither attention nor a feed-forward part"
        )
    weights_asked.check(settings, ("random", "pretrained"))


def _check_architecture(sizes: dict) -> None:
    width, heads = sizes["width"], sizes["heads"]
    if width % heads or width % POSITION_GROUPS:
        raise StratavoxError(
            f"architecture.width: found {width} with {heads} heads; it must be a multiple of heads "
            f"and of {POSITION_GROUPS}"
        )


def _check_transformers(settings: dict) -> None:
    folder = Path(settings["path"])
    if not folder.is_dir():
        raise StratavoxError(
            f"path: {folder}: no such folder; it must hold config.json, preprocessor_config.json "
            "and model.safetensors"
        )
    kind = _json(settings, "config.json").get("model_type")
    if kind not in CONTEXT_S:
        raise StratavoxError(
            f"path: {folder}/config.json: model_type {kind!r} has no declared layout; "
            f"supported: {', '.join(CONTEXT_S)}"
        )
    context_samples(settings)
    if settings.get("weights", "file") == "random":
        weights_asked.check_seed(settings)
    elif not (folder / "model.safetensors").is_file():
        found = ", ".join(sorted(entry.name for entry in folder.iterdir()))
        raise StratavoxError(
            f"path: {folder}/model.safetensors: no such file (the folder has: {found}). Weights "
            "must be one .safetensors file: opening a .bin or .pt runs whatever code it holds"
        )


def _count(settings: dict, key: str) -> int:
    """A positive whole number from the feature extractor's file."""
    value = _json(settings, "preprocessor_config.json").get(key)
    if not isinstance(value, int) or value < 1:
        raise StratavoxError(
            f"path: {settings['path']}/preprocessor_config.json: {key}: found {value!r}; "
            "allowed: a positive whole number"
        )
    return value


def _json(settings: dict, name: str) -> dict:
    path = Path(settings["path"], name)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StratavoxError(f"path: {path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise StratavoxError(f"path: {path}: not JSON ({error})") from None
