"""What the command line of every stage shares: its settings and the provenance it writes down."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

from stratavox.errors import StratavoxError


def parser(description: str) -> argparse.ArgumentParser:
    """A parser with the two options each stage takes.

    ``--settings`` is the stage's part of the config as a JSON object. ``--provenance`` is a JSON
    object (key, code, versions) that is stored unchanged in the metadata of what the stage writes.
    """
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--settings", type=json_object, default={}, help="JSON object of settings")
    made.add_argument(
        "--provenance", type=json_object, default={}, help="JSON object kept in the outputs"
    )
    return made


def json_object(text: str) -> dict:
    """Parse a JSON object given on the command line."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise StratavoxError(f"not a JSON object on the command line: {text!r} ({error})") from None
    if not isinstance(value, dict):
        raise StratavoxError(f"expected a JSON object on the command line, found {text!r}")
    return value


def only(keys: Iterable[str], settings: dict, of: str) -> dict:
    """``settings`` of the stage ``of``, or an error where their keys are not exactly ``keys``."""
    if sorted(settings) != sorted(keys):
        raise StratavoxError(
            f"--settings of {of}: found the keys {sorted(settings)}, needed are exactly "
            f"{sorted(keys)}"
        )
    return settings
