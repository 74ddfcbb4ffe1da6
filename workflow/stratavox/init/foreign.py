"""Files that hold labels and are not read: what they are, and what to do instead."""

from __future__ import annotations

from pathlib import PurePosixPath

CSV = "save the table as CSV"
EXPORT = "export what you need as a CSV with the columns file, start, end and label"
# By the ending of a file's name, longer endings first: whose file it is, and what to do.
ENDINGS = {
    ".not.mat": ("evsonganaly's labels", EXPORT),
    ".xlsx": ("an Excel table", CSV),
    ".xls": ("an Excel table", CSV),
    ".ods": ("a LibreOffice table", CSV),
    ".numbers": ("a table of Apple's Numbers", CSV),
    ".json": ("JSON", "save the table as CSV, or as JSON lines (.jsonl), an object for each clip"),
    ".feather": ("a table of Arrow", "save it as Parquet or CSV"),
    ".arrow": ("a table of Arrow", "save it as Parquet or CSV"),
    ".rds": ("R's data", CSV),
    ".rdata": ("R's data", CSV),
    ".mat": ("MATLAB's data", EXPORT),
    ".pkl": ("Python's data", CSV),
    ".eaf": (
        "ELAN's annotations",
        "in ELAN choose File > Export As > Praat TextGrid: a TextGrid is read",
    ),
    ".boris": (
        "a project of BORIS",
        "export its aggregated events as CSV: the columns 'Media file name', 'Start (s)', "
        "'Stop (s)' and 'Behavior' can be read",
    ),
    ".svl": ("a layer of Sonic Visualiser", EXPORT),
    ".sv": ("a session of Sonic Visualiser", "export its annotation layers: " + EXPORT),
    ".pgdf": ("PAMGuard's detections", EXPORT),
    ".sqlite3": ("a database, such as PAMGuard's", EXPORT),
    ".sqlite": ("a database", EXPORT),
    ".db": ("a database", EXPORT),
    ".lab": ("labels of HTK or Sonic Visualiser", EXPORT),
    ".phn": ("TIMIT's phones", EXPORT),
    ".xml": ("XML, such as Avisoft's or the Koumura data set's", EXPORT),
    ".data": ("JSON of AviaNZ or others", EXPORT),
}
# Result tables of programs, by columns that no other program writes together.
RESULTS = {
    "BirdNET": {"Start (s)", "End (s)", "Scientific name", "Common name", "Confidence"},
    "BirdNET (for R)": {"filepath", "start", "end", "scientific_name", "common_name", "confidence"},
    "Kaleidoscope": {"INDIR", "IN FILE", "OFFSET", "DURATION"},
    "BORIS": {"Media file name", "Behavior", "Start (s)", "Stop (s)"},
    "PAMGuard": {"UTC", "UID", "UTCMilliseconds"},
}


def what(name: str) -> tuple[str, str] | None:
    """Whose file ``name`` is, and what to do; None where it is not known to hold labels."""
    lower = PurePosixPath(name).name.lower()
    return next((known for ending, known in ENDINGS.items() if lower.endswith(ending)), None)


def describe(names: list[str]) -> list[str]:
    """A line for each kind of the files ``names``, which `what` knows."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for name in names:
        kinds.setdefault(what(name), []).append(name)
    return [
        f"look: {files[0]}{f' and {len(files) - 1} more' if files[1:] else ''} not read: "
        f"{whose}; {advice}"
        for (whose, advice), files in kinds.items()
    ]


def program_of(columns: list[str]) -> str | None:
    """The program whose result table has these columns, None where none is known."""
    return next((name for name, own in RESULTS.items() if own <= set(columns)), None)
