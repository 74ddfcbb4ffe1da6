"""How much audio a transformers model takes at once, by the files in its folder."""

from __future__ import annotations

import json
from pathlib import Path

from stratavox.encoders.catalogue import SPEECH_CONTEXT_S
from stratavox.errors import StratavoxError

AST = "audio-spectrogram-transformer"
# Most seconds of audio that each kind of model takes at once; for Whisper and AST the window.
CONTEXT_S = {
    "whisper": 30.0,
    "wav2vec2": SPEECH_CONTEXT_S,
    "hubert": SPEECH_CONTEXT_S,
    "wavlm": SPEECH_CONTEXT_S,
    AST: 10.24,
}
SHORTEST_CONTEXT_S = 0.1
# What the files of every Whisper of facts.MODELS say, which is needed before they are fetched.
FILES = {
    "config.json": {"model_type": "whisper", "max_source_positions": 1500},
    "preprocessor_config.json": {"sampling_rate": 16000, "hop_length": 160},
}


def model_type(settings: dict) -> str:
    """The kind of model, as the library names it."""
    return _json(settings, "config.json").get("model_type")


def rate(settings: dict) -> int:
    """Sample rate in Hz of the feature extractor."""
    return _count(settings, "sampling_rate")


def context_samples(settings: dict) -> int:
    """Most samples that the model takes at once: ``context_s``, by default that of its kind."""
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
    """Length and hop of AST's spectrogram frames in samples: 25 ms and 10 ms."""
    return hertz * 25 // 1000, hertz * 10 // 1000


def whisper_token(settings: dict) -> int:
    """Samples between two of Whisper's tokens: two spectrogram frames."""
    return 2 * _count(settings, "hop_length")


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
    if "path" not in settings:
        return FILES[name]
    path = Path(settings["path"], name)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StratavoxError(f"path: {path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise StratavoxError(f"path: {path}: not JSON ({error})") from None
