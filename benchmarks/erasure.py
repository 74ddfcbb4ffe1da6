"""How often erasure says that a score depends on a column: where it does not, and where it does.

Clips of groups in which every group gives every class (or uneven shares of them). The column is the
group or a random one; groups have no traits, traits apart from the directions of the label, or
traits along them. The probe, the erasure and the answer are the workflow's own. Prints the share
of runs, its standard error, and the same for the test against nothing erased alone (unadjusted).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stratavox.inference.answers import erasure as answer
from stratavox.inference.paired import SIGNIFICANT
from stratavox.inference.study import Encoder, Study
from stratavox.probe import erasure, logistic
from stratavox.probe.repeats import Repeat
from stratavox.probe.rotation import Rotation

CLASSES, EACH, WIDTH, FOLDS, C = 4, 16, 40, 4, 0.01
BLOCK, CONTROL, SHUFFLED = "block_00", "erased", "erased, shuffled"
CLAIM = "Part of the score depends on"


@dataclass(frozen=True)
class Setting:
    """A simulated study; ``true`` where the score depends on the column."""

    name: str
    column: str = "group"
    traits: str = "none"
    uneven: bool = False

    @property
    def true(self) -> bool:
        return self.traits == "along the label"


SETTINGS = (
    Setting("random column", column="random"),
    Setting("random column, uneven classes", column="random", uneven=True),
    Setting("groups differ apart from the label", traits="apart"),
    Setting("groups differ apart from the label, uneven classes", traits="apart", uneven=True),
    Setting("groups differ along the label", traits="along the label"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    print(f"{'setting':<52}{'groups':>7}{'claimed':>9}{'+-':>7}{'nothing erased alone':>22}")
    for setting in SETTINGS:
        for groups in (12, 20):
            rows = [simulated(setting, groups, seed) for seed in range(runs)]
            claimed, alone = np.mean(rows, axis=0)
            error = np.sqrt(claimed * (1 - claimed) / runs)
            print(f"{setting.name:<52}{groups:>7}{claimed:>9.3f}{error:>7.3f}{alone:>22.3f}")


def simulated(setting: Setting, groups: int, seed: int) -> tuple[bool, bool]:
    """Whether the claim is made, and whether the score is lower than with nothing erased."""
    generator = np.random.default_rng([seed, groups])
    group = np.repeat(np.arange(groups), EACH)
    call = np.tile(np.repeat(np.arange(CLASSES), EACH // CLASSES), groups)
    if setting.uneven:
        shares = generator.dirichlet(np.full(CLASSES, 2.0), groups)
        call = np.concatenate([generator.choice(CLASSES, EACH, p=share) for share in shares])
    x = generator.standard_normal((len(call), WIDTH))
    x[:, :CLASSES] += 1.6 * np.eye(CLASSES)[call]
    x *= generator.permutation(np.geomspace(3, 0.3, WIDTH))
    if setting.traits != "none":
        along = setting.traits == "along the label"
        columns = slice(0, CLASSES) if along else slice(CLASSES, CLASSES + 6)
        size = (1 if along else 2) * x[:, columns].std(axis=0)
        x[:, columns] += (size * generator.standard_normal((groups, len(size))))[group]
    cells = group if setting.column == "group" else generator.integers(0, 8, len(call))
    fold = generator.permutation(np.arange(groups) % FOLDS)[group]
    names = np.array([f"group {number:02d}" for number in group])
    clips = np.arange(len(fold))
    repeat = Repeat("grouped", 0, clips, fold, call.astype(str), names, None, None, None)
    predictions = pd.concat(_predictions(x.astype(np.float32), call, cells, repeat, seed))
    study = _study(len(call))
    study.add("toy", pd.concat([predictions, predictions.assign(readout="nested")]))
    chosen = [row for row in answer.rows(study) if row["readout"] == "nested"]
    nothing = next(row for row in chosen if row["against"] == answer.NOTHING)
    lower = nothing["p_value"] < SIGNIFICANT and nothing["difference"] < 0
    return CLAIM in nothing["sentence"], lower


def _predictions(x, call, cells, repeat: Repeat, seed: int) -> Iterator[pd.DataFrame]:
    """Out of fold, with nothing, the column and its shuffled values erased."""
    clip_ids = [f"{number:05d}" for number in range(len(x))]
    c = {(0, fold, BLOCK): C for fold in range(FOLDS)}
    concepts = {(CONTROL, SHUFFLED): cells.astype(str)}
    for table in erasure.of_repeat(BLOCK, x, concepts, repeat, clip_ids, c, seed):
        yield table.to_pandas()
    predicted = np.empty(len(x), dtype=np.int64)
    for fold in range(FOLDS):
        test = repeat.fold == fold
        rotation = Rotation.of(x, ~test)
        fit = logistic.fit(rotation.train, call[None, ~test], CLASSES, C)
        predicted[test] = fit.log_probabilities(rotation.apply(x[test]))[0].argmax(axis=0)
    named = {"readout": BLOCK, "probe": "linear", "control": "none"}
    whole = repeat.predictions(named, clip_ids, predicted.astype(str), np.zeros(len(x)))
    yield whole.to_pandas()


def _study(clips: int) -> Study:
    about = {"encoder": "toy", "weights": "file", "blocks": [BLOCK], "readouts": [BLOCK]}
    task = {"chance": 1 / CLASSES, "regimes": ["grouped"], "clips": clips}
    study = Study(task, [Encoder("toy", about, ["toy"])], {"margin": 0.02, "task": "call"})
    names = {"control": CONTROL, "shuffled": SHUFFLED}
    study.erased = [{"column": "group", "values": 8, "why": None, **names}]
    return study


if __name__ == "__main__":
    main()
