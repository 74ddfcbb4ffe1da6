"""What the config says of an encoder of family ``module``, told without importing its code."""

from __future__ import annotations

from pathlib import Path

from stratavox.encoders import weights_asked
from stratavox.errors import StratavoxError


def check(settings: dict) -> None:
    """Raise `StratavoxError`, the key first, for a module that cannot be loaded as asked."""
    _sources(settings)
    weights_asked.check(settings, ("random",))
    grid, context = settings["grid"], context_samples(settings)
    if context < grid["size"]:
        raise StratavoxError(
            f"context_s: found {settings['context_s']}, {context} samples; allowed: grid.size, "
            f"{grid['size']} samples, or more"
        )
    if settings["layout"] == "batch width":
        if "blocks" in settings:
            raise StratavoxError(
                "layout: found 'batch width', one vector a window, with blocks; allowed with "
                "blocks: 'batch tokens width', 'tokens batch width'"
            )
        for key, only in (("prefix", 0), ("hop", context), ("size", context), ("per_step", 1)):
            found = settings.get(key, 0) if key == "prefix" else grid.get(key, 1)
            if found != only:
                where = key if key == "prefix" else f"grid.{key}"
                raise StratavoxError(
                    f"{where}: found {found}; with layout: batch width, one vector a window of "
                    f"context_s, allowed: {only}"
                )


def context_samples(settings: dict) -> int:
    """Samples that the module is fed at most."""
    return round(settings["context_s"] * settings["rate"])


def files(settings: dict) -> list[str]:
    """The code of the factory's top module, and its weights, as written in the config."""
    given = [] if settings["weights"] == "random" else [settings["weights"]]
    return [*map(str, _sources(settings)), *given]


def _sources(settings: dict) -> list[Path]:
    """The file, or the files of the package, that the factory's top module is."""
    top, _, rest = settings["factory"].partition(".")
    if not rest:
        raise StratavoxError(
            f"factory: found {settings['factory']!r}; allowed: a module and a function in it, as "
            "in my_models.build"
        )
    folder = Path(settings["path"])
    if (folder / f"{top}.py").is_file():
        return [folder / f"{top}.py"]
    if (folder / top / "__init__.py").is_file():
        return sorted((folder / top).rglob("*.py"))
    raise StratavoxError(
        f"factory: {settings['factory']}: neither {folder / f'{top}.py'} nor "
        f"{folder / top / '__init__.py'} is there; path is the folder that holds the module"
    )
