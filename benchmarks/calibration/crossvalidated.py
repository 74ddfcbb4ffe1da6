"""Folds, probes and inference together, on made readouts of groups that each have a signature.

An interval takes the fitted probes as they are: it is for the score of these probes in new groups
("this run's"). The score expected of probes trained anew varies more (Bengio & Grandvalet 2004, J.
Machine Learning Research 5:1089-1105; Bates, Hastie & Tibshirani 2024, J. Am. Stat. Assoc.
119:1434-1445). Even this run's is held less often than nominal: a group is tested in one fold and
trains the probes of the others, so scores of groups are not independent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.calibration.simulation import (
    GIVEN_FITS,
    Record,
    Records,
    Row,
    Simulation,
    each,
)
from stratavox.errors import StratavoxError
from stratavox.inference.groups import RANGE, Groups, interval, share_bounds
from stratavox.inference.measures import Balanced
from stratavox.probe import folds, logistic, nested_cv
from stratavox.probe.readouts import strictest

WIDTH, CLASSES, FOLDS = 16, 4, 4
SETTINGS = {"inner_folds": 3, "c_grid": [1e-4, 1e-3, 1e-2, 0.1, 1.0], "seed": 0}
SPLIT = {"dataset": "made", "task": "task", "group": "group", "recording": []}
SPLIT |= {"folds": FOLDS, "inner_folds": SETTINGS["inner_folds"], "repeats": 1}


@dataclass(frozen=True)
class World:
    """Readouts whose class means have the sd ``signal``, in groups with signatures of ``own``.

    ``own_by_class`` is the sd of a group's own offset of each class. ``make_up`` of the groups:
    each has all classes (crossed), unlike shares of them (uneven), shares that depend on its
    signature (imbalanced) or one class (nested).
    """

    make_up: str
    signal: float
    own: float
    own_by_class: float = 0.0
    least: int = 16
    most: int = 16
    classes: int = CLASSES

    def drawn(
        self, generator: np.random.Generator, groups: int, means: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Readouts (clips, width), classes (clips,) and groups (clips,) of new groups."""
        sizes = generator.integers(self.least, self.most + 1, groups)
        group = np.repeat(np.arange(groups), sizes)
        signature = self.own * generator.standard_normal((groups, WIDTH))
        labels = [
            self._labels(generator, number, sizes[number], signature[number])
            for number in range(groups)
        ]
        y = np.concatenate(labels)
        by_class = self.own_by_class * generator.standard_normal((groups, self.classes, WIDTH))
        x = signature[group] + by_class[group, y] + self.signal * means[y]
        x += generator.standard_normal(x.shape)
        return x.astype(np.float32), y, group

    def _labels(
        self, generator: np.random.Generator, group: int, size: int, signature: np.ndarray
    ) -> np.ndarray:
        if self.make_up == "crossed":
            return np.arange(size) % self.classes
        if self.make_up == "nested":
            return np.full(size, group % self.classes)
        if self.make_up == "uneven":
            share = generator.dirichlet(np.full(self.classes, 0.7))
        else:
            share = np.exp(1.2 * signature[: self.classes] / self.own)
        return generator.choice(self.classes, size, p=share / share.sum())


@cache
def class_means(classes: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((classes, WIDTH))


@cache
def elsewhere(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Readouts and classes in 4,000 new groups, in which the true score is measured."""
    crossed = World("crossed", world.signal, world.own, world.own_by_class, 4, 4)
    x, y, _ = crossed.drawn(np.random.default_rng(1), 4000, class_means(world.classes))
    return x, y


def simulations() -> Iterator[Simulation]:
    rows = (
        Row("interval holds this run's score, given fits", GIVEN_FITS, of_this_run),
        Row("interval holds the expected score", GIVEN_FITS, of_any_run),
    )
    for make_up, sizes in (("crossed", {}), ("uneven", {"least": 5, "most": 60})):
        world = World(make_up, signal=0.5, own=1.0, own_by_class=0.7, **sizes)
        for groups in (12, 20, 40):
            setting = f"cross-validated, {make_up} make-up, {groups} groups"
            once = partial(coverage, world=world, groups=groups)
            yield Simulation(setting, rows, each(once), 2)


def clips_of(y: np.ndarray, group: np.ndarray) -> pd.DataFrame:
    """Clips as folds take them, of numbered classes and groups."""
    return pd.DataFrame(
        {
            "clip_id": [f"{number:05d}" for number in range(len(y))],
            "target": [f"class {label}" for label in y],
            "group": [f"group {number:03d}" for number in group],
            "recording": None,
        },
        dtype=object,
    )


def folds_of(generator: np.random.Generator, clips: pd.DataFrame) -> pa.Table | None:
    """The table of grouped folds; None where every training set cannot have every class."""
    settings = SPLIT | {"seed": int(generator.integers(1_000_000))}
    try:
        table, _, _ = folds.assign(clips, settings)
    except StratavoxError:
        return None
    return strictest(table)


def coverage(generator: np.random.Generator, world: World, groups: int) -> Record:
    """Bounds of the score, and what the score of each fold's probe is in new groups."""
    nothing = dict.fromkeys(("low", "high", "true"), np.nan)
    x, y, number = world.drawn(generator, groups, class_means(world.classes))
    clips = clips_of(y, number)
    table = folds_of(generator, clips)
    if table is None:
        return nothing
    fold, group = table["fold"].to_numpy(), clips["group"].to_numpy(str)
    target = clips["target"].to_numpy(str)
    right, true = np.zeros((2, len(y)))
    new_x, new_y = elsewhere(world)
    for k in range(FOLDS):
        test = fold == k
        outer, rotation = nested_cv.outer_fold(x, y, group, test, SETTINGS)
        right[test] = outer.predicted == y[test]
        fit = logistic.fit(rotation.train, y[~test][None], world.classes, outer.c)
        hit = fit.log_probabilities(rotation.apply(new_x))[0].argmax(axis=0) == new_y
        of_class = np.array([hit[new_y == label].mean() for label in range(world.classes)])
        true[test] = of_class[y[test]]
    measure = Balanced.of(right, target, group)
    estimate = interval(measure, Groups.of(measure.clips), share_bounds)
    if estimate.kind == RANGE:
        return nothing
    return {
        "low": estimate.low,
        "high": estimate.high,
        "true": Balanced.of(true, target, group).value,
    }


def of_this_run(records: Records) -> np.ndarray:
    return _held(records, records["true"])


def of_any_run(records: Records) -> np.ndarray:
    return _held(records, np.nanmean(records["true"]))


def _held(records: Records, truth) -> np.ndarray:
    within = (records["low"] <= truth) & (truth <= records["high"])
    return np.where(np.isnan(records["low"]), np.nan, within)
