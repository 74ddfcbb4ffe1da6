"""Labels that are independent of the sounds: the nulls that scores are compared with.

Permuted labels keep groups together. Shuffling clips freely would also remove the similarity of
clips within a group, and give a null that is too narrow (Winkler et al. 2015, NeuroImage
123:253-268, on exchangeability blocks). A control task keeps recordings together instead.
"""

from __future__ import annotations

import numpy as np


def permuted(
    target: np.ndarray, group: np.ndarray | None, generator: np.random.Generator
) -> np.ndarray:
    """``target`` (clips,) permuted once.

    Where every group has one label (an individual's identity by day), whole groups exchange their
    labels; otherwise labels move within their group only. Without groups clips move freely.
    """
    if group is None:
        return generator.permutation(target)
    members = [np.flatnonzero(group == name) for name in np.unique(group)]
    moved = target.copy()
    if all(len(set(target[rows])) == 1 for rows in members):
        labels = generator.permutation([target[rows[0]] for rows in members])
        for rows, label in zip(members, labels, strict=True):
            moved[rows] = label
    else:
        for rows in members:
            moved[rows] = generator.permutation(target[rows])
    return moved


def control_task(
    target: np.ndarray, recording: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """A label (clips,) for each recording, drawn with the frequencies of ``target`` (clips,).

    A probe that predicts such labels in new clips of the same recordings has learned recordings,
    not classes (Hewitt & Liang 2019, EMNLP, section 2). There must be two recordings or more: a
    draw of one class alone is drawn again.
    """
    names, row = np.unique(recording, return_inverse=True)
    while True:
        drawn = generator.choice(target, len(names))
        if len(set(drawn)) > 1:
            return drawn[row]
