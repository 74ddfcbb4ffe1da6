"""What the name of a column says about times: which bound of a clip, and in which unit.

Used by the run, which refuses a bound whose name says another unit than the config, and by `init`,
which looks for bounds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Names of the unit of a column's numbers.
CLOCK, SAMPLES, FRAMES, FREQUENCY = "hh:mm:ss", "samples", "frames", "frequency"
ROLES = {
    "start": "start starts started beg begin begins beginning onset from tmin",
    "end": "end ends ended stop stops finish offset to until tmax",
    "duration": "duration durations dur length len delta",
    "time": "time times timestamp timestamps timecode",
}
UNITS = {
    "s": "s sec secs second seconds",
    "ms": "ms msec msecs millisecond milliseconds millis",
    "us": "us µs μs usec usecs microsecond microseconds",
    "min": "min mins minute minutes",
    "h": "h hr hrs hour hours",
    SAMPLES: "sample samples samp samps",
    FRAMES: "frame frames bin bins index idx pixel pixels px",
    FREQUENCY: "freq freqs frequency frequencies hz khz mhz f0 pitch bandwidth f",
    CLOCK: "hhmmss mmss hms timecode clock",
}
ROLE_OF = {word: role for role, words in ROLES.items() for word in words.split()}
UNIT_OF = {word: unit for unit, words in UNITS.items() for word in words.split()}
# These words beside such a role are about the whole recording: its end is not the end of a call.
WHOLE = {
    *("file", "files", "recording", "recordings", "rec", "audio", "media", "wav", "sound"),
    *("soundfile", "session", "observation", "total", "survey", "video", "deployment", "tape"),
}
WITHIN = {"in", "within", "into"}
# A length beside other words (wing_length) is no duration.
CALLS = {
    *("call", "calls", "clip", "clips", "song", "syllable", "note", "element", "segment"),
    *("annotation", "event", "box", "selection", "detection", "window", "unit", "a", "the", "of"),
    *("vocalization", "vocalisation", "in", "time"),
}
# A word that is written in one with another: starttime, endms, tstart.
GLUED = re.compile(
    "(?P<a>start|begin|end|stop|onset|offset|duration|dur|time|t)"
    "(?P<b>time|point|start|begin|end|stop|sec|secs|seconds|ms|msec|samples?|frames?|freq|k?hz)"
)


@dataclass(frozen=True)
class Meaning:
    """``role`` is a key of `ROLES`, ``unit`` one of `UNITS`; None where the name has none.

    ``whole``: it is about the recording, not about the clip.
    """

    role: str | None
    unit: str | None
    whole: bool = False

    @property
    def is_time(self) -> bool:
        """Whether it can be a time or a count of samples."""
        return self.role is not None and self.unit not in (FRAMES, FREQUENCY)


def words(name: str) -> list[str]:
    """The lower-case words of a column's name: ``CallType (s)`` is call, type, s."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return [word for word in re.split(r"[\W_]+", apart.lower()) if word]


def meaning(name: str) -> Meaning:
    """What a name says: ``start_ms`` is a start in ms, ``recording_end`` is of the whole."""
    named = [part for word in words(name) for part in _parts(word)]
    extreme = _extreme(named)
    if extreme:
        return Meaning(*extreme)
    roles = [ROLE_OF[word] for word in named if word in ROLE_OF]
    # a time says less than a start of it, and a duration more: start_time, length from start
    role = next((r for r in ("duration", "start", "end", "time") if r in roles), None)
    if role == "duration" and "length" in named and not set(named) <= _beside_length():
        role = None
    units = [UNIT_OF[word] for word in named if word in UNIT_OF]
    if role is None and named and len(units) == len(named):
        role = "time"  # a column that is called seconds
    unit = next((u for u in (FREQUENCY, FRAMES) if u in units), units[-1] if units else None)
    if "ss" in named:  # ELAN: hh:mm:ss.ms and ss.msec
        unit = CLOCK if "mm" in named else "s"
    whole = bool(WHOLE & set(named)) and not WITHIN & set(named)
    if "offset" in named and "file" in named:  # Raven's File Offset is a start in the file
        return Meaning("start", unit)
    return Meaning(role, unit, whole)


def _parts(word: str) -> list[str]:
    match = GLUED.fullmatch(word)
    return [match["a"], match["b"]] if match and word not in ROLE_OF else [word]


def _extreme(named: list[str]) -> tuple[str, str | None] | None:
    """scikit-maad's min_t, max_t, min_f and max_f; min is no minute there."""
    for word, role in (("min", "start"), ("max", "end")):
        others = [other for other in named if other != word]
        if word in named and others and set(others) <= {"t", "time", "f", "freq", "frequency"}:
            return role, (None if set(others) <= {"t", "time"} else FREQUENCY)
    return None


def _beside_length() -> set[str]:
    return {*ROLE_OF, *UNIT_OF, *CALLS, *WHOLE}
