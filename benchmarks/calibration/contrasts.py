"""Two scores of the same clips: equal ones, ones that differ by the margin, and random twins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from scipy.stats import norm

from benchmarks.calibration import studies, worlds
from benchmarks.calibration.simulation import Record, Row, Simulation, at_most, column, each
from stratavox.inference.answers import rows_of
from stratavox.inference.answers.contrasts import ATTENTION, LAST_OR_CHOSEN, TRAINED
from stratavox.inference.measures import Balanced
from stratavox.inference.study import Key, Study

CLIPS = 10  # of each of four classes in a group
DIFFERS = Row("two equal scores differ", at_most(0.05), column("differs"))
EQUAL = Row("two scores are equal within .02", at_most(0.05), column("equal"))
SEEDS = Row("two equally good probes differ", at_most(0.05), column("differs"))
TWINS = Row("trained differs from random twins", at_most(0.05), column("differs"))

# The difference that a group has by itself (groups,), whose expected value is ``mean``.
Differences = Callable[[np.random.Generator, int, float], np.ndarray]


def _alike(generator: np.random.Generator, groups: int, mean: float) -> np.ndarray:
    return np.full(groups, mean)


def _normal(generator: np.random.Generator, groups: int, mean: float) -> np.ndarray:
    return mean + 0.04 * generator.standard_normal(groups)


def _in_few(generator: np.random.Generator, groups: int, mean: float, share: float) -> np.ndarray:
    return np.where(generator.random(groups) < share, mean / share, 0.0)


WORLDS: dict[str, Differences] = {
    "all groups differ alike": _alike,
    "differences are normal, sd .04": _normal,
    "only a fifth of the groups differ": partial(_in_few, share=0.2),
    "only a tenth of the groups differ": partial(_in_few, share=0.1),
}


def simulations() -> Iterator[Simulation]:
    for groups in (6, 12, 20, 40):
        once = partial(pair, groups=groups, differences=_normal, mean=0.0)
        yield Simulation(
            f"groups' differences have sd .04, {groups} groups", (DIFFERS,), each(once)
        )
    for name, differences in WORLDS.items():
        for groups in (12, 20, 40):
            once = partial(pair, groups=groups, differences=differences, mean=0.02)
            setting = f"they differ by .02, {name}, {groups} groups"
            yield Simulation(setting, (EQUAL,), each(once))
    for draws in (3, 5):
        for groups in (12, 20, 40):
            setting = f"it is one more random draw beside {draws} twins, {groups} groups"
            once = partial(twins, groups=groups, draws=draws)
            yield Simulation(setting, (TWINS,), each(once))

    for seeds in (2, 3, 5):
        for groups in (6, 12, 20):
            setting = f"trained with {seeds} seeds of sd .04 in each of 4 folds, {groups} groups"
            yield Simulation(setting, (SEEDS,), each(partial(probes, groups=groups, seeds=seeds)))


def answer(study: Study, question: str) -> dict:
    """The row of the one contrast that asks this."""
    return next(row for row in rows_of(study, "contrasts") if row["question"] == question)


def pair(
    generator: np.random.Generator, groups: int, differences: Differences, mean: float
) -> Record:
    """The last block and the block chosen in training, near the ceiling.

    In a group that differs, the last block is wrong in clips that the chosen block has right, or
    the reverse.
    """
    apart = differences(generator, groups, mean)[:, None, None]
    rest = 0.02 * (np.abs(apart) > 0)  # of clips that only one of them has right, either one
    draw = generator.random((groups, 4, CLIPS))
    only_chosen = draw < np.clip(apart, 0, 1) + rest
    only_last = ~only_chosen & (draw > 1 - np.clip(-apart, 0, 1) - rest)
    both = generator.random(draw.shape) < 0.9
    counts = np.full((groups, 4), float(CLIPS))
    chosen = Balanced((only_chosen | (both & ~only_last)).sum(axis=2).astype(float), counts)
    last = Balanced((only_last | (both & ~only_chosen)).sum(axis=2).astype(float), counts)
    curve = studies.names(3)
    correct = {Key(studies.NAME, "nested"): chosen, Key(studies.NAME, curve[-1]): last}
    row = answer(studies.study([studies.encoder(curve)], correct), LAST_OR_CHOSEN)
    return {"differs": float(row["resolved"]), "equal": float(row["equivalent"])}


def probes(generator: np.random.Generator, groups: int, seeds: int) -> Record:
    """Attention and a linear probe on tokens, which by the mean over all seeds are equally good."""
    fold = np.arange(groups) % 4
    counts = np.full((groups, 4), float(CLIPS))
    ease = 0.7 + 0.1 * generator.standard_normal(groups)
    correct, parts = {}, {}
    for head in ("attention", "linear"):
        own = ease + 0.04 / np.sqrt(2) * generator.standard_normal(groups)
        chance = own + 0.04 * generator.standard_normal((seeds, 4))[:, fold]
        clips = np.clip(chance, 0, 1)[:, :, None, None]
        right = (generator.random((seeds, groups, 4, CLIPS)) < clips).sum(axis=3)
        key = Key(studies.NAME, studies.names(3)[-1], f"{head}:icassp2026")
        correct[key] = Balanced(right.mean(axis=0), counts)
        share = right.sum(axis=2) / counts.sum()
        parts[key] = np.stack([share[:, fold == k].sum(axis=1) for k in range(4)], axis=1)
    study = studies.study([studies.encoder(studies.names(3))], correct)
    study.seeded = parts
    return {"differs": float(answer(study, ATTENTION)["resolved"])}


def twins(generator: np.random.Generator, groups: int, draws: int) -> Record:
    """A "trained" encoder that is one more random draw; a draw's score has a sd of .03."""
    clips = worlds.even(generator, groups)
    scores = 0.6 + 0.03 * generator.standard_normal(1 + draws)
    latent = np.sqrt(0.2) * generator.standard_normal(groups)[clips.group][:, None]
    latent = latent + np.sqrt(0.05) * generator.standard_normal((groups, 1 + draws))[clips.group]
    latent += np.sqrt(0.5) * generator.standard_normal((len(clips.group), 1))
    latent += np.sqrt(0.25) * generator.standard_normal((len(clips.group), 1 + draws))
    total = clips.by_class((latent < norm.ppf(scores)).astype(float))
    counts = clips.by_class(np.ones(len(clips.group)))
    names = ["trained", *(f"twin {number}" for number in range(draws))]
    correct = {
        Key(name, "nested"): Balanced(total[:, :, place], counts)
        for place, name in enumerate(names)
    }
    curve = studies.names(3)
    encoders = [studies.encoder(curve, "trained"), studies.encoder(curve, "twins", names[1:])]
    study = studies.study(encoders, correct)
    study.pool_draws()
    return {"differs": float(answer(study, TRAINED)["resolved"])}
