"""Praat's TextGrids in their long and short text forms: intervals of one tier, and those beside.

Both forms are one grammar (Praat's manual, "TextGrid file formats"): a reader takes the quoted
texts, the separate numbers and the flags in angle brackets, in their order, and ignores everything
else.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from stratavox.corpus import text_table
from stratavox.corpus.annotations.box import Box
from stratavox.errors import StratavoxError

PATTERN = "**/*.TextGrid"
# a text (its quotes doubled), a comment, or anything else between white space
TOKEN = re.compile(r'"((?:[^"]|"")*)"|!.*|\S+')
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Tier:
    """``intervals`` are start, end and text, as the file has them; None for a tier of points."""

    name: str
    intervals: list[tuple[str, str, str]] | None


def boxes(path: Path, data: bytes, settings: dict) -> list[Box]:
    """One box for each interval with text of the tier; ``row`` counts intervals from 1.

    ``settings`` holds label and, where a file has several interval tiers, tier. Raises
    `StratavoxError` for a file that is no complete TextGrid, and where the tier is missing or two
    have its name. Each other interval tier is a column: the text that shares most time with the
    box, such as the caller's name.
    """
    present = tiers(path, data, settings.get("text", {}).get("encoding"))
    tier = _chosen(path, present, settings.get("tier"))
    others = {
        other.name: [(float(start), float(end), text) for start, end, text in other.intervals]
        for other in present
        if other.intervals is not None and other.name not in ("", tier.name, settings["label"])
    }
    return [
        Box(number, start, end, {settings["label"]: text.strip()} | _beside(others, start, end))
        for number, (start, end, text) in enumerate(tier.intervals, start=1)
        if text.strip()
    ]


def _beside(
    tiers: dict[str, list[tuple[float, float, str]]], start: str, end: str
) -> dict[str, str]:
    """For each of ``tiers`` the text that shares most time with a box; "" where none does."""
    texts = {}
    for name, intervals in tiers.items():
        shared = 0.0
        texts[name] = ""
        first = max(0, bisect_right(intervals, (float(start), math.inf, "")) - 1)
        for begin, until, text in islice(intervals, first, None):
            if begin >= float(end):
                break
            time = min(until, float(end)) - max(begin, float(start))
            if text.strip() and time > shared:
                shared, texts[name] = time, text.strip()
    return texts


def _chosen(path: Path, present: list[Tier], name: str | None) -> Tier:
    of_intervals = [tier for tier in present if tier.intervals is not None]
    matches = [tier for tier in of_intervals if name in (None, tier.name)]
    if len(matches) == 1:
        return matches[0]
    needed = "one interval tier is needed" if name is None else f"one interval tier {name!r}"
    names = ", ".join(repr(tier.name) for tier in of_intervals) or "none"
    raise StratavoxError(
        f"{path}: {needed}, found {len(matches)}; its interval tiers: {names}; "
        "name one of them in the config's key 'annotations.tier'"
    )


def tiers(path: Path, data: bytes, encoding: str | None = None) -> list[Tier]:
    """All tiers of a file, in ``encoding`` where it is neither UTF-8 nor UTF-16.

    Raises `StratavoxError` where it is no complete TextGrid.
    """
    tokens = _tokens(text_table.decode(path, data, encoding))

    def take(wanted: str) -> str:
        kind, value = next(tokens, ("the end of the file", ""))
        if kind != wanted:
            raise StratavoxError(
                f"{path}: not a whole TextGrid in one of Praat's text forms: expected a {wanted}, "
                f"found {kind} {value!r}; save it from Praat again as a text file"
            )
        return value

    def size() -> int:
        number = float(take("number"))
        if math.isinf(number):
            raise StratavoxError(
                f"{path}: a TextGrid with a count without end; save it from Praat again"
            )
        return int(number)

    def skip_span() -> None:
        for _ in ("xmin", "xmax"):
            take("number")

    if not take("text").startswith("ooTextFile") or take("text") != "TextGrid":
        raise StratavoxError(
            f"{path}: a file of Praat's, but no TextGrid; correct 'annotations.files'"
        )
    skip_span()
    if take("flag") != "<exists>":
        return []
    present = []
    for _ in range(size()):
        kind, name = take("text"), take("text")
        skip_span()
        if kind == "IntervalTier":
            intervals = [(take("number"), take("number"), take("text")) for _ in range(size())]
        else:
            intervals = None
            for _ in range(size()):
                take("number")
                take("text")
        present.append(Tier(name, intervals))
    return present


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for match in TOKEN.finditer(text):
        word = match[0]
        if match[1] is not None:
            yield "text", match[1].replace('""', '"')
        elif word.startswith("<") and word.endswith(">"):
            yield "flag", word
        elif NUMBER.fullmatch(word):
            yield "number", word
