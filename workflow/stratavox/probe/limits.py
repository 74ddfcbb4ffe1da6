"""Which classes have enough clips and groups to be tested, and whether a task has enough groups."""

from __future__ import annotations

import pandas as pd

from stratavox.errors import StratavoxError
from stratavox.probe import linked, transfer
from stratavox.probe.regimes import columns_of


def in_classes(clips: pd.DataFrame) -> dict[str, dict]:
    """Clips and groups of each class, in alphabetical order; groups are None where unknown."""
    known = clips["group"].notna().all()
    return {
        label: {"clips": len(group), "groups": group.nunique() if known else None}
        for label, group in clips.groupby("target")["group"]
    }


def left_out(clips: pd.DataFrame, settings: dict) -> list[dict]:
    """The classes that cannot be tested, their clips and groups, and why.

    With ``settings["too_short"]`` (min_s, and by label the clips that it leaves out) also those
    that lost all their clips.
    """
    none = {"clips": 0, "groups": 0}
    parts = transfer.parts(clips, settings.get("transfer"))
    counts = {where: in_classes(part) for where, part in parts.items()}
    of_group = " and ".join(columns_of(settings["group"]))
    rows = []
    for label, count in in_classes(clips).items():
        why = []
        for where, of_part in counts.items():
            here = of_part.get(label, none)
            if here["clips"] < settings["min_clips"]:
                why.append(f"fewer than {settings['min_clips']} clips{where}")
            if of_group and here["groups"] < settings["min_groups"]:
                why.append(f"fewer than {settings['min_groups']} groups ({of_group}){where}")
        if why:
            rows.append({"label": label, **count, "why": " and ".join(why)})
    return _with_too_short(rows, in_classes(clips), settings)


def nothing_testable(
    problem: str, left_out: list[dict], settings: dict, dropped: str
) -> StratavoxError:
    """The error where too few classes are left: the ``problem``, and what else was ``dropped``."""
    why = "; ".join(f"{row['label']!r}: {row['why']}" for row in left_out) or "nothing"
    return StratavoxError(
        f"{problem} with min_clips: {settings['min_clips']} and min_groups: "
        f"{settings['min_groups']}. Left out: {why}{dropped}. Choose another target, lower the "
        "limits or remove the task."
    )


def _with_too_short(rows: list[dict], kept: dict[str, dict], settings: dict) -> list[dict]:
    """``rows`` where classes that are left out name the clips that min_s took."""
    if "too_short" not in settings:
        return rows
    lost = settings["too_short"]["clips"]
    shorter = f"shorter than annotations.min_s ({settings['too_short']['min_s']:g} s)"
    rows = [
        row | {"why": f"{row['why']} ({lost[row['label']]} others are {shorter})"}
        if row["label"] in lost
        else row
        for row in rows
    ]
    gone = [
        {
            "label": label,
            "clips": 0,
            "groups": None if settings["group"] is None else 0,
            "why": f"no clip is left: {count} are {shorter}; lower it to keep them",
        }
        for label, count in lost.items()
        if label not in kept
    ]
    return sorted(rows + gone, key=lambda row: row["label"])


def refuse_few_groups(clips: pd.DataFrame, settings: dict) -> None:
    """Raise where the groups are fewer than the folds, or, in training for transfer, inner folds.

    Several columns whose values are crossed link all clips. Folds in two directions at once would
    keep their values apart too, but leave no unit that an interval can be over.
    """
    where = f"datasets.{settings['dataset']}.tasks.{settings['task']}"
    columns = columns_of(settings["group"])
    if settings.get("transfer"):
        train = clips[clips["side"] == transfer.TRAIN]
        key, kind, need = "inner_folds", "inner folds", settings["inner_folds"]
        among = f"{len(train)} clips that can train"
    else:
        train = clips
        key, kind, need = "folds", "folds", settings["folds"]
        among = f"{len(train)} clips that can be tested"
    count = train["group"].nunique()
    if count >= need:
        return
    if len(columns) == 1:
        problem = f"column {columns[0]!r} has {count} among the {among}"
    else:
        problem = (
            f"the columns {' and '.join(map(repr, columns))} link the {among} into "
            f"{'one' if count == 1 else count} (the largest has {linked.largest(train['group'])} "
            "clips), as clips that share a value of either are kept together"
        )
    lower = f"set {key} to {count} or fewer in datasets.{settings['dataset']}.probes"
    advice = [lower] if count > 1 else []
    if settings.get("transfer"):
        advice.append("add values to transfer.train")
    if len(columns) > 1:
        advice.append(f"group by one of them, in a task for each ({', '.join(columns)})")
    advice = advice or ["name another column as group"]
    raise StratavoxError(
        f"{where}: {need} {kind} need at least as many groups, {problem}; {', or '.join(advice)}"
    )
