"""Time and device of a recording, from its file's header or name.

Sources are GUANO metadata of bat detectors and others (the chunk ``guan``; GUANO specification
1.0), AudioMoth's comment (ICMT in the chunk LIST of a WAV file) and the file's name
(named_times.py). Only headers are read, about a hundred bytes for each chunk of the file.
"""

from __future__ import annotations

import re
import struct
from datetime import datetime, timedelta, timezone
from pathlib import Path

from stratavox.corpus import containers
from stratavox.corpus.expansion import guano_of
from stratavox.corpus.named_times import of_name

COLUMNS = ("recorded_at", "recorder")
COMMENT = re.compile(
    r"Recorded at (\d\d:\d\d:\d\d)(?:\.\d+)? (\d\d/\d\d/\d{4}) "
    r"\(UTC(?:([+-])(\d{1,2})(?::(\d\d))?)?\)"
)
AUDIOMOTH = re.compile(r"AudioMoth [0-9A-F]{16}")


def of(path: Path) -> dict[str, str | None]:
    """``recorded_at``, ISO 8601 with the offset from UTC where it is known, and ``recorder``.

    None for what neither the header nor the name contains. ``recorder`` is model and serial number.
    Raises OSError where the file cannot be read.
    """
    chunks = containers.chunks(path)
    guano = guano_of(chunks)
    texts = _entries(chunks.get(b"LIST", b""))
    comment, artist = texts.get(b"ICMT", ""), texts.get(b"IART", "")
    moth = AUDIOMOTH.search(artist) or AUDIOMOTH.search(comment)
    return {
        "recorded_at": _iso(guano.get("Timestamp")) or _commented(comment) or of_name(path.stem),
        "recorder": _device(guano) or (moth[0] if moth else None),
    }


def _entries(body: bytes) -> dict[bytes, str]:
    entries = {}
    while len(body) >= 8:
        name, size = struct.unpack("<4sI", body[:8])
        entries[name] = _text(body[8 : 8 + size])
        body = body[8 + size + size % 2 :]
    return entries


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").strip("\0 \t\r\n")


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
