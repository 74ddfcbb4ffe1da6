"""The columns of a table that bound the clips in their recordings, and their units.

Names, cells and the lengths of the recordings are tried. What is not certain is a line "look".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from statistics import median

from stratavox.corpus import time_names
from stratavox.corpus.bounds import (
    FACTORS,
    FIT_SHARE,
    NAMES,
    SLACK_S,
    Bounds,
    Span,
    is_clock,
    to_seconds,
    units_that_fit,
)
from stratavox.corpus.time_names import CLOCK, FRAMES, FREQUENCY, SAMPLES, Meaning
from stratavox.init.columns import number

# Clips that all lie in so small a part of their recordings may have a larger unit.
EARLY_SHARE = 1 / 50
# Calls last longer than this.
SHORT_S = 0.001
DATED = re.compile(r"\s*(\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{4})[ T]\d\d?:\d\d")
# How far a duration may differ from the length that it tells, and by which share.
SAME_S, SAME_SHARE = 0.05, 0.01


@dataclass
class Chosen:
    """``entry`` holds the dataset's keys, ``notes`` a comment for each, ``messages`` what to print.

    ``aside`` are columns of times and frequencies, which can be neither label nor group.
    """

    entry: dict = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    aside: set[str] = field(default_factory=set)
    messages: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Rows:
    """The rows of a table, with the header of each row's recording; None where it was not read.

    A header has samplerate and duration.
    """

    columns: dict[str, list[str]]
    files: list[str | None]
    headers: list[object | None]


@dataclass(frozen=True)
class _Trial:
    """Bounds that were tried, and why they do not fit (``refused``).

    ``spans`` are of the rows whose header was read; ``late`` counts those that end after their
    recording, ``windows`` those of them that begin in it, ``empty`` the rows without both.
    ``others`` are further units that would fit, where the numbers alone decided.
    """

    bounds: Bounds
    spans: list[Span]
    refused: str | None
    late: int
    windows: int
    empty: int
    others: list[str] | None = None

    def fitting(self) -> list[str]:
        """Units that would fit where most clips begin after their recording."""
        beyond = 2 * (self.late - self.windows) > len(self.spans)
        return units_that_fit(self.spans) if beyond else []


def choose(rows: Rows) -> Chosen:
    """The bounds among the columns of a table."""
    means = {
        name: time_names.meaning(name) for name, cells in rows.columns.items() if _numeric(cells)
    }
    chosen = Chosen()
    _name_others(chosen, means)
    _name_unread(chosen, rows, means)
    times = {name: meaning for name, meaning in means.items() if meaning.is_time}
    # from and to may also be animals
    chosen.aside |= {name for name in times if not {"from", "to"} & set(time_names.words(name))}
    best, refused = None, None
    for start, last, is_duration in _pairs(times):
        trials = list(_trials(rows, start, last, is_duration, times))
        best = next((trial for trial in trials if trial.refused is None), None)
        if best:
            break
        refused = refused or trials[0]
    if best:
        _use(chosen, best)
    elif refused:
        _name_refused(chosen, refused)
    named = best or refused
    used = {named.bounds.start, named.bounds.last} if named else set()
    _name_unused(chosen, rows, best, {n: m for n, m in times.items() if n not in used})
    return chosen


def _numeric(cells: list[str]) -> bool:
    """Whether most of the filled cells are numbers, clock times or dates with a time."""
    filled = [cell for cell in cells if cell.strip()]
    held = sum(
        number(cell) is not None or is_clock(cell) or DATED.match(cell) is not None
        for cell in filled
    )
    return 2 * held > len(filled)


def _name_others(chosen: Chosen, means: dict[str, Meaning]) -> None:
    """Columns that are named as starts and ends, but not of times."""
    for unit, message in (
        (FREQUENCY, "{} are frequencies by their names, not times"),
        (
            FRAMES,
            "look: {} count frames, by their names: not used. If these are samples of the "
            f"sound, name them as start and end with units: {SAMPLES}",
        ),
    ):
        names = [n for n, m in means.items() if m.unit == unit and m.role]
        chosen.aside.update(names)
        if names:
            chosen.messages.append("  " + message.format(_listed(names)))


def _name_unread(chosen: Chosen, rows: Rows, means: dict[str, Meaning]) -> None:
    """Columns that are named as times and hold digits, but neither numbers nor clock times."""
    for name in rows.columns.keys() - means.keys():
        meaning, cells = time_names.meaning(name), list(filter(str.strip, rows.columns[name]))
        digits = sum(any(sign.isdigit() for sign in cell) for cell in cells)
        bounds = meaning.is_time and meaning.role != "time" and not meaning.whole
        # from and to may also be animals
        if bounds and 2 * digits > len(cells) and not {"from", "to"} & set(time_names.words(name)):
            chosen.aside.add(name)
            chosen.messages.append(
                f"  look: {name!r} is not used, though named as times: its cells, such as "
                f"{cells[0]!r}, are neither numbers nor clock times"
            )


def _pairs(times: dict[str, Meaning]) -> Iterator[tuple[str, str, bool]]:
    """Columns with a start and an end or a duration, the likeliest first."""
    own = {name: meaning for name, meaning in times.items() if not meaning.whole}
    durations = [name for name, meaning in own.items() if meaning.role == "duration"]
    starts = [name for name, meaning in own.items() if meaning.role == "start"]
    ends = [name for name, meaning in own.items() if meaning.role == "end"]
    for start in starts:
        alike = sorted(ends, key=lambda end: -_shared(start, end))
        yield from ((start, end, False) for end in alike)
    for start in starts:
        yield from ((start, duration, True) for duration in durations)
    if not starts:
        # Kaleidoscope's OFFSET is from the start of the file
        offsets = [name for name in ends if "offset" in time_names.words(name)]
        yield from ((offset, duration, True) for offset in offsets for duration in durations)


def _shared(one: str, other: str) -> int:
    return len(set(time_names.words(one)) & set(time_names.words(other)))


def _trials(
    rows: Rows, start: str, last: str, is_duration: bool, times: dict[str, Meaning]
) -> Iterator[_Trial]:
    """A pair of columns in the units that it may have, the likeliest first."""
    own = [_unit(rows.columns[name], times[name]) for name in (start, last)]
    plain = _trial(rows, Bounds(start, last, is_duration, tuple(unit or "s" for unit in own)))
    yield plain
    if own == [None, None]:
        fitting = plain.fitting()
        for unit in fitting:
            bounds = replace(plain.bounds, units=(unit, unit))
            others = [other for other in fitting if other != unit]
            yield replace(_trial(rows, bounds), others=others)
    elif None in own and CLOCK not in own:
        # only one of both has its unit in its name
        unit = own[0] or own[1]
        yield _trial(rows, replace(plain.bounds, units=(unit, unit)))


def _unit(cells: list[str], meaning: Meaning) -> str | None:
    """The unit by the cells or by the name."""
    filled = [cell for cell in cells if cell.strip()]
    if 2 * sum(map(is_clock, filled)) > len(filled):
        return CLOCK
    return None if meaning.unit == CLOCK else meaning.unit


def _trial(rows: Rows, bounds: Bounds) -> _Trial:
    spans, ordered, empty = [], 0, 0
    slack = max(SLACK_S, _step(rows.columns[bounds.last], bounds.units[1]))
    cells = zip(rows.columns[bounds.start], rows.columns[bounds.last], rows.headers, strict=True)
    for start, last, header in cells:
        if not start.strip() and not last.strip():
            empty += 1
            continue
        try:
            span = bounds.seconds(start, last, _rate(header))
        except ValueError:
            continue
        ordered += 1
        if header is not None:
            spans.append(Span(*span, header.samplerate, header.duration))
    late = [span for span in spans if span.end > span.length + slack]
    windows = [span for span in late if span.start < span.length]
    # a program that pads cuts all recordings into windows of one length
    padded = len({round(span.end - span.start, 2) for span in windows}) == 1
    padded = padded and len(set(rows.files)) < len(rows.files)
    lost = len(late) - (len(windows) if padded else 0)
    refused, total = None, len(rows.files) - empty
    if ordered < FIT_SHARE * total:
        refused = f"{total - ordered} of {total} rows hold no start with an end after it"
    elif ordered - lost < FIT_SHARE * total:
        unit = NAMES.get(bounds.units[0], bounds.units[0])
        refused = (
            f"{len(late)} of {total} clips would end after their file (the files hold the cut "
            f"clips, or the unit is not {unit})"
        )
    elif not bounds.is_duration and _are_ends_of_recordings(spans):
        refused = f"{bounds.last!r} is the end of the recording in nearly all rows"
    if not ordered:
        dated = any(map(DATED.match, rows.columns[bounds.start]))
        refused = (
            "they are dates, not times in a recording" if dated else refused or "no row has both"
        )
    return _Trial(bounds, spans, refused, len(late), len(windows), empty)


def _step(cells: list[str], unit: str) -> float:
    """The step to which times are rounded, in s: a second for 00:00:05, 0.1 s for 2.5."""
    ends = [re.split("[.,]", cell.strip()) for cell in cells if cell.strip()]
    decimals = max((len(parts[1]) for parts in ends if len(parts) == 2), default=0)
    return FACTORS.get(unit, 1.0 if unit == CLOCK else 0.0) * 10.0**-decimals


def _rate(header: object | None) -> Callable[[], int]:
    """The rate of a recording; any where it was not read, as its length is not known either."""
    return lambda: header.samplerate if header else 1


def _are_ends_of_recordings(spans: list[Span]) -> bool:
    at_end = sum(abs(span.end - span.length) <= SLACK_S for span in spans)
    whole = all(span.start <= SLACK_S for span in spans)
    return bool(spans) and not whole and at_end >= FIT_SHARE * len(spans)


def _use(chosen: Chosen, trial: _Trial) -> None:
    bounds, last = trial.bounds, "duration" if trial.bounds.is_duration else "end"
    chosen.entry |= {"start": bounds.start, last: bounds.last}
    one, two = bounds.units
    if bounds.units != ("s", "s"):
        chosen.entry["units"] = one if one == two else {"start": one, last: two}
    chosen.notes |= {"start": "start of a clip in its file", last: f"its {last}"}
    chosen.notes["units"] = "of start and " + last
    called = NAMES.get(one, one) if one == two else f"{one} and {two}"
    added = ": end = start + duration" if bounds.is_duration else ""
    say = chosen.messages.append
    say(f"  {_columns(bounds)} bound the clips, in {called}{added}")
    if trial.others is not None:
        others = f"; {' and '.join(trial.others)} would fit too" if trial.others else ""
        say(
            f"  look: in seconds they would not lie in their files, in {one} they do: read as "
            f"{one} (key units){others}"
        )
    if trial.windows:
        say(
            f"  look: {trial.windows} clips go on after the end of their file, as windows that a "
            "program pads: they end with it"
        )
    if trial.empty:
        say(f"  look: {trial.empty} rows have neither, and cannot be used")
    lengths = [span.end - span.start for span in trial.spans]
    if lengths and median(lengths) < SHORT_S:
        say(f"  look: the middle clip lasts {median(lengths) * 1000:.3g} ms: is the unit {one}?")
    reach = max((span.end / span.length for span in trial.spans), default=1)
    if reach < EARLY_SHARE and one == "s":
        say(
            f"  look: all clips lie in the first {reach:.1%} of their files: if the numbers are "
            "minutes, write units: min"
        )


def _name_refused(chosen: Chosen, trial: _Trial) -> None:
    units = trial.fitting() if trial.bounds.units == ("s", "s") else []
    hint = f"; in {units[0]} they would lie in their files" if units else ""
    chosen.messages.append(
        f"  look: {_columns(trial.bounds)} are not used as bounds: {trial.refused}{hint}"
    )


def _name_unused(
    chosen: Chosen, rows: Rows, best: _Trial | None, times: dict[str, Meaning]
) -> None:
    """A line on columns of times that bound nothing, without those that tell known lengths."""
    unused = []
    for name, meaning in times.items():
        if meaning.whole or (meaning.role == "duration" and _is_known(rows, name, best, meaning)):
            continue
        unused.append(name)
    if not unused:
        return
    starts = [name for name in unused if times[name].role == "start"]
    why = ""
    if best is None and starts:
        why = f": {_listed(starts)} without an end or a duration that fits"
    clips = "" if best else "; each clip is a whole file"
    chosen.messages.append(
        f"  look: {_listed(unused)} {'is' if len(unused) == 1 else 'are'} not used, though named "
        f"as times{why}{clips}"
    )


def _is_known(rows: Rows, name: str, best: _Trial | None, meaning: Meaning) -> bool:
    """Whether a column of durations holds the lengths of the clips: of the bounds, or the files."""
    unit = _unit(rows.columns[name], meaning) or "s"
    same = known = 0
    for place, (cell, header) in enumerate(zip(rows.columns[name], rows.headers, strict=True)):
        if header is None or not cell.strip():
            continue
        known += 1
        length = header.duration
        try:
            if best:
                cells = (rows.columns[n][place] for n in (best.bounds.start, best.bounds.last))
                start, end = best.bounds.seconds(*cells, _rate(header))
                length = end - start
            own = to_seconds("duration", cell, unit, _rate(header))
        except ValueError:
            continue
        # clock times are often in whole seconds
        near = max(SAME_S, SAME_SHARE * length) if unit != CLOCK else 1
        same += abs(own - length) <= near or abs(own - header.duration) <= near
    return same >= FIT_SHARE * known


def _columns(bounds: Bounds) -> str:
    return f"columns {bounds.start!r} and {bounds.last!r}"


def _listed(names: list[str]) -> str:
    return " and ".join(map(repr, names))
