"""A world drawn many times, and the rows of the table that are measured on its draws."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from zlib import crc32

import numpy as np

# What one run yields, by name, and the same for all runs; NaN where nothing was claimed.
Record = dict[str, float]
Records = dict[str, np.ndarray]


@dataclass(frozen=True)
class Bound:
    """What a measured value must keep.

    ``kept`` decides from the value and its standard error; ``word`` is what a row that keeps it is
    called.
    """

    nominal: str
    kept: Callable[[float, float], bool]
    word: str = "ok"


def at_most(rate: float) -> Bound:
    """An error rate: at most the nominal one and two standard errors."""
    return Bound(f"<= {rate:g}", lambda value, error: value <= rate + 2 * error)


def at_least(share: float) -> Bound:
    """The share of runs in which what is planted must be claimed."""
    return Bound(f">= {share:g}", lambda value, error: value >= share - 2 * error)


COVERAGE = Bound("0.95", lambda value, error: value >= 0.93)
# Of cross-validated scores: the report says that the interval takes the fitted probes as they are.
GIVEN_FITS = Bound("0.95", lambda value, error: True, "given these fits")
# A difference that should be 0, and may be 2 points.
NO_DIFFERENCE = Bound("0", lambda value, error: abs(value) <= max(0.02, 2 * error))
POWER = Bound("", lambda value, error: True, "power")


@dataclass(frozen=True)
class Row:
    """A row of the table: ``of`` gives the outcome of each run, NaN where nothing was claimed."""

    claim: str
    bound: Bound
    of: Callable[[Records], np.ndarray]


@dataclass(frozen=True)
class Simulation:
    """A setting, and what ``draw`` yields for each generator; ``times`` multiplies the runs."""

    setting: str
    rows: tuple[Row, ...]
    draw: Callable[[list[np.random.Generator]], Iterable[Record]]
    times: int = 1

    def records(self, numbers: Iterable[int]) -> list[Record]:
        """The runs of these numbers: the same for the same numbers, whatever else is run."""
        seed = crc32(self.setting.encode())
        return list(self.draw([np.random.default_rng([seed, number]) for number in numbers]))


def each(once: Callable[[np.random.Generator], Record]) -> Callable:
    """The ``draw`` of a simulation whose runs have nothing in common."""
    return lambda generators: map(once, generators)


def column(name: str) -> Callable[[Records], np.ndarray]:
    return lambda records: records[name]


@dataclass(frozen=True)
class Measured:
    """Value and standard error over ``runs``, those of ``all_runs`` with a claim."""

    row: Row
    value: float
    error: float
    runs: int
    all_runs: int

    @classmethod
    def of(cls, row: Row, records: list[Record]) -> Measured:
        together = {name: np.array([record[name] for record in records]) for name in records[0]}
        outcomes = np.asarray(row.of(together), dtype=float)
        known = outcomes[np.isfinite(outcomes)]
        if not len(known):
            return cls(row, np.nan, np.nan, 0, len(records))
        # of shares this is the binomial standard error
        return cls(row, known.mean(), known.std() / np.sqrt(len(known)), len(known), len(records))

    @property
    def ok(self) -> bool:
        return not self.runs or self.row.bound.kept(self.value, self.error)

    @property
    def verdict(self) -> str:
        if not self.runs:
            return "range over groups"
        return self.row.bound.word if self.ok else "NOT OK"
