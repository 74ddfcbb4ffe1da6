"""The folds of a multilabel task: its classes, and folds with each class's share of the clips."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from stratavox.corpus.label_sets import matrix
from stratavox.errors import StratavoxError
from stratavox.probe import limits, splits

NONE = "(none)"


def targets(labels: pa.Table, settings: dict, where: str) -> dict[str, list]:
    """The classes of each clip (names, and joined as target), and whether they are known."""
    sets = matrix(labels, settings)
    names = [tuple(np.array(sets.classes)[row].tolist()) for row in sets.present]
    return {
        "target": ["|".join(own) for own in names],
        "names": names,
        "known": sets.known.tolist(),
    }


def chosen(
    clips: pd.DataFrame, settings: dict, where: str, dropped: str
) -> tuple[pd.DataFrame, list[str], list[dict]]:
    """All clips with the classes that can be tested, all labels, and the classes left out.

    ``present`` is whether a clip has each of these classes, sorted by name; ``stratum`` the rarest
    of them that it has. A class with fewer than ``min_clips`` clips or ``min_groups`` groups is
    left out, for transfer on either side, and so is one that all clips have: its clips are those
    of the other classes, or negatives. Raises `StratavoxError`, with what was ``dropped`` before,
    where no class is left.
    """
    each = clips.explode("names").dropna(subset="names")
    each["target"] = each["names"]
    counted = limits.in_classes(each) if len(each) else {}
    left_out = limits.left_out(each, settings) if len(each) else []
    few = {row["label"] for row in left_out}
    left_out += [
        {"label": label, **count, "why": "present in every clip"}
        for label, count in counted.items()
        if count["clips"] == len(clips) and label not in few
    ]
    classes = sorted(set(counted) - {row["label"] for row in left_out})
    if not classes:
        problem = f"{where}: none of {len(counted)} classes can be tested"
        raise limits.nothing_testable(problem, left_out, settings, dropped)
    present = [[name in own for name in classes] for own in clips["names"]]
    rarest = sorted(classes, key=lambda name: counted[name]["clips"])
    stratum = [next((name for name in rarest if name in own), NONE) for own in clips["names"]]
    kept = clips.assign(
        names=[tuple(name for name in classes if name in own) for own in clips["names"]],
        target=["|".join(name for name in classes if name in own) for own in clips["names"]],
        present=present,
        stratum=stratum,
    )
    return kept.reset_index(drop=True), list(counted), left_out


def of_both(clips: pd.DataFrame, test: np.ndarray) -> pd.DataFrame:
    """All ``clips``, with the classes learned outside ``test`` (clips,) bool and scored in it.

    Clips with and without such a class are on both sides; in training there are two of each, one
    for either side of an inner fold. No clip is left where there is no such class.
    """
    present = _present(clips).reshape(len(clips), -1)
    train, tested = present[~test], present[test]
    enough = (train.sum(axis=0) > 1) & ((~train).sum(axis=0) > 1)
    kept = enough & tested.any(axis=0) & ~tested.all(axis=0)
    names = [
        tuple(name for name, place in zip(own, np.flatnonzero(row), strict=True) if kept[place])
        for own, row in zip(clips["names"], present, strict=True)
    ]
    clips = clips.assign(
        names=names, target=["|".join(own) for own in names], present=present[:, kept].tolist()
    )
    return clips if kept.any() else clips[:0]


def summary(clips: pd.DataFrame) -> dict:
    """Clips and groups of each class; mean average precision of guessing; clips without a class."""
    each = clips.explode("names").dropna(subset="names")
    present = _present(clips)
    return {
        "classes": limits.in_classes(each.assign(target=each["names"])),
        "chance": float(np.mean([of_guessing(int(n), len(clips)) for n in present.sum(axis=0)])),
        "negatives": int((~present.any(axis=1)).sum()),
    }


def _present(clips: pd.DataFrame) -> np.ndarray:
    """Whether each of ``clips`` has each class (clips, classes)."""
    return np.array(clips["present"].tolist(), bool)


def of_guessing(present: int, clips: int) -> float:
    """The expected average precision of a random order of ``clips``, ``present`` with the class.

    It is the prevalence and a little more. At place i, taken by a clip of the class, the expected
    precision is (1 + (i - 1) (present - 1) / (clips - 1)) / i; each place is as likely.
    """
    first = (1 / np.arange(1, clips + 1)).mean()  # of the clip itself
    return float(first + (1 - first) * (present - 1) / (clips - 1))


def by_group(
    clips: pd.DataFrame, group: np.ndarray, count: int, fewest: int, seed: int
) -> np.ndarray:
    """Folds (clips,) as `of_groups` makes them."""
    return of_groups(_present(clips), group, count, fewest, seed)


def by_clip(clips: pd.DataFrame, count: int, seed: int) -> np.ndarray:
    """Folds (clips,) as `of_groups` makes them, each clip a group, and clips of one audio one."""
    present = _present(clips)
    units = clips["audio"].to_numpy() if "audio" in clips else np.arange(len(present))
    return of_groups(present, units, count, 1, seed)


def of_groups(
    present: np.ndarray, group: np.ndarray, count: int, fewest: int, seed: int
) -> np.ndarray:
    """The fold (clips,), 0 to ``count`` - 1, in which each clip is tested; no group is in two.

    Folds are `stratified` by the classes of ``present`` (clips, classes). In every training set
    each class is present and absent, and it holds at least ``fewest`` of the groups in ``group``
    (clips,). Raises `StratavoxError` where none of `splits.SHUFFLES` orders gives such folds.
    """
    names, unit = np.unique(group, return_inverse=True)
    sizes = np.bincount(unit)
    counts = np.zeros((len(names), present.shape[1]))
    np.add.at(counts, unit, present)
    for shuffle in range(splits.SHUFFLES if len(names) >= count else 0):
        fold = stratified(counts, sizes, count, np.random.default_rng(seed + shuffle))
        if _complete(counts, sizes, fold, count, fewest):
            return fold[unit].astype(np.int32)
    raise StratavoxError(
        f"no way was found to split {len(names)} groups into {count} folds so that every training "
        f"set has clips with and without each class, and at least inner_folds = {fewest} groups"
    )


def _complete(counts, sizes, fold, count: int, fewest: int) -> bool:
    """Whether no fold of groups is empty, and each training set has what `of_groups` says."""
    if len(set(fold)) < count:
        return False
    trained = np.array([counts[fold != k].sum(axis=0) for k in range(count)])
    clips = np.array([sizes[fold != k].sum() for k in range(count)])
    both = (trained > 0).all() and (trained < clips[:, None]).all()
    return bool(both) and all((fold != k).sum() >= fewest for k in range(count))


def stratified(
    counts: np.ndarray, sizes: np.ndarray, folds: int, generator: np.random.Generator
) -> np.ndarray:
    """The fold (groups,) of each group, by iterative stratification.

    Sechidis, Tsoumakas & Vlahavas 2011, ECML PKDD, LNCS 6913:145-158, algorithm 1: the class with
    the fewest clips that are left comes first, and each of its clips goes to the fold that lacks
    most of it, at a tie to the one that lacks most clips. Here whole groups are placed, those with
    most clips of the class first, by their clips of each class, ``counts`` (groups, classes), and
    of any, ``sizes`` (groups,). scikit-learn has no such folds, and the packages that have know no
    groups.
    """
    lacking = np.tile(counts.sum(axis=0) / folds, (folds, 1))
    room = np.full(folds, sizes.sum() / folds)
    fold = np.full(len(sizes), -1)
    order = generator.permutation(len(sizes))
    while (fold < 0).any():
        free = order[fold[order] < 0]
        left = counts[free].sum(axis=0)
        label = int(np.where(left > 0, left, np.inf).argmin()) if (left > 0).any() else None
        own = sizes[free] if label is None else counts[free, label]
        for unit in free[np.argsort(-own, kind="stable")]:
            if label is not None and not counts[unit, label]:
                break
            wanted = room if label is None else lacking[:, label]
            best = np.flatnonzero(wanted >= wanted.max() - 1e-9)
            best = best[room[best] >= room[best].max() - 1e-9]
            place = int(generator.choice(best))
            fold[unit] = place
            lacking[place] -= counts[unit]
            room[place] -= sizes[unit]
    return fold
