"""The keys ``weights`` and ``of`` of an encoder's entry, without importing torch."""

from __future__ import annotations

from pathlib import Path

from stratavox.errors import StratavoxError

# What `weights` can be in place of trained ones.
UNTRAINED = ("random", "permuted")


def source(settings: dict) -> str:
    """Where the values come from: ``weights`` or, of permuted ones, ``of``."""
    return settings.get("of", settings["weights"])


def files(settings: dict, words: tuple[str, ...]) -> list[str]:
    """The file that the values come from; none where ``words`` has what they come from."""
    return [] if source(settings) in (*words, *UNTRAINED) else [source(settings)]


def check(settings: dict, words: tuple[str, ...]) -> None:
    """Raise `StratavoxError` for weights that are no file, not one of ``words`` and trained.

    ``words`` are the family's words for trained weights.
    """
    key, allowed = ("of", words) if "of" in settings else ("weights", (*words, *UNTRAINED))
    for name in map(str, files(settings, words)):
        if Path(name).suffix != ".safetensors":
            raise StratavoxError(
                f"{key}: found {name!r}; allowed: {', '.join(allowed)}{' or ' * bool(allowed)}"
                "a .safetensors file. "
                "Opening a .pt, .pth or .bin file runs whatever code it holds: it is not read; "
                "convert one you trust with safetensors.torch.save_file"
            )
        if not Path(name).is_file():
            raise StratavoxError(f"{key}: {name}: no such file; give the path of the weights")
