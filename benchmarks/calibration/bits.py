"""Does a block add to the acoustic descriptors, or they to it, where both hold the same?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd

from benchmarks.calibration import studies
from benchmarks.calibration.crossvalidated import FOLDS, SETTINGS, clips_of, folds_of
from benchmarks.calibration.simulation import Record, Row, Simulation, at_most, column, each
from stratavox.corpus.targets import TARGETS
from stratavox.inference.answers import rows_of
from stratavox.inference.answers.contrasts import ADDED_TO, ADDS
from stratavox.inference.paired import SIGNIFICANT
from stratavox.inference.study import Study
from stratavox.probe import conditional, nested_cv

GROUPS, EACH, CLASSES, WIDTH = 12, 15, 3, 48
BLOCK = "block_00"
# Descriptors in Hz, which are taken by their logarithm.
HERTZ = [name for name, target in TARGETS.items() if target.transform == "log"]
N = len(HERTZ)

# Descriptors (clips, N) as logarithms -> values in the table, block (clips, WIDTH), class (clips,).
Made = tuple[np.ndarray, np.ndarray, np.ndarray]


def copy(generator: np.random.Generator, logs: np.ndarray) -> Made:
    """The block is a noisy linear function of the logarithms; the table is in Hz."""
    block = logs @ generator.standard_normal((N, WIDTH))
    block += 0.5 * generator.standard_normal(block.shape)
    return np.exp(0.9 * logs), block, _classes(generator, logs)


def voicing(generator: np.random.Generator, logs: np.ndarray) -> Made:
    """The block and the label are voicing; the table has no F0 of unvoiced clips."""
    voiced = generator.random(len(logs)) < 0.5
    table = np.exp(0.9 * logs)
    table[~voiced, HERTZ.index("f0")] = np.nan
    block = voiced[:, None] * generator.standard_normal((1, WIDTH))
    block = block + 0.7 * generator.standard_normal((len(logs), WIDTH))
    return table, block, np.where(generator.random(len(logs)) < 0.15, ~voiced, voiced).astype(int)


def inside(generator: np.random.Generator, logs: np.ndarray) -> Made:
    """The logarithms are an exact linear function of the block, beside stronger directions."""
    other = 3 * generator.standard_normal((len(logs), WIDTH - N))
    axes, _ = np.linalg.qr(generator.standard_normal((WIDTH, WIDTH)))
    return np.exp(0.9 * logs), np.hstack([logs, other]) @ axes, _classes(generator, logs)


def _classes(generator: np.random.Generator, logs: np.ndarray) -> np.ndarray:
    """Classes that depend on three descriptors."""
    slopes = 1.5 * generator.standard_normal((3, CLASSES))
    noise = generator.gumbel(size=(len(logs), CLASSES))
    return (logs[:, :3] @ slopes + noise).argmax(axis=1)


def simulations() -> Iterator[Simulation]:
    adds = Row("block adds to acoustic descriptors", at_most(0.025), column("adds"))
    added = Row("acoustic descriptors add to block", at_most(0.025), column("added"))
    for setting, make, row in (
        ("block = noisy copy of log descriptors, table in Hz", copy, adds),
        ("block = voicing, F0 undefined in unvoiced clips", voicing, adds),
        ("descriptors an exact linear function of the block", inside, added),
    ):
        yield Simulation(setting, (row,), each(partial(claims, make=make)))


def claims(generator: np.random.Generator, make: Callable[..., Made]) -> Record:
    number = np.repeat(np.arange(GROUPS), EACH)
    logs = 0.6 * generator.standard_normal((GROUPS, N))[number]
    logs += generator.standard_normal(logs.shape)
    values, block, y = make(generator, logs)
    described = pd.DataFrame(values, columns=HERTZ)
    clips = clips_of(y, number)
    table = folds_of(generator, clips)
    if table is None:
        return {"adds": np.nan, "added": np.nan}
    fold, group = table["fold"].to_numpy(), clips["group"].to_numpy(str)
    names = ["acoustics", BLOCK, f"{BLOCK}+acoustics", f"acoustics+{BLOCK}"]
    classes, y = np.unique(clips["target"].to_numpy(str), return_inverse=True)
    predicted = {name: np.empty(len(y), dtype=int) for name in names}
    log_p = {name: np.empty(len(y)) for name in names}
    block = block.astype(np.float32)
    for k in range(FOLDS):
        test = fold == k
        shared = y, group, test, SETTINGS
        alone, _ = nested_cv.outer_fold(block, *shared)
        both = zip(*conditional.on_both(described, block, *shared), strict=True)
        answers = [
            conditional.on_descriptors(described, *shared),
            (alone.predicted, alone.log_probability),
            *both,
        ]
        for name, (labels, logs_of_label) in zip(names, answers, strict=True):
            predicted[name][test], log_p[name][test] = labels, logs_of_label
    curve = ["input", BLOCK]
    task = {"regimes": ["grouped"], "chance": 1 / len(classes), "clips": len(y)}
    study = Study(task, [studies.encoder(curve)], studies.SETTINGS)
    study.scores = pd.DataFrame(columns=[*studies.SCORES, "chosen"])
    for name in names:
        place = {"readout": name, "probe": "linear", "control": "none", "regime": "grouped"}
        own = {"predicted": classes[predicted[name]], "log_probability": log_p[name]}
        study.add(studies.NAME, clips.assign(**place, **own, repeat=0))
    answered = {row["question"]: row for row in rows_of(study, "contrasts")}
    return {"adds": _adds(answered[ADDS]), "added": _adds(answered[ADDED_TO])}


def _adds(row: dict) -> float:
    """Whether more than 0 bits are added at 5 %; NaN where the groups are too few."""
    if row["p_value"] is None:
        return np.nan
    return float(row["p_value"] < SIGNIFICANT and row["difference"] > 0)
