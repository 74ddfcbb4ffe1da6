"""Chooses the column of labels and the group, which must not be in both train and test.

Columns are ranked by their names; a group is taken only if enough classes could be tested with it.
Each choice has its reason and the alternatives.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from stratavox.config import default
from stratavox.errors import StratavoxError
from stratavox.init.columns import MAX_CLASSES, Column, number
from stratavox.init.look import counts

# Least clips and groups of a class.
MIN_CLIPS, MIN_GROUPS = (default("task", key) for key in ("min_clips", "min_groups"))
# With two groups, training has only one, and the penalty cannot be chosen by group.
FEWEST_GROUPS = 3
# Kinds that can be a group, in order of preference: those that leak most often first.
GROUP_KINDS = (*("individual", "group", "recordist", "session", "day", "file", "site", "device"),)
# A column of unknown kind with fewer values is more likely a trait (sex, breed).
FEWEST_UNNAMED = 5
# Sessions may be numbered from 1 for each animal; a larger number is a date.
NUMBERED = 10_000
# A preferred group must keep at least this share of the clips that another group keeps; classes in
# a single group are lost.
KEPT_SHARE = 0.8
ALTERNATIVES = 4


@dataclass(frozen=True)
class Group:
    """A column as group of a target, with the classes that could then be tested."""

    column: Column
    classes: Counter  # clips of each class that is kept
    nested: bool  # each of its values has one label only
    recurs: str | None  # the column of individuals that share its values

    @property
    def clips(self) -> int:
        return sum(self.classes.values())

    def describe(self) -> str:
        """Its values, its clips, and the classes that it keeps."""
        sizes = self.column.values.values()
        each = f"{min(sizes)} to {max(sizes)}" if len(set(sizes)) > 1 else f"{min(sizes)}"
        labels = "each with one label only" if self.nested else "many of them with several labels"
        messages = f"{len(sizes)} values, {each} clips each"
        if self.classes:
            messages += (
                f", {labels}; {len(self.classes)} classes with {self.clips} clips could be tested"
            )
        if self.recurs:
            messages += (
                f". Check: its values recur with several of {self.recurs}; if they are numbered "
                "anew for each, join both in one column"
            )
        return messages


@dataclass(frozen=True)
class Task:
    """A target with its group (None: unknown) and the reason; ``others`` could be the group too.

    ``keys`` are the keys of another kind than classification.
    """

    target: Column
    group: Group | None
    why: str
    others: list[Group]
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> Counter:
        return testable(self.target, None) if self.group is None else self.group.classes


def tasks(columns: list[Column]) -> tuple[list[Task], str]:
    """Every task that the columns allow, the best first, and the reason for that one.

    Raises `StratavoxError` with the reason against each column where there is none.
    """
    useful = [column for column in columns if column.useless is None]
    targets = sorted((c for c in useful if is_target(c)), key=_target_rank)
    if not targets:
        raise StratavoxError(
            "no column can be the label: a probe needs two values with "
            f"{MIN_CLIPS} clips each. The columns are:\n  "
            + "\n  ".join(f"{column.name}: {against(column)}" for column in columns)
            + "\nAdd a column with a label for each clip, or correct one of these"
        )
    kept: list[Column] = []
    for column in targets:
        if not any(column.splits_as(other) for other in kept):
            kept.append(column)
    first = kept[0]
    if first.kind == "label":
        why = "its name and its values are those of a label"
    elif first.kind == "machine":
        why = "look: a program's guess, as no column holds a person's label"
    elif first.kind == "individual":
        why = "no other column is named as a label: individuals are then the classes"
    else:
        why = "a guess by its values alone, as no column is named as a label: check it"
    return [task(column, useful) for column in kept], why


def is_target(column: Column) -> bool:
    """Whether at least two of its values have enough clips, and it has few enough values."""
    return len(column.values) <= MAX_CLASSES and len(testable(column, None)) >= 2


def against(column: Column) -> str:
    """Why a column cannot be a target."""
    if column.useless:
        return column.useless
    if len(column.values) > MAX_CLASSES:
        return f"{len(column.values)} values, more than {MAX_CLASSES}"
    return f"the most frequent values have {counts(column.values)} clips"


def task(target: Column, columns: list[Column]) -> Task:
    """The target with the preferred group among ``columns``."""
    groups = [group for column in columns if (group := _group(target, column, columns))]
    most = max((group.clips for group in groups), default=0)
    different: list[Group] = []
    for group in sorted(groups, key=lambda group: _rank(group, most)):
        if not any(group.column.splits_as(other.column) for other in different):
            different.append(group)
    named = [group for group in different if group.column.kind in GROUP_KINDS]
    refused = _passed_over(target, columns, named)
    if not named:
        return Task(target, None, refused or "no column is named as one", different[:ALTERNATIVES])
    first = named[0]
    why = f"the first column to hold out, by its name ({first.column.kind})"
    others = [group for group in different if group is not first]
    return Task(target, first, f"{why}; {refused}" if refused else why, others[:ALTERNATIVES])


def other_kind(target: Column, keys: dict[str, str], columns: list[Column]) -> Task:
    """A task of another kind, ``keys`` with it, and the preferred group among ``columns``."""
    column = held_out([one for one in columns if one is not target], FEWEST_GROUPS)
    if column is None:
        return Task(target, None, "no column is named as one", [], keys)
    why = f"the first column to hold out, by its name ({column.kind})"
    return Task(target, Group(column, Counter(), False, None), why, [], keys)


def held_out(columns: list[Column], least: int) -> Column | None:
    """The preferred group of a task without classes: a column with ``least`` values or more."""
    named = [
        column
        for column in columns
        if column.kind in GROUP_KINDS and column.useless is None and len(column.values) >= least
    ]
    return min(named, key=lambda one: (GROUP_KINDS.index(one.kind), one.rank), default=None)


def testable(target: Column, group: Column | None) -> Counter:
    """Clips of each class that has enough of them, in enough groups."""
    if group is None:
        return Counter({v: n for v, n in target.values.items() if n >= MIN_CLIPS})
    pairs = Counter(
        (label, name)
        for label, name in zip(target.cells, group.cells, strict=True)
        if label.strip() and name.strip()
    )
    clips, groups = Counter(), Counter()
    for (label, _), count in pairs.items():
        clips[label] += count
        groups[label] += 1
    return Counter({v: n for v, n in clips.items() if n >= MIN_CLIPS and groups[v] >= MIN_GROUPS})


def recordings(columns: list[Column], group: Group | None) -> list[Column]:
    """Columns that may name a clip's recording and are not coarser than the group."""
    return [
        column
        for column in columns
        if column.kind in ("session", "day", "file")
        and column.useless is None
        and not (group and group.column.is_nested_in(column))
    ]


def _group(target: Column, column: Column, columns: list[Column]) -> Group | None:
    least = FEWEST_GROUPS if column.kind else FEWEST_UNNAMED
    if len(column.values) < least or column.kind in ("label", "machine"):
        return None
    classes = testable(target, column)
    held = {
        name
        for label, name in zip(target.cells, column.cells, strict=True)
        if label in classes and name.strip()
    }
    if len(classes) < 2 or len(held) < FEWEST_GROUPS:
        return None
    animals = [c for c in columns if c.kind == "individual" and not c.splits_as(target)]
    counted = [number(value) for value in column.values]
    numbered = column.kind == "session" and all(n is not None and n < NUMBERED for n in counted)
    shared = numbered and animals and not column.is_nested_in(animals[0])
    recurs = animals[0].name if shared else None
    return Group(column, classes, column.is_nested_in(target), recurs)


def _rank(group: Group, most: int) -> tuple:
    """By kind; groups that lose many clips last; of one kind those with fewer values first."""
    costly = group.clips < KEPT_SHARE * most
    kinds = (*GROUP_KINDS, group.column.kind)
    return costly, kinds.index(group.column.kind), len(group.column.values), group.column.rank


def _target_rank(column: Column) -> tuple:
    kinds = ("label", "machine", "individual", None, *reversed(GROUP_KINDS[1:]), "measure")
    return kinds.index(column.kind), column.rank


def _passed_over(target: Column, columns: list[Column], named: list[Group]) -> str:
    """Why columns of individuals are not the group; empty if there is no such column."""
    messages = []
    for column in columns:
        if column is target or column.kind != "individual":
            continue
        if named and column.splits_as(named[0].column) or named and column is named[0].column:
            continue
        if column.splits_as(target):
            messages.append(f"{column.name} is the label itself under another name")
        else:
            classes, all_of = testable(target, column), testable(target, None)
            messages.append(
                f"holding out {column.name} would leave {len(classes)} of {len(all_of)} classes: "
                f"each other one occurs in fewer than {MIN_GROUPS} of its values"
                if len(classes) < len(all_of)
                else f"{column.name} has only {len(column.values)} values"
            )
    return "; ".join(messages)
