"""What a stage's result depends on in the code: its modules, and the versions of what they import.

Snakemake does not see a changed module behind a command, nor an upgraded dependency; it does see
a changed parameter. So each rule carries a key made of these.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from stratavox.errors import StratavoxError

PACKAGE = "stratavox"
ROOT = Path(__file__).resolve().parent
DISTRIBUTIONS = {"sklearn": "scikit-learn", "umap": "umap-learn", "yaml": "pyyaml"}
# They carry results from place to place and do not shape them: an upgrade reruns nothing.
PLUMBING = {"httpx2", "huggingface_hub", "pyarrow"}


@cache
def code(*roots: str) -> str:
    """SHA-256 over the modules that ``roots`` import, directly or not, inside this package.

    Comments, docstrings, blank lines and the modules' times do not count.
    """
    digest = hashlib.sha256()
    for module in sorted(closure(roots)):
        digest.update(module.encode() + b"\0" + _substance(module).encode() + b"\0")
    return digest.hexdigest()


@cache
def versions(*roots: str) -> dict[str, str]:
    """Distribution name -> installed version of every third-party import of these modules."""
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for module in closure(roots):
        for name in _imports(module):
            top = name.split(".")[0]
            if top == PACKAGE or top in sys.stdlib_module_names or top in PLUMBING:
                continue
            distribution = DISTRIBUTIONS.get(top, top)
            found[distribution] = _version(distribution)
    return dict(sorted(found.items()))


def closure(roots: tuple[str, ...]) -> set[str]:
    """The modules of this package that importing ``roots`` runs."""
    seen: set[str] = set()
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        if module in seen or _path(module) is None:
            continue
        seen.add(module)
        waiting += [name for name in _imports(module) if name.split(".")[0] == PACKAGE]
        waiting += [module.rpartition(".")[0]] if "." in module else []
    return seen


@cache
def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        raise StratavoxError(
            f"{distribution} is not installed in {sys.prefix}; install envs/requirements.lock"
        ) from None


def _path(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_path(module).read_text(encoding="utf-8"))


@cache
def _imports(module: str) -> frozenset[str]:
    names = set()
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
            # `from package import module` imports a module too
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


@cache
def _substance(module: str) -> str:
    tree = _tree(module)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree)
