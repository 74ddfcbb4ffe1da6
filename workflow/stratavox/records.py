"""What Snakemake has written down of an output, and how to tell it that one is not finished."""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64encode
from pathlib import Path

from stratavox import tables
from stratavox.errors import StratavoxError


def unfinish(root: Path, output: str) -> None:
    """Mark ``output``, relative to ``root``, as that of a job that was killed.

    Snakemake then makes it again (rerun-incomplete, profiles/default).
    """
    mark = _record(root, "incomplete", output)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text('{"external_jobid": null}')


def believes(root: Path, output: str, key: str) -> bool:
    """Whether Snakemake would take ``output`` for made of ``key``: it knows no better."""
    try:
        return key in json.dumps(tables.read_json(_record(root, "metadata", output)))
    except StratavoxError:  # its record is lost, or cut short
        return True


def _record(root: Path, kind: str, output: str) -> Path:
    """Where Snakemake keeps a record (``kind``: metadata or incomplete) of an output."""
    name = urlsafe_b64encode(output.encode()).decode()
    longest = os.pathconf(root, "PC_NAME_MAX") - 1
    pieces = [name[i : i + longest] for i in range(0, len(name), longest)]
    return root.joinpath(".snakemake", kind, *(f"@{piece}" for piece in pieces[:-1]), pieces[-1])
