"""A torch module of the user's own, built by their function, with the layout that they declare.

Readouts: ``input``, what enters the first block, and ``block_NN``, the blocks' outputs; or, where
no ``blocks`` are named, ``output``, what the module gives. It takes waves (batch, samples) at
``rate``. Before any clip is read, the declared layout of its tokens is compared with its output for
noise of several lengths.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import torch
from torch import nn

from stratavox.encoders.encoder import Encoder, Grid
from stratavox.encoders.module import context_samples
from stratavox.encoders.taps import Layout, Tap, torch_encoder
from stratavox.encoders.weights import fill, seeded
from stratavox.errors import StratavoxError

# Clips in a batch of noise: not one, as the axes of clips and of tokens must differ in length.
CLIPS = 3
# Steps of time fed to a module to see how many tokens they make.
STEPS = (1, 2, 3, 8)


def load(settings: dict, threads: int = 1) -> Encoder:
    """The module of ``settings``.

    Raises `StratavoxError`, the key first, where it cannot be built, its weights do not fit
    exactly, or it does not have the layout declared.
    """
    torch.set_num_threads(threads)
    with seeded(settings.get("seed", 0)):
        model = _built(settings)
    source = fill(model, settings)
    model.eval()
    grid = Grid(**settings["grid"], context=context_samples(settings))
    layout = Layout(settings["layout"], settings.get("in_tuple", False), settings.get("prefix", 0))
    places = _places(model, settings)
    widths = _probed(model, places, layout, grid)
    return torch_encoder(
        model,
        model,
        [
            Tap(name, part, widths[name], side, _of_side(layout, side))
            for name, (part, side) in places.items()
        ],
        rate=settings["rate"],
        grid=grid,
        precision="fp32",
        provenance={
            "family": "module",
            "kind": settings["factory"],
            "model": settings["factory"],
            "arguments": settings.get("arguments", {}),
            **source,
            "versions": {},
        },
    )


def _built(settings: dict) -> nn.Module:
    """What the factory gives."""
    name, _, function = settings["factory"].rpartition(".")
    folder = Path(settings["path"]).resolve()
    # At the end, so that a file of the user's shadows nothing else.
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        code = importlib.import_module(name)
        if not Path(code.__file__).resolve().is_relative_to(folder):
            raise StratavoxError(
                f"factory: {name} was found at {code.__file__}, not under path, {folder}; give "
                "the module another name"
            )
        model = getattr(code, function)(**settings.get("arguments", {}))
    except StratavoxError:
        raise
    except Exception as error:
        raise StratavoxError(
            f"factory: {settings['factory']} of {folder} failed: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(model, nn.Module):
        raise StratavoxError(
            f"factory: {settings['factory']} gave a {type(model).__name__}; it must give a "
            "torch.nn.Module"
        )
    return model


def _places(model: nn.Module, settings: dict) -> dict[str, tuple[nn.Module, str]]:
    """Readout -> the module it is read at, and on which side."""
    if "blocks" not in settings:
        return {"output": (model, "output")}
    path = settings["blocks"]
    inner = dict(model.named_modules()).get(path)
    if not isinstance(inner, (nn.ModuleList, nn.Sequential)) or not len(inner):
        lists = [
            name
            for name, part in model.named_modules()
            if isinstance(part, (nn.ModuleList, nn.Sequential))
        ]
        raise StratavoxError(
            f"blocks: found {path!r}, {'nothing' if inner is None else type(inner).__name__}; "
            f"allowed, lists of modules: {', '.join(filter(None, lists)) or 'there are none'}"
        )
    blocks = {f"block_{place:02d}": (block, "output") for place, block in enumerate(inner)}
    return {"input": (inner[0], "input"), **blocks}


def _of_side(layout: Layout, side: str) -> Layout:
    """A block's input is never in a tuple: it is the first argument."""
    return layout if side == "output" else Layout(layout.axes, prefix=layout.prefix)


def _probed(
    model: nn.Module, places: dict[str, tuple[nn.Module, str]], layout: Layout, grid: Grid
) -> dict[str, int]:
    """Widths of the readouts, if they have the tokens that ``layout`` and ``grid`` declare."""
    lengths = [grid.size + grid.hop * (steps - 1) for steps in STEPS]
    lengths = [length for length in lengths if length <= grid.context]
    lengths.append(grid.fed(grid.context))
    noise = torch.Generator().manual_seed(0)
    widths: dict[str, int] = {}
    for samples in dict.fromkeys(lengths):
        waves = 0.1 * torch.randn(CLIPS, samples, generator=noise)
        for name, shape in _shapes(model, places, layout, waves).items():
            width = shape[-1] if shape else 0
            wanted = _declared(layout, grid.tokens(samples), widths.setdefault(name, width))
            if shape != wanted:
                raise StratavoxError(
                    f"layout: {layout.axes}: {name} of {CLIPS} waves of {samples} samples: "
                    f"found {shape or 'no tensor'}; declared, by layout, prefix and grid: "
                    f"{wanted}. Correct what is declared"
                    f"{'' if shape else ' (in_tuple says whether a tuple is given)'}"
                )
    return widths


def _declared(layout: Layout, tokens: int, width: int) -> tuple[int, ...]:
    if layout.axes == "batch width":
        return CLIPS, width
    tokens += layout.prefix
    axes = (CLIPS, tokens) if layout.axes == "batch tokens width" else (tokens, CLIPS)
    return *axes, width


def _shapes(
    model: nn.Module,
    places: dict[str, tuple[nn.Module, str]],
    layout: Layout,
    waves: torch.Tensor,
) -> dict[str, tuple[int, ...]]:
    """Shape of what each place gives, before any of the layout is applied; () for no tensor."""
    seen: dict[str, tuple[int, ...]] = {}

    def take(name: str, value) -> None:
        seen[name] = tuple(value.shape) if isinstance(value, torch.Tensor) else ()

    def leaving(name: str):
        def hook(module, arguments, output) -> None:
            in_tuple = layout.in_tuple and isinstance(output, tuple)
            take(name, output[0] if in_tuple else None if layout.in_tuple else output)

        return hook

    def entering(name: str):
        return lambda module, arguments: take(name, arguments[0] if arguments else None)

    hooks = [
        part.register_forward_pre_hook(entering(name))
        if side == "input"
        else part.register_forward_hook(leaving(name))
        for name, (part, side) in places.items()
    ]
    try:
        with torch.inference_mode():
            model(waves)
    except Exception as error:
        raise StratavoxError(
            f"factory: the module failed on waves {tuple(waves.shape)}, which grid and context_s "
            f"allow: {type(error).__name__}: {error}"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    return {name: seen.get(name, ()) for name in places}
