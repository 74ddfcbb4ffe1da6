"""Tasks of other kinds that the columns allow: several labels for each clip, and numbers.

`init` writes them as comments: whether a column of 0 and 1 is a class, or a number worth decoding,
only the person knows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa

from stratavox.corpus.identity import good
from stratavox.corpus.label_sets import PRESENCE
from stratavox.corpus.window_keys import JSON
from stratavox.errors import StratavoxError
from stratavox.init import guess
from stratavox.init.columns import Column, number
from stratavox.init.look import counts, first

# What cells of a class of its own hold.
PRESENT = {"1.0", *(text for text, present in PRESENCE.items() if present)}
ABSENT = {"0.0", *(text for text, present in PRESENCE.items() if not present)}
# A number with fewer values is more likely a code.
FEWEST_VALUES = 10
# Words of measures that are not only about the file or a program.
MEASURED = {"latitude", "longitude", "freq", "frequency", "fmean", "fmin", "fmax", "hour"}
# What stands in a cell where nothing was heard.
NO_LABEL = {"nocall", "no_call", "no call", "no-call", "nothing", "negative"}
# Boxes that share time with one of another label, as a share of all, from which windows help.
OVERLAP = 0.05


@dataclass(frozen=True)
class Proposal:
    """A task's name and keys but its group; ``line`` says why, ``above`` keys of the dataset."""

    name: str
    keys: dict[str, str | list[str]]
    line: str
    above: str = ""


def proposals(
    columns: list[Column], sets: dict[str, str], scanned: pa.Table | None, target: Column
) -> list[Proposal]:
    """What the ``columns`` allow beside classes; ``sets`` are the separators of some of them.

    ``scanned`` is the scan, whose rows are those of ``target``, the chosen label.
    """
    found = [
        Proposal(
            f"{name}_each",
            {"kind": "multilabel", "target": name, "separator": sign} | _negative(columns, name),
            f"look: {name}: to probe its labels one by one, write kind: multilabel and separator",
        )
        for name, sign in sets.items()
    ]
    found += _lists(columns) + _one_hot(columns)
    found += _overlapping(scanned, target) if scanned is not None else []
    return found + _numbers(columns)


def instead(
    columns: list[Column], sets: dict[str, str], refused: StratavoxError
) -> tuple[list[guess.Task], str]:
    """What `guess.tasks` returns, where no column holds classes: a task of another kind.

    Raises ``refused`` where the columns allow none.
    """
    for proposal in proposals(columns, sets, None, columns[0]):
        if isinstance(target := proposal.keys["target"], str):
            column = next(one for one in columns if one.name == target)
            keys = {key: value for key, value in proposal.keys.items() if key != "target"}
            why = f"no column holds one class for each clip, and this allows kind: {keys['kind']}"
            return [guess.other_kind(column, keys, columns)], why
    raise refused


def in_windows(columns: list[Column]) -> tuple[list[guess.Task], str]:
    """What `guess.tasks` returns, where the last of ``columns`` has the labels of boxes.

    The group is the recording, in the column of the kind file.
    """
    recording = next(column for column in columns if column.kind == "file")
    group = guess.Group(recording, Counter(), False, None)
    why = "windows of one recording belong together; a coarser column is better, such as the site"
    return [guess.Task(columns[-1], group, why, [], {"kind": "multilabel"})], "the boxes' labels"


def _negative(columns: list[Column], name: str) -> dict[str, str]:
    """The key negative, where a cell of the column is a word for no label."""
    column = next(column for column in columns if column.name == name)
    words = [value for value in column.values if value.strip().casefold() in NO_LABEL]
    return {"negative": words[0]} if words else {}


def _lists(columns: list[Column]) -> list[Proposal]:
    named = [
        column.name
        for column in columns
        if column.values and all(v[:1] == "[" and v[-1:] == "]" for v in column.values)
    ]
    return [
        Proposal(
            f"{name}_each",
            {"kind": "multilabel", "target": name, "separator": JSON},
            f"look: {name}: its cells are lists of labels: kind: multilabel probes them one by one",
        )
        for name in named
    ]


def _one_hot(columns: list[Column]) -> list[Proposal]:
    named = []
    for column in columns:
        values = {value.strip().casefold() for value in column.values}
        if values & PRESENT and values & ABSENT and values <= PRESENT | ABSENT:
            named.append(column.name)
    if len(named) < 2:
        return []
    line = (
        f"look: {', '.join(first(named))} hold 0 and 1 alone (or no and yes): if each tells "
        "whether a class is present, they are one task of kind: multilabel"
    )
    return [Proposal("classes", {"kind": "multilabel", "target": named}, line)]


def _overlapping(scanned: pa.Table, target: Column) -> list[Proposal]:
    """Windows, where many boxes share time with a box of another label."""
    label = dict(enumerate(target.cells))
    boxes: dict[str, list[tuple[float, float, str]]] = {}
    places = {row: place for place, row in enumerate(scanned["row"].to_pylist())}
    for row in good(scanned).select(["row", "file", "start_s", "end_s"]).to_pylist():
        if row["start_s"] is not None:
            cell = label.get(places[row["row"]], "")
            boxes.setdefault(row["file"], []).append((row["start_s"], row["end_s"], cell))
    total = sum(map(len, boxes.values()))
    several = sum(len(_shared(sorted(own))) for own in boxes.values())
    if not total or several < OVERLAP * total:
        return []
    return [
        Proposal(
            f"{target.name}_in_windows",
            {"kind": "multilabel", "target": target.name},
            f"look: {several} of {total} boxes share time with a box of another label, so such a "
            "clip holds both. Windows with several labels are scored as soundscapes are (key "
            "windows, kind: multilabel); only recordings that were looked through have negatives",
            "windows: {length_s: 5}",
        )
    ]


def _shared(boxes: list[tuple[float, float, str]]) -> set[tuple[float, float, str]]:
    """Those of the sorted ``boxes`` of a recording that share time with one of another label."""
    found = set()
    active: list[tuple[float, float, str]] = []
    for box in boxes:
        active = [other for other in active if other[1] > box[0]]
        for other in active:
            if other[2] != box[2]:
                found |= {other, box}
        active.append(box)
    return found


def _numbers(columns: list[Column]) -> list[Proposal]:
    named = [column for column in columns if _is_number(column)]
    return [
        Proposal(
            column.name,
            {"kind": "regression", "target": column.name},
            f"look: {column.name} is a number ({counts(column.values)}): kind: regression asks "
            "how well it can be decoded, if it is no code",
        )
        for column in named
    ]


def _is_number(column: Column) -> bool:
    if column.aside or (column.kind is not None and column.last_word not in MEASURED):
        return False
    numbers = [number(value) for value in column.values]
    if len(numbers) < FEWEST_VALUES or any(n is None for n in numbers):
        return False
    # whole numbers that differ in each row count rows
    return any(n % 1 for n in numbers) or len(numbers) < sum(column.values.values())
