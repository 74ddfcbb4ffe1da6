"""Do statements on depth hold: what the task does, what the acoustic targets do, the verdict?

A statement is false where the expected curves do not do what it says. For "level" that means a
trend of the margin or more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from benchmarks.calibration import studies, worlds
from benchmarks.calibration.simulation import (
    POWER,
    Record,
    Row,
    Simulation,
    at_least,
    at_most,
    column,
    each,
)
from stratavox.corpus.targets import NUISANCE, TARGETS
from stratavox.inference.answers import rows_of
from stratavox.inference.answers.trends import FALLS, LEVEL, RISES
from stratavox.inference.groups import RANGE
from stratavox.inference.measures import thirds
from stratavox.inference.study import Study
from stratavox.inference.verdicts import REFUTED, SUPPORTED, of_task, over_run

ACOUSTIC = [name for name in TARGETS if name not in NUISANCE][:8]
CHANCE = 0.25
DEPTH = np.linspace(0, 1, worlds.DEPTHS)
Design = Callable[[np.random.Generator], worlds.Clips]
DESIGNS: dict[str, Design] = {
    "6 uneven groups": partial(worlds.uneven, groups=6),
    "6 even groups": partial(worlds.even, groups=6),
    "12 uneven groups": partial(worlds.uneven, groups=12),
    "20 uneven groups": partial(worlds.uneven, groups=20),
}
MORE_DESIGNS: dict[str, Design] = {
    "12 even groups": partial(worlds.even, groups=12),
    "20 even groups": partial(worlds.even, groups=20),
}
# Where a curve is high, from 0 to 1.
FLAT = np.zeros(worlds.DEPTHS)


def _bump(centre: float, width: float) -> np.ndarray:
    height = np.exp(-0.5 * ((DEPTH - centre) / width) ** 2)
    return (height - height.min()) / np.ptp(height)


EARLY, LATE, MIDDLE = _bump(0.25, 0.25), _bump(0.85, 0.3), _bump(0.5, 0.25)
FALLING, RISING, AT_ONCE = 1 - DEPTH, DEPTH, (1 - np.exp(-9 * DEPTH)) / (1 - np.exp(-9))
# Trend of a straight line that rises by 1.
STRAIGHT = float(thirds(worlds.DEPTHS) @ RISING)


@dataclass(frozen=True)
class World:
    """Expected scores (depths,), and variance explained of each acoustic target (targets, depths).

    ``acoustics`` may draw the targets anew in each run; ``mean`` (depths,) is then their expected
    curve.
    """

    task: np.ndarray
    acoustics: Callable[[np.random.Generator], np.ndarray]
    mean: np.ndarray

    @classmethod
    def fixed(cls, task: np.ndarray, *acoustics: np.ndarray) -> World:
        """All targets alike, or of the given curves in turn."""
        curves = np.stack([acoustics[number % len(acoustics)] for number in range(len(ACOUSTIC))])
        return cls(task, lambda generator: curves, curves.mean(axis=0))

    def drawn(self, generator: np.random.Generator, design: Design) -> tuple[Study, dict]:
        """A study, and the expected curve (depths,) of each of its acoustic targets."""
        clips = design(generator)
        easy = worlds.ease(generator, clips)
        task = worlds.right(generator, clips, self.task, easy)
        shares = dict(zip(ACOUSTIC, self.acoustics(generator), strict=True))
        acoustics = {
            name: worlds.explained(generator, clips, share, easy) for name, share in shares.items()
        }
        return studies.of_curves(task, acoustics), shares


def random_slopes(generator: np.random.Generator) -> np.ndarray:
    """Targets whose trends are as often up as down."""
    slopes = 0.15 * generator.standard_normal(len(ACOUSTIC))
    return np.clip(0.4 + slopes[:, None] * (DEPTH - 0.5) / STRAIGHT, 0.05, 0.9)


def random_peaks(generator: np.random.Generator) -> np.ndarray:
    """Targets that peak around the middle, before it as often as after."""
    peaks = 0.5 + 0.2 * generator.standard_normal(len(ACOUSTIC))
    return 0.2 + 0.3 * np.exp(-0.5 * ((DEPTH - peaks[:, None]) / 0.25) ** 2)


def planted(trend: float) -> World:
    """The task rises and all acoustic targets fall by ``trend`` in a straight line."""
    step = trend * (DEPTH - 0.5) / STRAIGHT
    return World.fixed(0.5 + step, 0.4 - step)


WORLDS = {
    "task at chance, acoustics early": World.fixed(CHANCE + FLAT, 0.2 + 0.3 * EARLY),
    "task flat at .60, acoustics early": World.fixed(0.6 + FLAT, 0.2 + 0.3 * EARLY),
    "task and acoustics early, task .25-.55": World.fixed(CHANCE + 0.3 * EARLY, 0.2 + 0.3 * EARLY),
    "task and acoustics late, task .25-.55": World.fixed(CHANCE + 0.3 * LATE, 0.2 + 0.3 * LATE),
    "task rises .25-.55, acoustics flat": World.fixed(CHANCE + 0.3 * LATE, 0.4 + FLAT),
    "task rises .25-.55, acoustics of any trend": World(
        CHANCE + 0.3 * LATE, random_slopes, 0.4 + FLAT
    ),
    "task peaks in the middle, acoustics around it": World(
        0.4 + 0.2 * MIDDLE, random_peaks, 0.4 + FLAT
    ),
    "task rises by the margin .02, acoustics early": World.fixed(
        0.6 + 0.02 * (DEPTH - 0.5) / STRAIGHT, 0.2 + 0.3 * EARLY
    ),
    "task at .97 from block 1 on, acoustics mixed": World.fixed(
        0.77 + 0.2 * AT_ONCE, 0.4 + 0.2 * FALLING, 0.4 + 0.2 * RISING
    ),
}


def simulations() -> Iterator[Simulation]:
    rows = (
        Row("verdict early/late is false", at_most(0.05), column("verdict")),
        Row("task rises, falls or level is false", at_most(0.05), column("task")),
        Row("acoustics rise, fall or level is false", at_most(0.05), column("acoustics")),
        Row("any descriptor rises, falls, level is false", at_most(0.05), column("targets")),
    )
    for name, world in WORLDS.items():
        for groups, design in DESIGNS.items():
            once = partial(statements, world=world, design=design)
            yield Simulation(f"{name}, {groups}", rows, each(once))


def power() -> Iterator[Simulation]:
    for trend in (0.05, 0.1, 0.2):
        for groups, design in (DESIGNS | MORE_DESIGNS).items():
            bound = at_least(0.8) if trend == 0.2 and "20" in groups else POWER
            once = partial(claims, world=planted(trend), design=design)
            rows = (
                Row("task rises", bound, column("rises")),
                Row("early/late is supported", bound, column("supported")),
            )
            name = f"task rises and acoustics fall by {trend:g}, {groups}"
            yield Simulation(name, rows, each(once))


def judged(study: Study) -> dict:
    """The verdict and its parts, for the one encoder of a study."""
    trends = pd.DataFrame(rows_of(study, "trends"))
    onsets = pd.DataFrame(columns=["encoder", "measure", "readouts"])
    (row,) = of_task(trends, onsets)
    return over_run([{"task": studies.TASK} | row])[0]


def statements(generator: np.random.Generator, world: World, design: Design) -> Record:
    """Which statements of one run are false; NaN where the groups are too few."""
    study, shares = world.drawn(generator, design)
    if study.groups.kind == RANGE:
        return dict.fromkeys(("verdict", "task", "acoustics", "targets"), np.nan)
    row, weights = judged(study), thirds(worlds.DEPTHS)
    decodable = world.task.max() > CHANCE
    task, acoustics = weights @ world.task, weights @ world.mean
    undone = false_directions(task) if decodable else {RISES, FALLS, LEVEL}
    right = set()
    if decodable and task > 0 > acoustics:
        right = {SUPPORTED}
    elif decodable and (task < 0 or LEVEL not in false_directions(task) or acoustics > 0):
        right = {REFUTED}
    false = [
        answer["direction"] in false_directions(weights @ shares[answer["target"]])
        for answer in rows_of(study, "trends")
        if answer["target"] in shares
    ]
    return {
        "verdict": float(row["verdict"] in {SUPPORTED, REFUTED} - right),
        "task": float(row["task_direction"] in undone),
        "acoustics": float(row["acoustics_direction"] in false_directions(acoustics)),
        "targets": float(any(false)),
    }


def false_directions(trend: float) -> set[str]:
    trend = round(trend, 9)
    false = {RISES: trend <= 0, FALLS: trend >= 0, LEVEL: abs(trend) >= studies.MARGIN}
    return {direction for direction, is_false in false.items() if is_false}


def claims(generator: np.random.Generator, world: World, design: Design) -> Record:
    row = judged(world.drawn(generator, design)[0])
    return {
        "rises": float(row["task_direction"] == RISES),
        "supported": float(row["verdict"] == SUPPORTED),
    }
