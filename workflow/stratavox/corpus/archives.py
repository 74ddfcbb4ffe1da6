"""The table of published archives: the one of Stratavox, and the user's, which takes precedence."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path

import yaml

from stratavox import config
from stratavox.errors import StratavoxError

SHIPPED = Path(__file__).with_name("archives.yaml")
SCHEMA = config.SCHEMA.with_name("archives.schema.yaml")


def table(own: Path | None = None) -> dict[str, dict]:
    """Every archive by name; an entry of the table ``own`` replaces a shipped one.

    Raises `StratavoxError`, naming table and key, for what the schema does not allow.
    """
    return _read(SHIPPED) | (_read(own) if own else {})


def entry(name: str, own: Path | None = None) -> dict:
    """One archive's entry; raises `StratavoxError` with the allowed names."""
    known = table(own)
    if name not in known:
        where = f"{SHIPPED.name} and {own}" if own else f"{SHIPPED.name}; downloads.archives adds"
        raise StratavoxError(f"found {name!r}; allowed: {', '.join(sorted(known))} ({where})")
    return known[name]


def columns(archive: dict) -> tuple[str, ...]:
    """The columns of the table that the stage arrange writes for the archive."""
    return importlib.import_module(f"stratavox.corpus.{archive['layout']}").COLUMNS


def bounds(archive: dict) -> dict[str, str]:
    """The config's keys start and end of that table, where its clips lie within recordings."""
    named = {"start": "start_s", "end": "end_s"}
    return named if set(named.values()) <= set(columns(archive)) else {}


def identity(archive: dict) -> list[str]:
    """Each file's checksum or, where none is published, its address and size.

    A mirror of the same files, or a corrected citation, does not change it.
    """
    return [file["checksum"] or f"{file['address']} {file['bytes']}" for file in archive["files"]]


def _read(path: Path) -> dict[str, dict]:
    try:
        archives = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise StratavoxError(
            f"{path}: no such table of archives; correct the config's key downloads.archives"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StratavoxError(f"{path}: not a YAML table of archives: {error}") from None
    problems = config.problems(archives, SCHEMA)
    if not problems:
        problems = [
            f"{name}.files: the name {file!r} is given twice"
            for name, archive in archives.items()
            for file, times in Counter(entry["name"] for entry in archive["files"]).items()
            if times > 1
        ]
    if problems:
        raise StratavoxError(f"{path} cannot be used:\n  " + "\n  ".join(problems))
    return archives
