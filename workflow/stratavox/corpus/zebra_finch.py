"""The zebra finch vocalizations of Elie & Theunissen 2016 (figshare 11905533).

`AdultVocalizations` and `ChickVocalizations` hold `<bird>_<yymmdd>-<call>-<rendition>.wav`, with
some irregular names: an underscore for the first hyphen, a hyphen inside the call, a date of
seven digits or none, other capitals. A name that is in both folders is one rendition; the file
among the chicks is kept, as in Earth Species's table of these calls.
"""

from __future__ import annotations

import re
from pathlib import Path

from stratavox.corpus.layout import Inventory, files

COLUMNS = (
    *("file", "bird", "individual", "named_bird", "bird_name", "age", "date", "bird_day"),
    *("call_type", "call_code", "rendition"),
)
# figshare serves one zip that contains the two zips
NESTED = True
EXPECTED = "AdultVocalizations or ChickVocalizations with WhiBlu4818_110404-DC-02.wav and the like"
NAME = re.compile(
    r"(?P<bird>[A-Za-z0-9]+?)(?:_(?P<date>\d+))?(?P<first>[-_])"
    r"(?P<call>[A-Za-z]+(?:-[A-Za-z]+)?)-(?P<rendition>\d[A-Za-z0-9_]*)\.wav",
    re.IGNORECASE,
)
REGULAR = re.compile(r"[A-Za-z0-9]+_\d{6}-[A-Za-z]+-\d+\.wav")
CALL_TYPES = ("Ag", "Be", "DC", "Di", "LT", "Ne", "So", "Te", "Th", "Tu", "Wh")
TYPE_OF = {name.lower(): name for name in CALL_TYPES} | {"wc": "Wh"}
AGES = ("adult", "chick")


def read(folder: Path) -> Inventory:
    """The clips of the archive unpacked to ``folder``."""
    inventory = Inventory()
    by_name: dict[str, dict[str, Path]] = {}
    for path in files(folder):
        if path.suffix.lower() != ".wav":
            inventory.not_used.append(path.as_posix())
            continue
        age, named = _age(path), row(path.name)
        if why := _unread(path, age, named, by_name):
            inventory.unread.append({"file": path.as_posix(), "why": why})
            continue
        by_name.setdefault(path.name, {})[age] = path
        inventory.clips[path] = [{"file": f"{age}/{path.name}", "age": age} | named]
        if not REGULAR.fullmatch(path.name):
            inventory.irregular.append({"file": path.as_posix(), "why": "irregular name"})
    for places in by_name.values():
        if len(places) == len(AGES):
            _merge(folder, inventory, places["adult"], places["chick"])
    _list_doubtful_ages(inventory)
    return inventory


def row(name: str) -> dict[str, str] | None:
    """The row of a file's name, without ``file`` and ``age``; None where the name does not fit.

    ``bird`` is ``bird_name`` in lower case. ``individual`` is empty for birds called `Unknown...`
    and ``bird_day`` where the date is not one: an unknown individual or day cannot be held out.
    """
    match = NAME.fullmatch(name)
    call_type = TYPE_OF.get(match["call"][:2].lower()) if match else None
    if call_type is None:
        return None
    bird, date = match["bird"].lower(), match["date"] or ""
    is_named = not bird.startswith("unknown")
    return {
        "bird": bird,
        "individual": bird if is_named else "",
        "named_bird": "true" if is_named else "false",
        "bird_name": match["bird"],
        "date": date,
        "bird_day": f"{bird}_{date}" if len(date) == 6 else "",
        "call_type": call_type,
        "call_code": match["call"],
        "rendition": match["rendition"],
    }


def _age(path: Path) -> str | None:
    """The age that a folder of the path begins with."""
    parts = [part.lower() for part in path.parts[:-1]]
    return next((age for age in AGES for part in parts if part.startswith(age)), None)


def _unread(path: Path, age: str | None, named: dict | None, by_name: dict) -> str | None:
    if named is None:
        return "name is not <bird>_<yymmdd>-<call>-<rendition>.wav with a known call"
    if age is None:
        return "in no folder of adults or chicks"
    if age in by_name.get(path.name, {}):
        return f"a second {age} file of this name"
    return None


def _merge(folder: Path, inventory: Inventory, adult: Path, chick: Path) -> None:
    """Keep the chick's file of two that have one name."""
    del inventory.clips[adult]
    adult_file = adult.as_posix()
    inventory.irregular = [row for row in inventory.irregular if row["file"] != adult_file]
    identical = (folder / adult).read_bytes() == (folder / chick).read_bytes()
    inventory.merged.append({"file": adult_file, "kept": chick.as_posix(), "identical": identical})


def _list_doubtful_ages(inventory: Inventory) -> None:
    """List clips among the adults whose bird has clips among the chicks on that day."""
    rows = {path: row for path, (row,) in inventory.clips.items()}
    chicks = {row["bird_day"] for row in rows.values() if row["age"] == "chick"} - {""}
    for path, row in rows.items():
        if row["age"] == "adult" and row["bird_day"] in chicks:
            why = f"among the adults, while {row['bird']} is a chick that day"
            inventory.irregular.append({"file": path.as_posix(), "why": why})
