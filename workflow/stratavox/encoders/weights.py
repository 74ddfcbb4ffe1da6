"""Weights of a model: random, a .safetensors file that fits exactly, or such a file permuted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from stratavox.encoders.weights_entry import source
from stratavox.errors import StratavoxError
from stratavox.tables import read_json

# Files older than torch 2.1 name the two parts of a weight-normalised tensor so.
OLD_WEIGHT_NORM = {
    "weight_g": "parametrizations.weight.original0",
    "weight_v": "parametrizations.weight.original1",
}

# Other kinds, such as quantised ones, would be taken for values that they are not.
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's random numbers inside the block, and restore their state afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def fill(
    model: nn.Module,
    settings: dict,
    prefixes: tuple[str, ...] = ("",),
    optional: frozenset[str] = frozenset(),
    heads: tuple[str, ...] = (),
    renames: tuple[tuple[str, str], ...] = (),
    bundled: Path | None = None,
) -> dict:
    """Load the weights that ``settings`` name; return their part of the provenance.

    With random ones nothing is loaded; for pretrained ones ``settings["receipt"]`` is the receipt
    of `hub`; ``bundled`` is the family's file in this repository. Permuted ones are those that
    ``settings["of"]`` names, then `permute`d.
    """
    kind, sha256 = settings["weights"], None
    if kind == "permuted":
        trained = settings | {"weights": source(settings)}
        about = fill(model, trained, prefixes, optional, heads, renames, bundled)
        permute(model, settings["seed"])
        return about | {"weights": kind, "of": about["weights"], "seed": settings["seed"]}
    if kind == "random":
        return {"weights": kind, "seed": settings["seed"], "weights_sha256": None}
    if kind == "bundled":
        where, path = bundled.name, bundled
    elif kind == "pretrained":
        receipt = received(settings["receipt"])
        where, path, sha256 = (receipt[key] for key in ("address", "path", "sha256"))
    else:
        kind, where, path = "file", kind, kind
    sha256 = load_exact(model, path, prefixes, optional, heads, renames, sha256)
    return {"weights": kind, "weights_from": where, "weights_sha256": sha256}


def permute(model: nn.Module, seed: int) -> None:
    """Put the values of each trained tensor of ``model`` in another order.

    Trained are parameters, and the running statistics of norms: kept, these would be of maps that
    the other weights no longer make. Parameters that need no gradient (tables of positions) and
    other buffers (windows, filter banks) stay. Raises `StratavoxError` where nothing is left.
    """
    trained = {name for name, own in model.named_parameters() if own.requires_grad}
    for path, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            trained |= {f"{path}.{name}" for name in ("running_mean", "running_var")}
    generator = np.random.default_rng(seed)
    several = 0
    for name, tensor in model.state_dict().items():
        if name.removeprefix(".") in trained:
            order = torch.from_numpy(generator.permutation(tensor.numel()))
            tensor.copy_(tensor.flatten()[order].view_as(tensor))
            several += tensor.numel() > 1
    if not several:
        raise StratavoxError(
            "weights: permuted: no parameter of the model has more than one value and a gradient "
            "(requires_grad), so there is nothing to permute"
        )


def load_exact(
    model: nn.Module,
    path: str | Path,
    prefixes: tuple[str, ...] = ("",),
    optional: frozenset[str] = frozenset(),
    heads: tuple[str, ...] = (),
    renames: tuple[tuple[str, str], ...] = (),
    sha256: str | None = None,
) -> str:
    """Fill ``model`` from a .safetensors file and return the file's sha256.

    All names in the file may have one of ``prefixes``. The file may lack the tensors in
    ``optional`` and those that share memory with another, and may have further ones whose names
    start with one of ``heads`` (classifiers and other parts of the training). ``renames`` replaces
    parts of the names of older files, one after another. Half precision becomes the model's
    precision. Raises `StratavoxError`, naming the file, for a file that cannot be read or has
    another sha256, and for a tensor that is missing, unexpected, of another shape, of numbers that
    are no floats where the model's are, or not finite.
    """
    path = Path(path)
    read, digest = _read(path)
    if sha256 not in (None, digest):
        raise StratavoxError(
            f"{path}: changed since it was fetched (sha256 {digest}, not {sha256}); delete it and "
            "run the workflow again"
        )
    fit(model, read, path, prefixes, optional, heads, renames)
    return digest


def fit(
    model: nn.Module,
    read: dict[str, torch.Tensor],
    path: Path,
    prefixes: tuple[str, ...] = ("",),
    optional: frozenset[str] = frozenset(),
    heads: tuple[str, ...] = (),
    renames: tuple[tuple[str, str], ...] = (),
) -> None:
    """Fill ``model`` with the tensors ``read`` from ``path``, as `load_exact` does."""
    own = model.state_dict()
    tensors = _named_as(own, read, prefixes, heads, renames, path)
    given = {own[name].data_ptr() for name in tensors if name in own}
    missing = [
        name
        for name in own
        if name not in tensors and name not in optional and own[name].data_ptr() not in given
    ]
    _refuse(path, "lacks", missing)
    _refuse(path, "holds tensors that the model does not have:", sorted(tensors.keys() - own))
    _refuse(
        path,
        "holds tensors of another shape than the model's:",
        [
            f"{name} {tuple(tensor.shape)}, not {tuple(own[name].shape)}"
            for name, tensor in tensors.items()
            if tensor.shape != own[name].shape
        ],
    )
    _refuse(
        path,
        "holds numbers of another kind than weights have (F16, BF16, F32 or F64):",
        [
            f"{name} {tensor.dtype}".replace("torch.", "")
            for name, tensor in tensors.items()
            if tensor.dtype not in (FLOATS if own[name].is_floating_point() else [own[name].dtype])
        ],
    )
    _refuse(
        path,
        "holds NaN or infinite values in",
        [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()],
    )
    model.load_state_dict(tensors, strict=False)
    loaded = model.state_dict()
    _refuse(
        path,
        "gives tensors that the model shares two values:",
        [
            name
            for name, tensor in tensors.items()
            if not torch.equal(loaded[name], tensor.to(loaded[name].dtype))
        ],
    )


def received(receipt: str | Path) -> dict:
    """The receipt that `hub` wrote of published weights: address, path and sha256."""
    fetched = read_json(receipt)
    if not Path(fetched["path"]).is_file():
        raise StratavoxError(
            f"{fetched['path']}: no such file any more, though it was fetched; delete {receipt} "
            "and run the workflow again where there is a network"
        )
    return fetched


def metadata(path: str | Path) -> dict[str, str]:
    """The metadata of a .safetensors file."""
    with safe_open(path, "pt") as file:
        return file.metadata() or {}


def _read(path: Path) -> tuple[dict[str, torch.Tensor], str]:
    """The tensors of a file, and its sha256."""
    try:
        with path.open("rb") as file:
            return load_file(path), hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise StratavoxError(f"{path}: no such file; give the path of the weights") from None
    except OSError as error:
        raise StratavoxError(
            f"{path}: cannot be read ({error.strerror}); give the path of a .safetensors file"
        ) from None
    except SafetensorError as error:
        raise StratavoxError(
            f"{path}: not a whole .safetensors file ({error}); fetch it again"
        ) from None


def _named_as(
    own: dict,
    read: dict,
    prefixes: tuple[str, ...],
    heads: tuple[str, ...],
    renames: tuple[tuple[str, str], ...],
    path: Path,
) -> dict[str, torch.Tensor]:
    """``read`` without prefix and heads, under the current names of torch and the model."""
    renamed = {}
    for name, tensor in read.items():
        for old, new in renames:
            name = name.replace(old, new)
        stem, _, last = name.rpartition(".")
        renamed[f"{stem}.{OLD_WEIGHT_NORM[last]}" if last in OLD_WEIGHT_NORM else name] = tensor
    matches = {prefix: sum(prefix + name in renamed for name in own) for prefix in prefixes}
    prefix = max(prefixes, key=matches.__getitem__)
    if not matches[prefix]:
        raise StratavoxError(
            f"{path}: none of its tensors is one of the model's: it has "
            f"{_some(sorted(read))}; wanted are {_some(list(own))}, with nothing or "
            f"{' or '.join(filter(None, prefixes)) or 'nothing'} before them. "
            "Is it another model's, or wrapped in another name?"
        )
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in renamed.items()
        if not name.startswith(heads) and not name.removeprefix(prefix).startswith(heads)
    }


def _refuse(path: Path, what: str, names: list[str]) -> None:
    if names:
        raise StratavoxError(
            f"{path}: {what} {_some(names)}; the file must be of exactly the model requested"
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
