"""The contents of a folder: recordings (by their headers), tables, annotation files."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from stratavox.audio import AudioError
from stratavox.corpus import sound, user_table
from stratavox.corpus.headers import statements, summary
from stratavox.corpus.match import SUFFIXES, UNREAD_SUFFIXES
from stratavox.corpus.text_table import NO_TEXT, printable
from stratavox.corpus.walk import files_below, links_below
from stratavox.errors import StratavoxError
from stratavox.init import foreign, sniff

# A header takes 0.1 ms from a local disk and 5 ms from a slow one: half a minute at most.
MAX_HEADERS = 5000
# Recorders of audible calls have this rate at most, in Hz; in slow motion by SLOW, a common factor
# for bats, an encoder of 16 kHz hears up to 80 kHz.
HIGHEST_AUDIBLE_RATE, SLOW = 96_000, 0.1
SPEED = (
    "At true speed an encoder of 16 kHz hears nothing above 8 kHz: for higher calls, such as those "
    f"of bats, write speed: {SLOW} (then it hears up to 80 kHz)"
)
SHOWN = 5


@dataclass
class Contents:
    """All files are named relative to ``folder``, with slashes, sorted.

    ``headers`` and ``unreadable`` (reasons) are of all recordings or a sample of
    `MAX_HEADERS`; ``annotations`` maps a format to its files; ``foreign`` are files of programs
    that hold labels and are not read. ``links`` lead to folders, whose files are among the others;
    ``broken`` links lead nowhere.
    """

    folder: Path
    recordings: list[str] = field(default_factory=list)
    headers: dict[str, sound.Header] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    annotations: dict[str, list[str]] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)


def look(folder: Path) -> Contents:
    """The contents of ``folder``, without hidden files and the working directory's results.

    Raises `StratavoxError` when it is missing, or holds no recording that can be read.
    """
    if not folder.is_dir():
        raise StratavoxError(
            f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}; "
            "give the folder that holds your recordings"
        )
    contents, others = Contents(folder), Counter()
    for name in files_below(folder, without=os.path.abspath("results")):
        suffix = Path(name).suffix.lower()
        if (shown := printable(name)) != name:
            if suffix in SUFFIXES:
                contents.unreadable[shown] = NO_TEXT
        elif not (folder / name).exists():
            contents.broken.append(name)
        elif not (folder / name).is_file():  # a pipe may have no end
            others["no file"] += 1
        elif suffix in SUFFIXES:
            contents.recordings.append(name)
        elif suffix in UNREAD_SUFFIXES:
            contents.unread.append(name)
        elif suffix in sniff.SUFFIXES and (kind := sniff.kind_of(folder / name)):
            contents.annotations.setdefault(kind, []).append(name)
        elif user_table.is_table(name) and (suffix != ".txt" or sniff.is_table(folder / name)):
            contents.tables.append(name)
        elif foreign.what(name):
            contents.foreign.append(name)
        else:
            others[suffix or "no suffix"] += 1
    contents.links = links_below(folder)
    if not contents.recordings:
        raise StratavoxError(_no_recordings(contents, others))
    _read_headers(contents)
    if not contents.headers:
        name, reason = next(iter(contents.unreadable.items()))
        raise StratavoxError(
            f"{folder}: none of its {len(contents.recordings)} recordings can be read; "
            f"the first: {name}: {reason}"
        )
    return contents


def describe(contents: Contents) -> list[str]:
    """The contents, in lines to print."""
    headers = list(contents.headers.values())
    kinds = Counter(Path(name).suffix.lower() for name in contents.recordings)
    lengths = sorted(header.duration for header in headers)
    total, known = len(contents.recordings), len(headers) + len(contents.unreadable)
    messages = [f"{contents.folder}: {total} recordings: {counts(kinds)}"]
    if known < total:
        messages.append(f"  headers read: of {known} recordings, evenly spread over all {total}")
    messages += [
        f"  sample rates: {counts(Counter(f'{header.samplerate} Hz' for header in headers))}",
        f"  channels: {counts(Counter(header.channels for header in headers))}",
        f"  durations: {lengths[0]:.3g} to {lengths[-1]:.3g} s, median {median(lengths):.3g} s, "
        f"{sum(lengths) / 60:.1f} min in all",
    ]
    if contents.unreadable:
        name, reason = next(iter(contents.unreadable.items()))
        messages.append(
            f"  look: {len(contents.unreadable)} recordings cannot be read, the first: "
            f"{name}: {reason}"
        )
        unreadable = list(contents.unreadable.items())[1:SHOWN]
        messages += [f"    {name}: {reason}" for name, reason in unreadable]
    facts = summary(
        (name, header.header_s, header.duration, header.time_expansion)
        for name, header in contents.headers.items()
    )
    messages += [f"  look: {line}" for line in statements(facts)]
    if fast := ultrasonic(contents):
        messages.append(f"  look: {len(fast)} recordings are at up to {max(fast)} Hz. {SPEED}")
    if contents.unread:
        messages.append(
            f"  {len(contents.unread)} in formats that are not read (convert them to WAV or FLAC): "
            f"{', '.join(contents.unread[:SHOWN])}"
        )
    if contents.links:
        messages.append(f"  links to folders, followed: {', '.join(first(contents.links))}")
    if contents.broken:
        messages.append(f"  {_broken(contents)}")
    messages.append(f"  tables: {', '.join(contents.tables[:SHOWN]) or 'none'}")
    for kind, names in contents.annotations.items():
        messages.append(f"  annotations: {len(names)} of {sniff.NAMES[kind]}, such as {names[0]}")
    return messages + [f"  {line}" for line in foreign.describe(contents.foreign)]


def ultrasonic(contents: Contents) -> list[int]:
    """The rates, in Hz, of the recordings whose rate is beyond that of audible calls."""
    rates = (header.samplerate for header in contents.headers.values())
    return [rate for rate in rates if rate > HIGHEST_AUDIBLE_RATE]


def counts(counter: Counter) -> str:
    """The most frequent values with their counts: ``a (3), b (2), and 4 more``."""
    return ", ".join(first([f"{value} ({n})" for value, n in counter.most_common()]))


def first(lines: list[str], more: str = "and") -> list[str]:
    """The first `SHOWN` lines, and a last one with the number of the others."""
    others = len(lines) - SHOWN
    return lines[:SHOWN] + ([f"{more} {others} more"] if others > 0 else [])


def _broken(contents: Contents) -> str:
    """The links whose targets are missing."""
    return (
        f"look: {len(contents.broken)} links lead to nothing that is there: "
        f"{', '.join(first(contents.broken))}"
    )


def _read_headers(contents: Contents) -> None:
    step = max(1, -(-len(contents.recordings) // MAX_HEADERS))
    for name in contents.recordings[::step]:
        try:
            contents.headers[name] = sound.header(contents.folder / name)
        except AudioError as error:
            contents.unreadable[name] = str(error)


def _no_recordings(contents: Contents, others: Counter) -> str:
    message = f"{contents.folder}: no recordings; read are {', '.join(sorted(SUFFIXES))} files. "
    if contents.unread:
        return message + (
            f"There are {len(contents.unread)} others, such as {contents.unread[0]}: convert them "
            "to WAV or FLAC"
        )
    if contents.broken:
        message += f"{_broken(contents)}. "
    for name in contents.tables:
        try:
            user_table.read(contents.folder / name)
        except StratavoxError as error:
            return f"{message}{error}"
    others.update(Path(name).suffix.lower() for name in contents.tables)
    summary = (
        f"Found: {counts(others)}" if others or contents.annotations else "The folder is empty"
    )
    return message + f"{summary}; give the folder that holds your recordings"
