"""What the page needs to show a clip: which clips have a picture and a sound, and where."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from stratavox.report.templating import script_json
from stratavox.tables import read_provenance, read_table

FIELDS = ("stem", "label", "start_s", "shown_s", "duration_s", "highest_hz")


def clips(index: dict, page: Path) -> dict:
    """Dataset -> the clips that `stratavox.report.listen` stored, for templates/clips.js.

    ``folder`` is relative to ``page``, the folder of the page; ``clips`` maps a clip_id to the
    values of `FIELDS`; ``speed`` is how fast they are played; ``whole`` counts all clips of the
    dataset. A dataset without maps has none.
    """
    stored = {}
    for name, entry in index["datasets"].items():
        if entry["clips"]:
            rows = read_table(entry["clips"]).to_pylist()
            listen = read_provenance(entry["clips"])["listen"]
            stored[name] = {
                "folder": quote(os.path.relpath(os.path.splitext(entry["clips"])[0], page)),
                **{key: listen[key] for key in ("whole", "speed")},
                "clips": {row["clip_id"]: [row[field] for field in FIELDS] for row in rows},
            }
    return stored


def as_script(value: dict) -> Markup:
    """``value`` as JSON that can stand in a script element: no text in it can end the element."""
    return Markup(script_json(value))
