"""The giant otter calls of Mumm & Knörnschild 2014 (doi 10.1371/journal.pone.0112562).

`Audio_S1` holds single calls of adults, named as `Audio S043_begging scream.wav`; `Audio_S2`, the
documents and tables beside are other material. Who called is not in the names. Underwater calls
were taken by a hydrophone, so the device follows the class.
"""

from __future__ import annotations

import re
from pathlib import Path

from stratavox.corpus.layout import Found, files

COLUMNS = ("file", "call_type", "call_name", "number", "age", "hydrophone")
NESTED = False
EXPECTED = "Audio_S1/Audio S001_bark.wav and the like"
NAME = re.compile(r".*?(?P<number>\d+)_(?P<call>.+)\.wav", re.IGNORECASE)
# The 21 types of the published archive.
CALL_TYPES = {
    *("ascending scream", "bark", "begging call", "begging scream", "begging scream gradation"),
    *("close call", "contact call", "contact call gradation", "growl", "hah", "hum"),
    *("hum gradation", "hum short", "isolation call", "snort", "suckling call"),
    *("underwater call", "wavering scream", "whine", "whistle", "whistle double"),
}


def read(folder: Path) -> Found:
    """The clips of the archive unpacked to ``folder``."""
    found = Found()
    for path in files(folder):
        if path.suffix.lower() != ".wav" or "Audio_S1" not in path.parts[:-1]:
            found.not_used.append(path.as_posix())
        elif named := row(path.name):
            place = Path(*path.parts[path.parts.index("Audio_S1") :])
            found.clips[path] = {"file": place.as_posix()} | named
            if named["call_type"] not in CALL_TYPES:
                why = f"call type {named['call_type']!r} is none of the published ones"
                found.irregular.append({"file": path.as_posix(), "why": why})
        else:
            found.unread.append({"file": path.as_posix(), "why": "no number and call in its name"})
    return found


def row(name: str) -> dict[str, str] | None:
    """What a file's name tells, without ``file``; None where it does not fit.

    ``call_type`` is ``call_name`` in lower case with single spaces.
    """
    match = NAME.fullmatch(name)
    if match is None:
        return None
    call_type = " ".join(match["call"].lower().split())
    return {
        "call_type": call_type,
        "call_name": match["call"],
        "number": match["number"],
        "age": "adult",
        "hydrophone": "true" if call_type == "underwater call" else "false",
    }
