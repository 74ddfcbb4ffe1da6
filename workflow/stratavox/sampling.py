"""Seeded samples of clips.

In `seeded_order` a clip's place depends only on the seed and its own id. So a new clip replaces at
most one other in a sample, and with one seed a smaller sample of a dataset is part of a larger one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np


def random_rows(clips: int, most: int, seed: int) -> np.ndarray:
    """Row numbers, ascending: all ``clips``, or ``most`` of them drawn without replacement."""
    if clips <= most:
        return np.arange(clips)
    return np.sort(np.random.default_rng(seed).choice(clips, most, replace=False))


def seeded_order(clip_ids: Iterable[str], seed: int) -> np.ndarray:
    """Row numbers (clips,) of ``clip_ids`` in the order of drawing."""
    keys = [hashlib.sha256(f"{seed} {clip_id}".encode()).digest() for clip_id in clip_ids]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def groups_first(target: np.ndarray, group: np.ndarray, order: np.ndarray) -> np.ndarray:
    """``order`` (clips,) with one clip of each group in each class before the second of any."""
    first, later, seen = [], [], set()
    for row in order.tolist():
        cell = target[row], group[row]
        (later if cell in seen else first).append(row)
        seen.add(cell)
    return np.array(first + later, dtype=np.int64)


def by_class(target: np.ndarray, order: np.ndarray, most: int, fewest: int) -> np.ndarray:
    """Row numbers, ascending, of at most ``most`` clips with each class in its proportion.

    Within a class of ``target`` (clips,) clips are taken in ``order`` (clips,), a permutation of
    the rows. Each class keeps ``fewest`` clips, or all if it has fewer; ``most`` must be at least
    the sum of these.
    """
    classes, y, size = np.unique(target, return_inverse=True, return_counts=True)
    place = np.empty(len(target), dtype=np.int64)
    for label in range(len(classes)):
        members = order[y[order] == label]
        place[members] = np.arange(len(members))
    share = np.where(place < fewest, 0, place / size[y])
    return np.sort(order[np.argsort(share[order], kind="stable")[:most]])
