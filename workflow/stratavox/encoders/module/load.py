"""A torch module of the user's, built by their function, with the layout that they declare.

Readouts: ``input``, what enters the first block, and ``block_NN``, the blocks' outputs; or, without
``blocks``, ``output``, what the module returns. It takes waves (batch, samples) at ``rate``. Before
any clip is read, the declared layout is compared with its output for noise of several lengths.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from stratavox.encoders.encoder import Encoder, Grid
from stratavox.encoders.module import context_samples
from stratavox.encoders.taps import Layout, Tap, torch_encoder
from stratavox.encoders.weights import fill, seeded
from stratavox.errors import StratavoxError

# Clips in a batch of noise: another number than of tokens, so that the axes differ in length.
CLIPS = 3
# Steps of time of the noise; the numbers of tokens are compared with the grid.
STEPS = (1, 2, 3, 8)


def load(settings: dict, threads: int = 1) -> Encoder:
    """The module of ``settings``.

    Raises `StratavoxError`, the key first, if it cannot be built, its weights do not fit exactly,
    or its layout is not the declared one.
    """
    torch.set_num_threads(threads)
    with seeded(settings.get("seed", 0)):
        model = _built(settings)
    source = fill(model, settings)
    model.eval()
    grid = Grid(**settings["grid"], context=context_samples(settings))
    return torch_encoder(
        model,
        model,
        _measured(model, _taps(model, settings), grid),
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
    """What the factory returns."""
    name, _, function = settings["factory"].rpartition(".")
    folder = Path(settings["path"]).resolve()
    # at the end, so that the user's files shadow no other module
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


def _taps(model: nn.Module, settings: dict) -> list[Tap]:
    """The taps of the readouts, with width 0, as it is not known yet."""
    layout = Layout(settings["layout"], settings.get("in_tuple", False), settings.get("prefix", 0))
    if "blocks" not in settings:
        return [Tap("output", model, 0, layout=layout)]
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
    # a block's input is its first argument, never a tuple
    entering = Tap("input", inner[0], 0, "input", replace(layout, in_tuple=False))
    leaving = (Tap(f"block_{n:02d}", block, 0, layout=layout) for n, block in enumerate(inner))
    return [entering, *leaving]


def _measured(model: nn.Module, taps: list[Tap], grid: Grid) -> list[Tap]:
    """``taps`` with their widths, if they have the tokens that layout and grid declare."""
    lengths = [grid.size + grid.hop * (steps - 1) for steps in STEPS]
    lengths = [length for length in lengths if length <= grid.context]
    lengths.append(grid.fed(grid.context))
    noise = torch.Generator().manual_seed(0)
    widths: dict[str, int] = {}
    for samples in dict.fromkeys(lengths):
        waves = 0.1 * torch.randn(CLIPS, samples, generator=noise)
        shapes = _shapes(model, taps, waves)
        for tap in taps:
            shape = shapes.get(tap.readout, ())
            width = widths.setdefault(tap.readout, shape[-1] if shape else 0)
            wanted = _declared(tap.layout, grid.tokens(samples), width)
            if shape != wanted:
                raise StratavoxError(
                    f"layout: {tap.layout.axes}: {tap.readout} of {CLIPS} waves of {samples} "
                    f"samples: found {shape or 'no tensor'}; declared, by layout, prefix and grid: "
                    f"{wanted}. Correct what is declared"
                    f"{'' if shape else ' (in_tuple says whether a tuple is given)'}"
                )
    return [replace(tap, width=widths[tap.readout]) for tap in taps]


def _declared(layout: Layout, tokens: int, width: int) -> tuple[int, ...]:
    if layout.axes == "batch width":
        return CLIPS, width
    tokens += layout.prefix
    axes = (CLIPS, tokens) if layout.axes == "batch tokens width" else (tokens, CLIPS)
    return *axes, width


def _shapes(model: nn.Module, taps: list[Tap], waves: torch.Tensor) -> dict[str, tuple[int, ...]]:
    """Shape of what each tap reads, before its layout is applied; () for no tensor."""
    shapes: dict[str, tuple[int, ...]] = {}

    def watch(tap: Tap, value) -> None:
        if tap.layout.in_tuple:
            value = value[0] if isinstance(value, tuple) else None
        shapes[tap.readout] = tuple(value.shape) if isinstance(value, torch.Tensor) else ()

    def hooked(tap: Tap) -> torch.utils.hooks.RemovableHandle:
        if tap.side == "output":
            return tap.module.register_forward_hook(lambda module, given, out: watch(tap, out))
        return tap.module.register_forward_pre_hook(
            lambda module, given: watch(tap, given[0] if given else None)
        )

    hooks = [hooked(tap) for tap in taps]
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
    return shapes
