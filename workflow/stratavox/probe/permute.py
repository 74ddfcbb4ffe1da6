"""Labels that are independent of the sounds: the nulls that scores are compared with.

Permuted labels keep groups together. Shuffling clips freely would also remove the similarity of
clips within a group, and give a null that is too narrow (Winkler et al. 2015, NeuroImage
123:253-268, on exchangeability blocks). A control task keeps recordings together instead.

The folds must be to the permuted labels what the true ones are to the true labels: stratified.
Folds that are not hold more of a class for testing where they hold less of it for training, and a
probe that has learned nothing but these frequencies then scores below chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from stratavox.errors import StratavoxError
from stratavox.probe import splits
from stratavox.probe.once import once
from stratavox.probe.repeats import Repeat

# Labels move within groups only if that changes at least this share of what a free shuffle changes.
# Otherwise labels differ more between groups than within them, and the labels that stay where they
# are keep more than half of what the true labels score above chance (measured: docs/statistics.md).
LEAST_MOVED = 0.5
# How often a permutation is drawn again that lacks a class or has no folds.
REDRAWS = 20


@dataclass(frozen=True)
class Null:
    """Labels without information, and the fold in which each clip is tested: (draws, clips) both.

    Label sets are (draws, clips, classes). ``remade``: each draw has folds of its own; otherwise
    all have the true labels' folds.
    """

    target: np.ndarray
    fold: np.ndarray
    remade: bool


def of_repeat(
    target: np.ndarray,
    repeat: Repeat,
    regime: str,
    settings: dict,
    by_group: Callable[..., np.ndarray] | None = None,
) -> Null | None:
    """`permutations` in the first repeat of ``regime``; None in others, and where none are wanted.

    They depend only on the seed and the folds, so all readouts and encoders have the same.
    """
    if repeat.number or repeat.regime != regime or not settings["permutations"]:
        return None
    return permutations(target, repeat.apart, repeat.fold, settings, by_group)


@once
def permutations(
    target: np.ndarray,
    group: np.ndarray | None,
    fold: np.ndarray,
    settings: dict,
    by_group: Callable[..., np.ndarray] | None = None,
) -> Null:
    """Permutations of ``target``, with the folds of each.

    ``target`` (clips,) are labels or numbers, or (clips, classes) the label sets of clips.
    ``by_group`` makes folds, with the arguments of `splits.by_group`, which it is for labels.

    ``fold`` (clips,) are the true labels' folds, which keep each ``group`` (clips,; None where
    unknown) on one side. Permuted are, by what the design allows:

    * groups that have one label each, or nearly (`moved_within` below `LEAST_MOVED`): whole groups
      exchange their labels, and the folds are made anew by the function that made the true ones;
    * for transfer (clips of fold -1 only train) the same on each side by itself, in the true folds:
      the sides are fixed, and each keeps its labels;
    * other groups: clips within each group. A group keeps its labels, so the folds remain
      stratified;
    * no groups: clips within each of the true folds, which remain stratified as well. Given the
      folds, labels without information are exchangeable there.

    ``settings``: permutations, inner_folds, seed. Raises `StratavoxError` where one has no folds.
    """
    generator, draws = np.random.default_rng(settings["seed"]), range(settings["permutations"])
    if by_group is None:
        by_group = partial(splits.by_group, classes=set(target))
    whole_groups = group is not None and moved_within(target, group) < LEAST_MOVED
    if whole_groups and fold.min() < 0:
        drawn = np.stack([_exchanged_on_sides(target, group, fold < 0, generator) for _ in draws])
        return Null(drawn, np.broadcast_to(fold, drawn.shape[:2]), remade=False)
    if whole_groups:
        count = fold.max() + 1
        drawn = [_with_folds(target, group, count, generator, settings, by_group) for _ in draws]
        return Null(*map(np.stack, zip(*drawn, strict=True)), remade=True)
    unit = fold if group is None else group
    drawn = np.stack([within(target, unit, generator) for _ in draws])
    return Null(drawn, np.broadcast_to(fold, drawn.shape[:2]), remade=False)


def moved_within(target: np.ndarray, group: np.ndarray) -> float:
    """How many labels a shuffle within groups would change, as a share of those a free one would.

    With n_g clips in group g, of which a share q_gk has label k: the mean over clips of
    1 - sum_k q_gk^2, divided by the same for all clips together. 0 where every group has one label,
    1 where all have the same composition. (1 - it is Goodman & Kruskal's tau, 1954, JASA
    49:732-764, of the label given the group.) This is the share of the variance of the labels'
    indicators that is within groups, and so it is defined for numbers (1 - the correlation ratio)
    and for label sets, the other forms of ``target`` in `permutations`.
    """
    if target.ndim == 2 or target.dtype.kind == "f":
        values = target.reshape(len(target), -1).astype(float)
    else:
        values = (target[:, None] == np.unique(target)).astype(float)
    names, g = np.unique(group, return_inverse=True)
    sums, sizes = np.zeros((len(names), values.shape[1])), np.bincount(g)
    np.add.at(sums, g, values)
    inside = np.square(values - (sums / sizes[:, None])[g]).sum()
    return float(inside / np.square(values - values.mean(axis=0)).sum())


def within(target: np.ndarray, unit: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """``target`` (clips,) with labels shuffled among the clips of each ``unit`` (clips,)."""
    moved = target.copy()
    for name in np.unique(unit):
        rows = np.flatnonzero(unit == name)
        moved[rows] = generator.permutation(target[rows])
    return moved


def exchanged(target: np.ndarray, group: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """``target`` (clips,) after every group has taken over the labels of another, at random.

    Stray clips go with them: a group gets each label of the other in the same share, so that it is
    nearly pure where the other was.
    """
    members = [np.flatnonzero(group == name) for name in np.unique(group)]
    moved = target.copy()
    for rows, source in zip(members, generator.permutation(len(members)), strict=True):
        labels = generator.permutation(target[members[source]])
        moved[rows] = labels[np.arange(len(rows)) % len(labels)]
    return moved


def _exchanged_on_sides(target, group, trains, generator) -> np.ndarray:
    """Labels that groups exchange among those that train and among those that are tested."""
    moved = target.copy()
    for side in (trains, ~trains):
        moved[side] = exchanged(target[side], group[side], generator)
    return moved


def _with_folds(
    target, group, count, generator, settings, by_group
) -> tuple[np.ndarray, np.ndarray]:
    """Exchanged labels and their folds; drawn again where there are none.

    A class of stray clips alone may get no label.
    """
    for _ in range(REDRAWS):
        labels = exchanged(target, group, generator)
        seed = int(generator.integers(2**31))
        try:
            return labels, by_group(labels, group, count, settings["inner_folds"], seed)
        except StratavoxError:
            continue
    raise StratavoxError(
        f"permuted labels: groups exchanged their labels {REDRAWS} times, and never could "
        f"{len(set(group))} groups be split into {count} folds so that every training set holds "
        f"every class and at least inner_folds = {settings['inner_folds']} groups; raise "
        "min_groups of the task, or lower folds or inner_folds of the dataset's probes"
    )


@once
def control_tasks(
    target: np.ndarray, recording: np.ndarray | None, fold: np.ndarray, settings: dict
) -> Null | None:
    """Draws of `control_task`, each with a random split of its own, stratified by its labels.

    There are as many folds as ``fold`` (clips,) has. None where recordings are unknown or fewer
    than classes. ``settings``: control_tasks, seed.
    """
    if recording is None or len(set(recording)) < len(set(target)):
        return None
    generator, draws = np.random.default_rng(settings["seed"]), range(settings["control_tasks"])
    drawn = [control_task(target, recording, generator) for _ in draws]
    count = fold.max() + 1
    folds = [splits.by_clip(labels, count, settings["seed"]) for labels in drawn]
    return Null(np.stack(drawn), np.stack(folds), remade=True)


def control_task(
    target: np.ndarray, recording: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """A label (clips,) for each recording: each class once, the others by their frequencies.

    A probe that predicts such labels in new clips of the same recordings has learned recordings,
    not classes (Hewitt & Liang 2019, EMNLP, section 2). Every class occurs, so that chance is the
    same as for ``target`` (clips,). There must be as many recordings as classes or more.
    """
    names, row = np.unique(recording, return_inverse=True)
    classes = np.unique(target)
    drawn = generator.choice(target, len(names))
    drawn[generator.choice(len(names), len(classes), replace=False)] = classes
    return drawn[row]
