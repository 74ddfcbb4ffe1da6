"""Stage: generate a synthetic set, of single calls or of soundscapes, and list its clips.

The job's settings are shards and the config's keys of a synthetic set.
"""

from __future__ import annotations

from pathlib import Path

from stratavox.corpus import chorus, soundscapes
from stratavox.corpus.listing import write_generated
from stratavox.stage import Job

MIXED = "soundscapes"


def run(job: Job) -> None:
    sizes = {key: job.settings[key] for key in job.settings if key not in ("shards", MIXED)}
    mixed = job.settings.get(MIXED)
    if mixed:
        used = ("seed", "species", "individuals", "call_types")
        soundscapes.write(job.output.raw, **{key: sizes[key] for key in used}, **mixed)
    else:
        chorus.write(job.output.raw, **sizes)
    write_generated(job.output.raw, job.settings["shards"], Path(), job.output.scan)
