"""Time, device and speed of a recording, from its file's header or name.

Sources are GUANO metadata of bat detectors and others (the chunk ``guan``; GUANO specification
1.0), AudioMoth's comment (ICMT in the chunk LIST of a WAV file) and the names of AudioMoth and Song
Meter, such as ``24E1440360371F71_20230512_063000T.WAV``. Only headers are read,
about a hundred bytes for each chunk of the file.
"""

from __future__ import annotations

import math
import re
import struct
from datetime import datetime, timedelta, timezone
from pathlib import Path

from stratavox.corpus import containers

COLUMNS = ("recorded_at", "recorder")
# T: triggered recording; SYNC: clock corrected by GPS
NAME = re.compile(r"(?:.*_)?((?:19|20)\d{6})_(\d{6})(?:T|_SYNC)?")
COMMENT = re.compile(
    r"Recorded at (\d\d:\d\d:\d\d)(?:\.\d+)? (\d\d/\d\d/\d{4}) "
    r"\(UTC(?:([+-])(\d{1,2})(?::(\d\d))?)?\)"
)
# No recorder samples faster; GUANO's Samplerate is a whole number.
MOST_HZ, RATE_SLACK = 2_000_000, 0.001
AUDIOMOTH = re.compile(r"AudioMoth [0-9A-F]{16}")


def of(path: Path) -> dict[str, str | None]:
    """``recorded_at``, ISO 8601 with the offset from UTC where it is known, and ``recorder``.

    None for what neither the header nor the name contains. ``recorder`` is model and serial number.
    Raises OSError where the file cannot be read.
    """
    chunks = containers.chunks(path)
    guano = _guano(chunks)
    texts = _entries(chunks.get(b"LIST", b""))
    comment, artist = texts.get(b"ICMT", ""), texts.get(b"IART", "")
    moth = AUDIOMOTH.search(artist) or AUDIOMOTH.search(comment)
    return {
        "recorded_at": _iso(guano.get("Timestamp")) or _commented(comment) or _named(path.stem),
        "recorder": _device(guano) or (moth[0] if moth else None),
    }


def time_expansion(chunks: dict[bytes, bytes], rate: int) -> float:
    """How many times slower than in nature a file of ``rate`` Hz plays; 1 for most recorders.

    Bat detectors may store calls at a tenth of their rate or less. Sources are GUANO's ``TE`` and
    field 15 of the chunk ``wamd`` of Wildlife Acoustics. With GUANO's ``Samplerate``, the rate of
    the recording, the product must fit; a file that already is at this rate plays at true speed.
    Raises `ValueError` with the reason where the entries contradict each other or the rate.
    """
    guano = _guano(chunks)
    factors = {"GUANO's TE": guano.get("TE"), "WAMD's": _wamd(chunks.get(b"wamd", b"")).get(15)}
    factors = {source: _factor(source, value) for source, value in factors.items() if value}
    if len(set(factors.values())) > 1:
        raise ValueError(f"its time expansion is {_listed(factors)}: correct one of them")
    factor = next(iter(factors.values()), 1.0)
    if factor == 1:
        return 1.0
    true = guano.get("Samplerate")
    if true:
        true = _factor("GUANO's Samplerate", true)
        if true == rate:
            return 1.0
    if (true and abs(rate * factor / true - 1) > RATE_SLACK) or rate * factor > MOST_HZ:
        raise ValueError(
            f"its time expansion ({_listed(factors)}) does not fit its rate: {rate} Hz "
            f"would be {rate * factor:g} Hz in true time, "
            + (f"but GUANO's Samplerate is {true:g}" if true else f"allowed: up to {MOST_HZ} Hz")
            + "; correct its metadata"
        )
    return factor


def _factor(source: str, value: str | bytes) -> float:
    """The number in GUANO's text or in WAMD's 16 bits; 0 counts as 1."""
    try:
        factor = float(value) if isinstance(value, str) else struct.unpack("<H", value[:2])[0]
    except (ValueError, struct.error):
        factor = math.nan
    if not (math.isfinite(factor) and factor >= 0):
        raise ValueError(f"{source} is {value!r}, not a positive number; correct its metadata")
    return float(factor) or 1.0


def _listed(factors: dict[str, float]) -> str:
    return " and ".join(f"{source} {factor:g}" for source, factor in factors.items())


def _wamd(body: bytes) -> dict[int, bytes]:
    """The fields of a chunk ``wamd`` by number: two bytes of number, four of length, the value."""
    fields = {}
    while len(body) >= 6:
        number, size = struct.unpack("<HI", body[:6])
        fields[number] = body[6 : 6 + size]
        body = body[6 + size :]
    return fields


def _entries(body: bytes) -> dict[bytes, str]:
    entries = {}
    while len(body) >= 8:
        name, size = struct.unpack("<4sI", body[:8])
        entries[name] = _text(body[8 : 8 + size])
        body = body[8 + size + size % 2 :]
    return entries


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").strip("\0 \t\r\n")


def _guano(chunks: dict[bytes, bytes]) -> dict[str, str]:
    fields = (line.partition(":") for line in _text(chunks.get(b"guan", b"")).split("\n"))
    return {key.strip(): value.strip("\0 \t\r") for key, _, value in fields}


def _device(guano: dict[str, str]) -> str | None:
    model = guano.get("Model") or guano.get("Make", "")
    return " ".join(filter(None, (model, guano.get("Serial")))) or None


def _iso(text: str | None) -> str | None:
    try:
        return datetime.fromisoformat(text).isoformat() if text else None
    except ValueError:
        return None


def _commented(comment: str) -> str | None:
    match = COMMENT.search(comment)
    if match is None:
        return None
    time, date, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        zone = timezone(-offset if sign == "-" else offset)
        at = datetime.strptime(f"{date} {time}", "%d/%m/%Y %H:%M:%S")
    except ValueError:
        return None
    return at.replace(tzinfo=zone).isoformat()


def _named(stem: str) -> str | None:
    match = NAME.fullmatch(stem)
    try:
        return match and datetime.strptime("".join(match.groups()), "%Y%m%d%H%M%S").isoformat()
    except ValueError:
        return None
