"""Columns that the names of files hold: by a pattern of fields, or by a regular expression."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

from stratavox.corpus.match import is_recording
from stratavox.corpus.text_table import NO_TEXT, printable
from stratavox.corpus.user_table import RESERVED, UserTable
from stratavox.corpus.walk import files_below
from stratavox.errors import StratavoxError

FIELD = re.compile(r"\{([^{}]*)\}")
FILE = "file"


@dataclass(frozen=True)
class Pattern:
    """``text`` as in the config. ``depth`` folders, beside the name, are matched with it."""

    text: str
    fields: tuple[str, ...]
    expression: re.Pattern
    depth: int

    def read(self, file: str) -> dict[str, str] | None:
        """Field -> text for ``file`` (POSIX), whose ending is left out; None if it does not fit."""
        stem = os.path.splitext(unicodedata.normalize("NFC", file))[0]
        parts = stem.split("/")
        if len(parts) <= self.depth:
            return None
        match = self.expression.fullmatch("/".join(parts[-1 - self.depth :]))
        return match and {name: text or "" for name, text in match.groupdict().items()}

    def reason(self, file: str) -> str:
        """Why the row of a ``file`` that does not fit is not used."""
        return f"the name {file!r} does not fit the pattern {self.text!r} (config key 'name')"


def pattern(text: str) -> Pattern:
    """The pattern ``text``: ``{field}`` and literal text, or a regular expression with (?P<field>.

    A field holds any text, but none of the literal texts of the pattern: a name with a separator
    too many does not fit, rather than being read wrongly. With a slash, folders are matched too.
    Raises `StratavoxError` where it has no field, one twice, or two without a text between them.
    """
    where = f"the config's key 'name', {text!r}"
    if "(?P<" in text:
        try:
            expression = re.compile(text)
        except re.error as error:
            raise StratavoxError(f"{where}: not a regular expression ({error})") from None
        fields = tuple(expression.groupindex)
    else:
        text = unicodedata.normalize("NFC", text)
        parts = FIELD.split(text)
        literals, fields = parts[::2], tuple(parts[1::2])
        if "" in literals[1:-1]:
            raise StratavoxError(
                f"{where}: two fields stand without a text between them; put one there, or give a "
                "regular expression such as (?P<call>[a-z]+)(?P<take>[0-9]+)"
            )
        if bad := [name for name in fields if not name.isidentifier()]:
            raise StratavoxError(
                f"{where}: {bad[0]!r} is no name of a field; use letters, digits and _"
            )
        if len(set(fields)) < len(fields):
            raise StratavoxError(f"{where}: a field occurs twice; give each a name of its own")
        stops = "".join(f"(?!{re.escape(part)})" for part in sorted(set(literals) - {""}))
        expression = "".join(
            re.escape(part) if n % 2 == 0 else f"(?P<{part}>(?:{stops}[^/])+)"
            for n, part in enumerate(parts)
        )
        expression = re.compile(expression)
    if not fields:
        raise StratavoxError(
            f"{where}: it has no field; write one such as {{individual}}_{{recording}}"
        )
    if taken := {FILE, *RESERVED} & set(fields):
        raise StratavoxError(f"{where}: the name {min(taken)!r} is taken; rename this field")
    return Pattern(text, fields, expression, text.count("/"))


def as_table(text: str) -> dict:
    """The keys of a dataset with a table that are equivalent to the config's ``name`` alone."""
    return {"table": text, "file": FILE}


def read(text: str, folder: Path) -> UserTable:
    """One row, from 1, for each recording below ``folder``, with the fields of its name.

    Raises `StratavoxError` as `pattern`, and where there is no recording.
    """
    files = [name for name in files_below(folder, os.path.abspath("results")) if is_recording(name)]
    if not files:
        raise StratavoxError(f"{folder}: no recordings below it; correct the config's key 'path'")
    digest = hashlib.sha256("\0".join([text, *files]).encode("utf-8", "surrogateescape"))
    rows, shown = list(range(1, len(files) + 1)), list(map(printable, files))
    no_text = {
        row: NO_TEXT for row, *same in zip(rows, files, shown, strict=True) if len(set(same)) > 1
    }
    bare = UserTable(folder / text, digest.hexdigest(), rows, {FILE: shown}, no_text)
    return added(text, bare, FILE)


def added(text: str, table: UserTable, file: str) -> UserTable:
    """``table`` with the fields of the names in its column ``file``; rows that do not fit are bad.

    Raises `StratavoxError` as `pattern`, and where a field is also a column of the table.
    """
    fitted = pattern(text)
    if both := [name for name in fitted.fields if name in table.columns]:
        raise StratavoxError(
            f"{table.path}: the column {both[0]!r} is also a field of the config's key 'name' "
            f"({text!r}); rename the field"
        )
    files = [cell.replace("\\", "/") for cell in table.column(file, "file")]
    values = [fitted.read(cell) for cell in files]
    columns = {name: [v[name] if v else "" for v in values] for name in fitted.fields}
    unfit = {
        row: fitted.reason(cell)
        for row, cell, value in zip(table.rows, files, values, strict=True)
        if value is None and cell.strip()
    }
    return replace(table, columns=table.columns | columns, ragged=unfit | table.ragged)
