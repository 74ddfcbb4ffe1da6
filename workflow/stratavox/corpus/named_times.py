"""The time of a recording in the name of its file.

Recorders write a date and a time of day at the end of the name, in few forms (`of_name`). Digits in
any other form may be a number of a station, a phone or an animal, and are not taken for a time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

# 20230512_063000, 20230512T063000, 20160506$175304, 20230512-063000, 20230512063000
PLAIN = r"(?P<y>(?:19|20)\d\d)(?P<mo>\d\d)(?P<d>\d\d)[_T$ -]?(?P<h>\d\d)(?P<mi>\d\d)(?P<s>\d\d)"
# 2024-06-01T05-00-00, 2024-06-01_05.00.00, 2024-06-01 050000; Avisoft writes a T before the date
APART = (
    r"T?(?P<y>(?:19|20)\d\d)(?P<a>[-_.])(?P<mo>\d\d)(?P=a)(?P<d>\d\d)[_T$ -]"
    r"(?P<h>\d\d)(?P<b>[-_.:]?)(?P<mi>\d\d)(?P=b)(?P<s>\d\d)"
)
# T: triggered recording; SYNC: clock corrected by GPS (AudioMoth)
ZONE = r"(?P<zone>Z|[+-]\d\d:?\d\d)?"
ENDING = r"(?:T|_SYNC|_REC(?: ?\[.*\])?)?"
# SoundTrap: serial number, point, year of two digits; nothing else
SOUNDTRAP = r"\d{3,10}\.(?P<y>\d\d)(?P<mo>\d\d)(?P<d>\d\d)(?P<h>\d\d)(?P<mi>\d\d)(?P<s>\d\d)"
# what stands before a time ends with neither a letter nor a digit
FORMS = [
    *(re.compile(rf"(?:.*[^A-Za-z0-9])?{time}{ZONE}{ENDING}", re.I) for time in (PLAIN, APART)),
    re.compile(SOUNDTRAP),
]
ANOTHER = re.compile(r"(?<!\d)(19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d[_T$ -]?[0-2]\d[-_.:]?[0-5]\d")
# Zones differ from UTC by quarters of an hour, from -12:00 to +14:00.
WEST, EAST, STEP = timedelta(hours=-12), timedelta(hours=14), timedelta(minutes=15)


def of_name(stem: str) -> str | None:
    """The time in a file's name without its ending, in ISO 8601; None where none is certain.

    The offset from UTC is kept where the name has it (``Z``, ``+0200``). A name with two times,
    such as begin and end, has none.
    """
    for form in FORMS:
        match = form.fullmatch(stem)
        if match and (time := _time(match)):
            return None if ANOTHER.search(stem[: match.start("y")]) else time
    return None


def _time(match: re.Match) -> str | None:
    parts = {name: int(match[name]) for name in ("y", "mo", "d", "h", "mi", "s")}
    year = parts.pop("y")
    try:
        at = datetime(year if year >= 100 else 2000 + year, *parts.values())
        zone = match.groupdict().get("zone")
        return at.replace(tzinfo=_zone(zone)).isoformat() if zone else at.isoformat()
    except ValueError:
        return None


def _zone(text: str) -> timezone:
    """Raises ValueError for an offset that no place has: a number that follows the time."""
    if text in "Zz":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    offset = timedelta(hours=hours, minutes=minutes) * (-1 if text[0] == "-" else 1)
    if minutes >= 60 or offset % STEP or not WEST <= offset <= EAST:
        raise ValueError(text)
    return timezone(offset)
