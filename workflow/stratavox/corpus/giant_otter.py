"""The giant otter calls of Mumm & Knörnschild 2014 (doi 10.1371/journal.pone.0112562).

`Audio_S1` holds single calls of adults, with names such as `Audio S043_begging scream.wav`;
`Audio_S2`, the documents and the tables are not used. The names do not give the individual.
Underwater calls were recorded by a hydrophone, so the device depends on the class.
"""

from __future__ import annotations

import re
from pathlib import Path

from stratavox.corpus.layout import Inventory, files

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


def read(folder: Path) -> Inventory:
    """The clips of the archive unpacked to ``folder``."""
    inventory = Inventory()
    for path in files(folder):
        if path.suffix.lower() != ".wav" or "Audio_S1" not in path.parts[:-1]:
            inventory.not_used.append(path.as_posix())
        elif named := row(path.name):
            place = Path(*path.parts[path.parts.index("Audio_S1") :])
            inventory.clips[path] = [{"file": place.as_posix()} | named]
            if named["call_type"] not in CALL_TYPES:
                why = f"call type {named['call_type']!r} is none of the published ones"
                inventory.irregular.append({"file": path.as_posix(), "why": why})
        else:
            inventory.unread.append(
                {"file": path.as_posix(), "why": "no number and call in its name"}
            )
    return inventory


def row(name: str) -> dict[str, str] | None:
    """The row of a file's name, without ``file``; None where the name does not fit.

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
