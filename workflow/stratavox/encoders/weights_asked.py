"""What the keys ``weights`` and ``seed`` of an encoder may say, told without torch."""

from __future__ import annotations

from pathlib import Path

from stratavox.errors import StratavoxError


def check(settings: dict, words: tuple[str, ...]) -> None:
    """Raise `StratavoxError` for ``weights`` that are neither a file nor one of ``words``."""
    if settings["weights"] == "random":
        check_seed(settings)
    elif settings["weights"] not in words:
        _check_file(str(settings["weights"]), words)


def check_seed(settings: dict) -> None:
    """Raise `StratavoxError` where random weights have no seed."""
    if not isinstance(settings.get("seed"), int):
        raise StratavoxError("seed: weights: random needs one, a whole number")


def _check_file(name: str, words: tuple[str, ...]) -> None:
    path = Path(name)
    if path.suffix != ".safetensors":
        raise StratavoxError(
            f"weights: found {name!r}; allowed: {', '.join(words)} or a .safetensors file. Opening "
            "a .pt, .pth or .bin file runs whatever code it holds: it is not read; convert one you "
            "trust with safetensors.torch.save_file"
        )
    if not path.is_file():
        raise StratavoxError(f"weights: {name}: no such file; give the path of the weights")
