"""The bounds of a clip in its recording, from cells in one of several units to seconds.

One place decides this for tables, for annotation tables and for `init`. This runs whenever the
Snakefile is parsed, so it imports little; recordings are opened only for counts of samples.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stratavox.corpus import time_names
from stratavox.corpus.time_names import CLOCK, FRAMES, FREQUENCY, SAMPLES
from stratavox.corpus.user_table import UserTable
from stratavox.errors import StratavoxError

FACTORS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0}
NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "min": "minutes", "h": "hours"}
KEYS = ("start", "end", "duration")
# 1:02:03.5, 02:03,5 (minutes and seconds), 0 days 00:00:03
TIME = re.compile(r"(?:(\d+) days?,? )?(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")


# Share of the clips that must lie in their recordings.
FIT_SHARE = 0.95
# Times in tables are rounded to hundredths of a second.
SLACK_S = 0.01
# Clips of the same length as their files, by this share, are the files.
CUT_SHARE = 0.1
# In a unit that nothing states, the middle clip is not shorter than this. Decimals are more likely
# seconds.
SHORTEST_S, SHORTEST_DECIMAL_S = 0.001, 0.005


@dataclass(frozen=True)
class Bounds:
    """Columns with a clip's start and its ``last`` (its end, or its duration), and their units."""

    start: str
    last: str
    is_duration: bool
    units: tuple[str, str]

    def seconds(self, start: str, last: str, rate: Callable[[], int]) -> tuple[float, float]:
        """Start and end in whole microseconds; ``rate`` returns the recording's rate in Hz.

        Raises ValueError with the reason where the cells hold none.
        """
        first, end = self.unordered(start, last, rate)
        if first < 0:
            raise ValueError(f"start {start} is negative")
        if first >= end and self.is_duration:
            raise ValueError(f"duration {last} is not above 0")
        if first >= end:
            raise ValueError(f"start {start} is not before end {last}")
        return first, end

    def unordered(self, start: str, last: str, rate: Callable[[], int]) -> tuple[float, float]:
        """As `seconds`, where the end may also be before the start."""
        first = to_seconds("start", start, self.units[0], rate)
        if self.is_duration:
            end = first + to_seconds("duration", last, self.units[1], rate)
        else:
            end = to_seconds("end", last, self.units[1], rate)
        return round(first, 6), round(end, 6)


def of_settings(settings: dict, table: UserTable, prefix: str = "") -> Bounds:
    """The columns that ``settings`` name by start, end or duration, and their units.

    ``prefix`` stands before the keys in messages. Raises `StratavoxError` for a column that
    ``table`` lacks, and for one whose name says that it holds no time, or another unit.
    """
    named = [key for key in KEYS if key in settings]
    units = settings.get("units", {})
    if isinstance(units, str):
        units = dict.fromkeys(named, units)
    for key in named:
        table.column(settings[key], prefix + key)
        _refuse_name(table.path, settings[key], prefix, key, units.get(key))
    start, last = named
    return Bounds(
        *(settings[key] for key in named),
        is_duration=last == "duration",
        units=(units.get(start, "s"), units.get(last, "s")),
    )


def _refuse_name(path: Path, column: str, prefix: str, key: str, stated: str | None) -> None:
    unit = time_names.meaning(column).unit
    where = f"{path}: column {column!r} (config key {prefix + key!r})"
    if unit == FREQUENCY:
        raise StratavoxError(
            f"{where} is a frequency by its name; a bound of a clip is a time: name another "
            "column, or leave the bounds out, so that each file is a clip"
        )
    if stated or unit in (None, "s"):
        return
    if unit == FRAMES:
        raise StratavoxError(
            f"{where} counts frames by its name; if these are samples of the sound, write "
            f"{prefix}units: {SAMPLES}; otherwise add columns with seconds"
        )
    raise StratavoxError(
        f"{where} has the unit {unit} by its name, but the config does not say so: write "
        f"{prefix}units: {unit}, or {prefix}units: s if its cells are seconds"
    )


def to_seconds(what: str, text: str, unit: str, rate: Callable[[], int] | None = None) -> float:
    """The time that a cell holds; raises ValueError with the reason where it holds none."""
    if unit == CLOCK:
        return _of_clock(what, text)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        hint = f"; for clock times write units: {CLOCK}" if TIME.fullmatch(text.strip()) else ""
        called = NAMES.get(unit, unit)
        raise ValueError(f"{what} {text!r} is not a number of {called}{hint}")
    return value / rate() if unit == SAMPLES else value * FACTORS[unit]


def is_clock(text: str) -> bool:
    """Whether a cell is a time such as 00:01:02.5."""
    return TIME.fullmatch(text.strip()) is not None


def _of_clock(what: str, text: str) -> float:
    match = TIME.fullmatch(text.strip())
    days, hours, minutes, seconds = match.groups(default="0") if match else ("0",) * 4
    seconds = float(seconds.replace(",", "."))
    if match is None or seconds >= 60 or (match[2] and int(minutes) >= 60):
        raise ValueError(f"{what} {text!r} is not a time as {CLOCK}, with or without hours")
    return (24 * int(days) + int(hours)) * 3600 + int(minutes) * 60 + seconds


@dataclass(frozen=True)
class Span:
    """The numbers of a row, read as seconds, and its recording: rate in Hz, length in s."""

    start: float
    end: float
    rate: int
    length: float


def units_that_fit(spans: list[Span]) -> list[str]:
    """Units other than seconds in which nearly all clips lie in their recordings, likeliest first.

    None where the numbers are seconds of uncut recordings, of which the files hold the clips.
    """
    cut = sum(abs(s.end - s.start - s.length) <= CUT_SHARE * s.length for s in spans)
    if not spans or 2 * cut > len(spans):
        return []
    whole = all(s.start % 1 == 0 and s.end % 1 == 0 for s in spans)
    fitting = []
    for unit in ("ms", SAMPLES, "us"):
        factors = [1 / s.rate if unit == SAMPLES else FACTORS[unit] for s in spans]
        pairs = list(zip(spans, factors, strict=True))
        inside = sum(s.end * factor <= s.length + SLACK_S for s, factor in pairs)
        lengths = sorted((s.end - s.start) * factor for s, factor in pairs)
        shortest = SHORTEST_S if whole else SHORTEST_DECIMAL_S
        if (whole or unit != SAMPLES) and inside >= FIT_SHARE * len(spans):
            fitting += [unit] if lengths[len(lengths) // 2] >= shortest else []
    return fitting


class Headers:
    """Sample rates and lengths of the recordings below a folder, each read once."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._known: dict[str, tuple[int, float]] = {}

    def rate(self, file: str) -> int:
        """In Hz; raises ValueError where the header cannot be read."""
        return self._of(file)[0]

    def length(self, file: str) -> float:
        """In s; raises ValueError where the header cannot be read."""
        return self._of(file)[1]

    def _of(self, file: str) -> tuple[int, float]:
        if file not in self._known:
            # slow to load, and needed for few tables; by name, as no job reads bounds
            sound = importlib.import_module("stratavox.corpus.sound")
            try:
                header = sound.header(self._folder / file)
            except sound.AudioError as error:
                raise ValueError(str(error)) from None
            self._known[file] = header.samplerate, header.duration
        return self._known[file]
