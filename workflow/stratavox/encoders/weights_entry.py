"""The key ``weights`` of an encoder's entry, without importing torch."""

from __future__ import annotations

from pathlib import Path

from stratavox.errors import StratavoxError


def files(settings: dict, words: tuple[str, ...]) -> list[str]:
    """The file that ``weights`` names; none where it is one of ``words``."""
    return [] if settings["weights"] in words else [settings["weights"]]


def check(settings: dict, words: tuple[str, ...]) -> None:
    """Raise `StratavoxError` for ``weights`` that are neither a file nor one of ``words``."""
    for name in map(str, files(settings, words)):
        if Path(name).suffix != ".safetensors":
            raise StratavoxError(
                f"weights: found {name!r}; allowed: {', '.join(words)} or a .safetensors file. "
                "Opening a .pt, .pth or .bin file runs whatever code it holds: it is not read; "
                "convert one you trust with safetensors.torch.save_file"
            )
        if not Path(name).is_file():
            raise StratavoxError(f"weights: {name}: no such file; give the path of the weights")
