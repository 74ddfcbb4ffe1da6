"""Folds that keep groups on one side of every split, for labels as they are or permuted."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from stratavox.errors import StratavoxError

# How many shuffles of the groups are tried to find one where every training set has every class.
SHUFFLES = 100


def by_group(
    target: np.ndarray,
    group: np.ndarray,
    count: int,
    fewest: int,
    seed: int,
    classes: set | None = None,
) -> np.ndarray:
    """The fold (clips,), 0 to ``count`` - 1, in which each clip is tested; no group is in two.

    Folds are stratified by ``target`` (clips,). Every training set holds every one of ``classes``,
    by default those of ``target``, and at least ``fewest`` of the groups in ``group`` (clips,).
    Raises `StratavoxError` where none of `SHUFFLES` orders of the groups gives such folds; ``seed``
    and the numbers after it make them.
    """
    classes = set(target) if classes is None else classes
    lacking: Counter[str] = Counter(str(label) for label in classes - set(target))
    for fold in shuffled(target, group, count, seed) if not lacking else ():
        trained = [set(target[fold != k]) for k in range(count)]
        groups_left = min(len(set(group[fold != k])) for k in range(count))
        if all(classes == seen for seen in trained) and groups_left >= fewest:
            return fold
        lacking.update(str(label) for seen in trained for label in classes - seen)
    never = ", ".join(repr(label) for label, _ in lacking.most_common(3))
    raise StratavoxError(
        f"no way was found to split {len(set(group))} groups into {count} folds so that every "
        "training set holds every class"
        + (f" (often missing: {never})" if never else "")
        + f" and at least inner_folds = {fewest} groups"
    )


def shuffled(stratum: np.ndarray, group: np.ndarray, count: int, seed: int) -> Iterator[np.ndarray]:
    """Folds (clips,) of whole groups, stratified by ``stratum`` (clips,), for `SHUFFLES` orders.

    None of the ``count`` folds is empty; nothing where groups are fewer.
    """
    # scikit-learn refuses fewer groups than folds
    for shuffle in range(SHUFFLES if len(set(group)) >= count else 0):
        split = StratifiedGroupKFold(count, shuffle=True, random_state=seed + shuffle)
        fold = _numbered(split, stratum, group)
        if len(set(fold)) == count:
            yield fold


def by_clip(target: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The fold (clips,), 0 to ``count`` - 1, in which each clip is tested; stratified."""
    split = StratifiedKFold(count, shuffle=True, random_state=seed)
    return _numbered(split, target)


def _numbered(split, target: np.ndarray, group: np.ndarray | None = None) -> np.ndarray:
    fold = np.full(len(target), -1, dtype=np.int32)
    with warnings.catch_warnings():
        # a class of few clips: `by_group` looks at what each training set has
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for number, (_, test) in enumerate(split.split(target, target, group)):
            fold[test] = number
    return fold
