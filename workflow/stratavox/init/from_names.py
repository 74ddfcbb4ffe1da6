"""Clips whose labels stand in the names of their files: a pattern, guessed from the names."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import PurePosixPath

from stratavox.corpus import names
from stratavox.init.columns import Column
from stratavox.init.guess import is_target
from stratavox.init.look import Contents, counts
from stratavox.init.recognise import recognise, recorded
from stratavox.init.source import Source

# What may part a name, the finest first: the first that parts nearly all names alike is used.
SEPARATORS = (r"\s+-\s+", r"[\W_]+", r"[\s_]+", r"_+", r"__+", r"-+", r"\.+", r"\s+")
NEARLY_ALL, MOST = 0.95, 0.5
DATES = ("%Y%m%d", "%y%m%d", "%Y-%m-%d", "%d%m%Y", "%d%m%y")
TIMES = ("%H%M%S",)
ISO_DATE = re.compile(r"((?:19|20)\d\d)-(\d\d)-(\d\d)")
# letters and then digits: whistle01
NUMBERED = re.compile(r"([^\W\d_]+)(\d+)")
SHOWN = 3


def of_names(contents: Contents) -> Source | None:
    """One clip a recording, labelled by its name.

    None where the names have no common form, or none of their parts can be a label.
    """
    text = guess(contents.recordings)
    if text is None:
        return None
    fitted = names.pattern(text)
    values = {file: fitted.read(file) for file in contents.recordings}
    files = [file for file, value in values.items() if value]
    cells = {name: [values[file][name] for file in files] for name in fitted.fields}
    columns = [Column(name, of_field) for name, of_field in cells.items()]
    columns += recorded(contents.folder, files)
    columns, further, recognised = recognise(columns)
    if not any(column.useless is None and is_target(column) for column in columns):
        return None
    unfit = len(contents.recordings) - len(files)
    messages = [
        f"  look: no table: {text!r} is guessed from the names of the files; correct it (key name)"
    ]
    for file in files[:SHOWN]:
        parts = ", ".join(f"{name} {values[file][name]}" for name in fitted.fields)
        messages.append(f"    {PurePosixPath(file).name}: {parts}")
    if unfit:
        first = next(file for file, value in values.items() if not value)
        messages.append(f"  look: {unfit} names do not fit it and are left out, such as {first}")
    for name, of_field in cells.items():
        messages.append(f"    {name}: {len(set(of_field))} values: {counts(Counter(of_field))}")
    notes = {"name": "guessed from the names of the files: rename or correct the fields"}
    entry = {"path": contents.folder.as_posix(), "name": text} | further
    return Source(entry, notes, columns, messages + recognised, len(contents.recordings))


def guess(files: list[str]) -> str | None:
    """A pattern (`names.pattern`) that most of the names of ``files`` fit, or None."""
    stems = [os.path.splitext(unicodedata.normalize("NFC", os.path.basename(f)))[0] for f in files]
    for kept in (ISO_DATE, None):  # hyphens of dates may part names or not
        text = _guess([re.sub(kept, r"\1ˑ\2ˑ\3", stem) if kept else stem for stem in stems])
        if text and sum(names.pattern(text).read(f) is not None for f in files) >= MOST * len(
            files
        ):
            return text
    return None


def _guess(stems: list[str]) -> str | None:
    best, share = None, 0.0
    for separator in SEPARATORS:
        forms = Counter(form for stem in stems if (form := _form(stem, separator)))
        form, count = forms.most_common(1)[0] if forms else ((), 0)
        if count / len(stems) > share:
            best, share = (separator, form), count / len(stems)
        if share >= NEARLY_ALL:
            break
    if share >= MOST:
        separator, form = best
        return _pattern(
            [re.split(separator, s) for s in stems if _form(s, separator) == form], form
        )
    if sum(bool(NUMBERED.fullmatch(stem)) for stem in stems) >= MOST * len(stems):
        return r"(?P<type>[^\W\d_]+)(?P<take>\d+)"
    return None


def _form(stem: str, separator: str) -> tuple[str, ...]:
    """The separators of a name; empty where they do not part it into two texts or more."""
    parts = re.split(separator, stem)
    return tuple(re.findall(separator, stem)) if len(parts) > 1 and all(parts) else ()


def _pattern(rows: list[list[str]], separators: tuple[str, ...]) -> str:
    """Names for the parts of the names, by the values of each, and the pattern of them."""
    kinds = [_kind(values) for values in zip(*rows, strict=True)]
    if "take" in kinds:  # the last number counts; others may be labels
        last = len(kinds) - 1 - kinds[::-1].index("take")
        kinds = [None if k == "take" and n != last else k for n, k in enumerate(kinds)]
    called = [
        f"part_{n + 1}" if kind is None or kind in kinds[:n] else kind
        for n, kind in enumerate(kinds)
    ]
    return "".join(
        f"{{{name}}}{sign}" for name, sign in zip(called, (*separators, ""), strict=True)
    )


def _kind(values: tuple[str, ...]) -> str | None:
    """What the values of one part look like: date, time, take, individual, type, or None."""
    distinct = {value.replace("ˑ", "-") for value in values}
    few = 1 < len(distinct) <= len(values) / 2
    for kind, forms in (("date", DATES), ("time", TIMES)):
        if _share(distinct, lambda value, forms=forms: _is_time(value, forms)) >= NEARLY_ALL:
            return kind
    if all(value.isdigit() for value in distinct):
        return "take"
    if _share(distinct, lambda value: any(c.isdigit() for c in value)) > MOST:
        return "individual" if few else None
    return "type" if few else None


def _share(values: set[str], test: Callable[[str], bool]) -> float:
    return sum(map(test, values)) / len(values)


def _is_time(value: str, forms: tuple[str, ...]) -> bool:
    for form in forms:
        try:
            time = datetime.strptime(value, form)
        except ValueError:
            continue
        # strptime takes single digits too, so that any number would be some time
        if len(time.strftime(form)) == len(value) and (forms is TIMES or 1970 < time.year < 2069):
            return True
    return False
