"""The figures of the report, one module each.

A module holds the literal `FACTS` (see `Facts`) and the function ``figure(data, *tables)``, which
returns a `stratavox.report.figure.Figure`; ``tables`` are those of its ``needs``. An optional
``alt(data)`` gives an alternative text with numbers. A new figure is a new file in this folder.

Facts are read from a module's source without running it, so that reading them loads no library.
"""

from __future__ import annotations

import ast
import importlib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType

from stratavox import words
from stratavox.errors import StratavoxError

# of the files of a figure: pictures, the interactive page, its data, its caption
FORMATS = ("svg", "pdf", "png", "html", "csv", "txt")
SCOPES = ("target", "nuisance", "dataset", "map", "regression", "multilabel")
# of a figure, or a place, that has no one metric
SCORE = "Score"
# Parts of the page, in its order; the figures of "answer" are on its first screen.
TOPICS = {
    "answer": "Answer",
    "curves": "Curves over depth",
    "atlas": "Acoustic atlas",
    "comparison": "Encoders and probes compared",
    "leakage": "Leakage and confounds",
    "geometry": "Geometry of the readouts",
    "maps": "Maps (UMAP): illustrations, no evidence",
}


@dataclass(frozen=True)
class Facts:
    """Facts about a figure that are known without drawing it.

    ``topic`` is one of `TOPICS`, ``order`` its place there; ``caption`` explains it, with the
    fields {task}, {dataset} and {encoder}; ``scopes`` are some of `SCOPES`: a target task, a
    nuisance task, a dataset, the UMAP of one encoder, or a target task of one kind alone; ``needs``
    are tables beside the answers; ``probes`` is the key below probes without which it would be
    empty; ``alt`` is the alternative text.
    """

    name: str
    order: int
    topic: str
    title: str
    caption: str
    scopes: tuple[str, ...]
    needs: tuple[str, ...] = ()
    probes: str = ""
    alt: str = "{title}, {heading}. All values are in the CSV tables."


@cache
def facts() -> dict[str, Facts]:
    """The facts of all figures by name, in the order of the page."""
    every = [_read(path) for path in Path(__file__).parent.glob("[!_]*.py")]
    topics = list(TOPICS)
    every.sort(key=lambda one: (topics.index(one.topic), one.order, one.name))
    return {entry.name: entry for entry in every}


def _read(path: Path) -> Facts:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FACTS":
            return Facts(path.stem, **ast.literal_eval(node.value))
    raise StratavoxError(f"{path}: has no FACTS; a figure needs a literal with order, title, ...")


def of(scope: str) -> list[str]:
    """The names of the figures of a scope, in the order of the page."""
    return [name for name, entry in facts().items() if scope in entry.scopes]


def module(name: str) -> ModuleType:
    """The module of a figure."""
    return importlib.import_module(f"{__name__}.{name}")


def build(name: str, data, tables: dict, places: dict[str, str]):
    """A figure as data, with its texts.

    ``tables`` holds at least those that it needs; ``places`` are the values of its caption's
    fields; the field metric is the metric of the task in words.
    """
    figure = module(name).figure(data, *(tables[need] for need in facts()[name].needs))
    title = f"{facts()[name].title}, {data.heading}"
    values = {"metric": words.sentence(getattr(data, "metric", SCORE))} | places
    texts = {"title": title, "caption": facts()[name].caption.format(**values)}
    return replace(figure, alt=alt(name, data.heading, data), **texts)


def alt(name: str, heading: str, data=None) -> str:
    """The alternative text of a figure: from its facts, or its own for ``data``."""
    if own := getattr(module(name), "alt", None):
        return own(data)
    return facts()[name].alt.format(title=facts()[name].title, heading=heading)
