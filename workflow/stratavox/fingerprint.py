"""What a stage's result depends on in the code: its modules, and the versions of what they import.

Snakemake does not notice a changed module behind a command, nor an upgraded dependency, but it
notices a changed parameter. So each rule has a key as a parameter.
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
DISTRIBUTIONS = {
    **{"PIL": "pillow", "sklearn": "scikit-learn", "umap": "umap-learn", "yaml": "pyyaml"},
}
# They transfer or store results and do not change them: an upgrade reruns nothing.
CARRIERS = {"httpx2", "huggingface_hub", "pyarrow"}
CARRYING_MODULES = {f"{PACKAGE}.{name}" for name in ("columns", "errors", "progress", "stage")}


@cache
def code(*roots: str) -> str:
    """SHA-256 over the modules that ``roots`` import, directly or not, inside this package.

    Left out, as they cannot change a result: comments, docstrings, blank lines, type hints, the
    messages of errors and of progress, and the modules' times.
    """
    digest = hashlib.sha256()
    for module in sorted(closure(roots)):
        digest.update(module.encode() + b"\0" + _substance(module).encode() + b"\0")
    return digest.hexdigest()


@cache
def versions(*roots: str) -> dict[str, str]:
    """Distribution name -> installed version of every third-party import of these modules."""
    installed = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for module in closure(roots):
        for name in _imports(module):
            top = name.split(".")[0]
            if top == PACKAGE or top in sys.stdlib_module_names or top in CARRIERS:
                continue
            distribution = DISTRIBUTIONS.get(top, top)
            installed[distribution] = _version(distribution)
    return dict(sorted(installed.items()))


def closure(roots: tuple[str, ...]) -> set[str]:
    """The modules of this package that importing ``roots`` runs.

    Imports inside functions count. A module loaded by name (importlib) does not: it must be one of
    ``roots``. Raises `StratavoxError` for a module that does not exist.
    """
    reached: set[str] = set()
    waiting = [*roots]
    while waiting:
        module = waiting.pop()
        if module in reached or module in CARRYING_MODULES:
            continue
        if _path(module) is None:
            raise StratavoxError(f"{module}: no such module in {ROOT}")
        reached.add(module)
        waiting += [name for name in _imports(module) if name.split(".")[0] == PACKAGE]
        package = module.rpartition(".")[0]
        waiting += [package] if package and _path(package) else []
    return reached


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
    """The module's code without the parts that cannot change a result."""
    return _Stripped().visit(ast.parse(_path(module).read_text(encoding="utf-8")))


@cache
def _imports(module: str) -> frozenset[str]:
    names = set()
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
            # `from package import module` imports a module too
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name for name in inside if name.split(".")[0] == PACKAGE and _path(name)}
    return frozenset(names)


@cache
def _substance(module: str) -> str:
    return ast.dump(_tree(module))


class _Stripped(ast.NodeTransformer):
    """Takes docstrings, type hints and messages out of a module's syntax tree."""

    def visit_Module(self, node):
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            node.body = node.body[1:]
        return self.generic_visit(node)

    visit_ClassDef = visit_Module

    def visit_FunctionDef(self, node):
        node.returns = None
        return self.visit_Module(node)

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_AnnAssign(self, node):
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_If(self, node):
        hints = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if hints else self.generic_visit(node)

    def visit_Raise(self, node):
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return node

    def visit_Call(self, node):
        if isinstance(node.func, ast.Name) and node.func.id in ("print", "Progress"):
            node.args = []
        return self.generic_visit(node)
