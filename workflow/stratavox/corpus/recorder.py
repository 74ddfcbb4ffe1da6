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

from stratavox.corpus.named_times import of_name

COLUMNS = ("recorded_at", "recorder")
COMMENT = re.compile(
    r"Recorded at (\d\d:\d\d:\d\d)(?:\.\d+)? (\d\d/\d\d/\d{4}) "
    r"\(UTC(?:([+-])(\d{1,2})(?::(\d\d))?)?\)"
)
AUDIOMOTH = re.compile(r"AudioMoth [0-9A-F]{16}")
# Limits for broken files.
MOST_CHUNKS, MOST_BYTES = 64, 1 << 20


def of(path: Path) -> dict[str, str | None]:
    """``recorded_at``, ISO 8601 with the offset from UTC where it is known, and ``recorder``.

    None for what neither the header nor the name contains. ``recorder`` is model and serial number.
    Raises OSError where the file cannot be read.
    """
    chunks = _chunks(path)
    guano = _guano(chunks.get(b"guan", ""))
    comment, artist = chunks.get(b"ICMT", ""), chunks.get(b"IART", "")
    moth = AUDIOMOTH.search(artist) or AUDIOMOTH.search(comment)
    return {
        "recorded_at": _iso(guano.get("Timestamp")) or _commented(comment) or of_name(path.stem),
        "recorder": _device(guano) or (moth[0] if moth else None),
    }


def _chunks(path: Path) -> dict[bytes, str]:
    """The texts of a WAV file's chunk ``guan`` and of the entries of its LIST chunk INFO."""
    texts = {}
    with open(path, "rb") as file:
        head = file.read(12)
        if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
            return texts
        long_data = 0
        for _ in range(MOST_CHUNKS):
            head = file.read(8)
            if len(head) < 8 or not head[:4].isascii():
                break
            name, size = struct.unpack("<4sI", head)
            following = file.tell() + size + size % 2
            if name == b"data" and size == 0xFFFFFFFF:  # RF64 gives its size in ds64
                following = file.tell() + long_data + long_data % 2
            elif name in (b"ds64", b"guan", b"LIST") and size <= MOST_BYTES:
                body = file.read(size)
                if name == b"ds64" and size >= 16:
                    long_data = struct.unpack("<8xQ", body[:16])[0]
                elif name == b"guan":
                    texts[name] = _text(body)
                elif body.startswith(b"INFO"):
                    texts |= _entries(body[4:])
            file.seek(following)
    return texts


def _entries(body: bytes) -> dict[bytes, str]:
    entries = {}
    while len(body) >= 8:
        name, size = struct.unpack("<4sI", body[:8])
        entries[name] = _text(body[8 : 8 + size])
        body = body[8 + size + size % 2 :]
    return entries


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").strip("\0 \t\r\n")


def _guano(text: str) -> dict[str, str]:
    fields = (line.partition(":") for line in text.split("\n"))
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
