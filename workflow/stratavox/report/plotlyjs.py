"""Stage: plotly.min.js, once for all interactive figures of a run."""

from __future__ import annotations

from plotly.offline import get_plotlyjs

from stratavox.stage import Job
from stratavox.tables import write_text


def run(job: Job) -> None:
    write_text(get_plotlyjs(), job.output.script)
