"""What a folder holds: recordings (by their headers), tables, annotation files."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import soundfile as sf

from stratavox import audio
from stratavox.corpus.user_table import DELIMITERS
from stratavox.errors import StratavoxError
from stratavox.init import sniff

# What people call the formats that soundfile reads.
SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au"}
SUFFIXES |= {".caf", ".w64", ".rf64"}
# What it does not read, but a newcomer may well have.
UNREAD_SUFFIXES = {".m4a", ".mp4", ".aac", ".wma", ".amr", ".3gp", ".wac", ".mov"}
# A header takes some 0.1 ms from a local disk and 5 ms from a slow one: half a minute at most.
MAX_HEADERS = 5000
SHOWN = 5


@dataclass(frozen=True)
class Header:
    """What a recording's header tells."""

    rate: int
    channels: int
    duration_s: float


@dataclass
class Found:
    """All files are named relative to ``folder``, with slashes, sorted.

    ``headers`` and ``unreadable`` (with the reason) are of all recordings, or of an even sample of
    `MAX_HEADERS`; ``annotations`` maps a format to its files.
    """

    folder: Path
    recordings: list[str] = field(default_factory=list)
    headers: dict[str, Header] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    annotations: dict[str, list[str]] = field(default_factory=dict)


def look(folder: Path) -> Found:
    """Walk ``folder``, hidden files and the working directory's results left out.

    Raises `StratavoxError` when it is missing, or holds no recording that can be read.
    """
    if not folder.is_dir():
        raise StratavoxError(
            f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}; "
            "give the folder that holds your recordings"
        )
    found, others = Found(folder), Counter()
    for name in _files(folder):
        suffix = Path(name).suffix.lower()
        if suffix in SUFFIXES:
            found.recordings.append(name)
        elif suffix in UNREAD_SUFFIXES:
            found.unread.append(name)
        elif suffix in DELIMITERS:
            found.tables.append(name)
        elif suffix in sniff.SUFFIXES and (kind := sniff.kind_of(folder / name)):
            found.annotations.setdefault(kind, []).append(name)
        else:
            others[suffix or "no suffix"] += 1
    if not found.recordings:
        raise StratavoxError(_no_recordings(found, others))
    _read_headers(found)
    if not found.headers:
        name, reason = next(iter(found.unreadable.items()))
        raise StratavoxError(
            f"{folder}: none of its {len(found.recordings)} recordings can be read; "
            f"the first: {name}: {reason}"
        )
    return found


def describe(found: Found) -> list[str]:
    """What was found, in lines for people."""
    headers = list(found.headers.values())
    kinds = Counter(Path(name).suffix.lower() for name in found.recordings)
    lengths = sorted(header.duration_s for header in headers)
    total, known = len(found.recordings), len(headers) + len(found.unreadable)
    said = [f"{found.folder}: {total} recordings: {counts(kinds)}"]
    if known < total:
        said.append(f"  headers read: of {known} recordings, evenly spread over all {total}")
    said += [
        f"  sample rates: {counts(Counter(f'{header.rate} Hz' for header in headers))}",
        f"  channels: {counts(Counter(header.channels for header in headers))}",
        f"  durations: {lengths[0]:.3g} to {lengths[-1]:.3g} s, median {median(lengths):.3g} s, "
        f"{sum(lengths) / 60:.1f} min in all",
    ]
    if found.unreadable:
        said.append(f"  {len(found.unreadable)} cannot be read:")
        said += [f"    {name}: {reason}" for name, reason in _first(found.unreadable.items())]
    if found.unread:
        said.append(
            f"  {len(found.unread)} in formats that are not read (convert them to WAV or FLAC): "
            f"{', '.join(_first(found.unread))}"
        )
    said.append(f"  tables: {', '.join(_first(found.tables)) or 'none'}")
    for kind, names in found.annotations.items():
        said.append(f"  annotations: {len(names)} of {sniff.NAMES[kind]}, such as {names[0]}")
    return said


def counts(counter: Counter, most: int = SHOWN) -> str:
    """The most common values and how often each: ``a (3), b (2), and 4 more``."""
    said = [f"{value} ({count})" for value, count in counter.most_common(most)]
    if len(counter) > most:
        said.append(f"and {len(counter) - most} more")
    return ", ".join(said)


def _first(items) -> list:
    return list(items)[:SHOWN]


def _files(folder: Path) -> list[str]:
    own = os.path.abspath("results")
    names = []
    for place, folders, files in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and os.path.abspath(os.path.join(place, name)) != own
        ]
        names += [
            Path(place, name).relative_to(folder).as_posix()
            for name in files
            if not name.startswith(".")
        ]
    return sorted(names)


def _read_headers(found: Found) -> None:
    step = max(1, -(-len(found.recordings) // MAX_HEADERS))
    for name in found.recordings[::step]:
        try:
            info = sf.info(found.folder / name)
        except sf.LibsndfileError as error:
            found.unreadable[name] = f"not audio that can be read ({error.error_string})"
            continue
        if not 0 < info.frames < audio.UNKNOWN_FRAMES:
            found.unreadable[name] = "its header tells no length, or that it is empty"
            continue
        found.headers[name] = Header(info.samplerate, info.channels, info.duration)


def _no_recordings(found: Found, others: Counter) -> str:
    said = f"{found.folder}: no recordings; read are {', '.join(sorted(SUFFIXES))} files. "
    if found.unread:
        return said + (
            f"There are {len(found.unread)} others, such as {found.unread[0]}: convert them to WAV "
            "or FLAC"
        )
    others.update(Path(name).suffix.lower() for name in found.tables)
    if not others and not found.annotations:
        return said + "The folder is empty; give the folder that holds your recordings"
    return said + f"Found: {counts(others)}; give the folder that holds your recordings"
