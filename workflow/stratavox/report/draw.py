"""The figures of one task, named in the settings' ``figures``, from its answers.

One process draws them all: importing the libraries takes longer than drawing.
"""

from __future__ import annotations

from pathlib import Path

from stratavox.report import (
    atlas,
    centres,
    comparison,
    layers,
    leakage,
    neighbours,
    protocol,
)
from stratavox.report.results import load
from stratavox.report.saving import save_figure
from stratavox.stage import Job
from stratavox.tables import read_table

FIGURES = {
    "layers": layers,
    "comparison": comparison,
    "centres": centres,
    "atlas": atlas,
    "leakage": leakage,
    "neighbours": neighbours,
    "protocol": protocol,
}


def run(job: Job) -> None:
    settings, wildcards = job.settings, job.wildcards
    folders = {path.parent.parent.name: path.parent for path in job.input.encoders}
    answers = job.input.answers.parent
    results = load(wildcards.dataset, wildcards.task, settings["source"], answers, folders)
    beside = {"neighbours": "neighbours", "protocol": "notebook"}
    for name in settings["figures"]:
        figure, given = FIGURES[name], [results]
        if name in beside:
            paths = getattr(job.input, beside[name])
            given.append({encoder_of(path): read_table(path).to_pandas() for path in paths})
        title = f"{results.heading}, {figure.TITLE}"
        stem = getattr(job.output, name).with_suffix("")
        save_figure(figure, given, stem, title, job.provenance)


def encoder_of(path: Path) -> str:
    """The encoder of results/{kind}/{encoder}/{dataset}/{table}."""
    return path.parent.parent.name
