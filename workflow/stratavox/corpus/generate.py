"""Stage: make the synthetic set and list its clips."""

from __future__ import annotations

from pathlib import Path

from stratavox.corpus import chorus
from stratavox.corpus.listing import write_generated
from stratavox.stage import Job


def generate(settings: dict, raw: Path, out: Path, root: Path) -> None:
    """Write the set to ``raw`` and its scan to ``out``.

    ``settings`` holds shards and what `chorus.write` takes; ``raw`` is relative to ``root``.
    """
    sizes = {key: value for key, value in settings.items() if key != "shards"}
    chorus.write(root / raw, **sizes)
    write_generated(raw, settings["shards"], root, out)


def run(job: Job) -> None:
    generate(job.settings, job.output.raw, job.output.scan, Path())
