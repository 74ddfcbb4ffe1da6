"""Jinja2 templates of the report; all values in them are escaped."""

from __future__ import annotations

import json
from pathlib import Path

import jinja2

TEMPLATES = Path(__file__).parent / "templates"
# Signs that turn the direction of the text behind them: in a label, of the sentence around it.
TURNING = {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def environment() -> jinja2.Environment:
    """Templates of the folder ``templates``; an unknown name in one is an error.

    Signs of `TURNING` are shown by their numbers.
    """
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        # not in Markup, which is the page's own
        finalize=lambda value: value.translate(TURNING) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def script_json(value) -> str:
    """Compact JSON that can stand in a script element: no text in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", r"\u003c")
