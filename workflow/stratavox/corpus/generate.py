"""Stage: generate the synthetic set and list its clips.

The job's settings are shards and what `chorus.write` takes.
"""

from __future__ import annotations

from pathlib import Path

from stratavox.corpus import chorus
from stratavox.corpus.listing import write_generated
from stratavox.stage import Job


def run(job: Job) -> None:
    sizes = {key: value for key, value in job.settings.items() if key != "shards"}
    chorus.write(job.output.raw, **sizes)
    write_generated(job.output.raw, job.settings["shards"], Path(), job.output.scan)
