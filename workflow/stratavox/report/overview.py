"""The figures of one dataset, named in the settings' ``figures``: likeness and shape of readouts.

Run as ``python -m stratavox.report.overview``.
"""

from __future__ import annotations

from stratavox.report import shape, similarity, style
from stratavox.report.saving import save_figure
from stratavox.report.shape import Shape
from stratavox.report.similarity import Similarity
from stratavox.stage import Job
from stratavox.tables import read_json, read_table


def run(job: Job) -> None:
    settings = job.settings
    encoders = {path.parent.parent.name: read_json(path) for path in job.input.encoders}
    about = (
        style.dataset_label(job.wildcards.dataset, settings["source"]),
        encoders,
        settings["draws"],
    )
    alike = Similarity(*about, read_table(job.input.similarity).to_pandas())
    shapes = {path.parent.parent.name: read_table(path).to_pandas() for path in job.input.shape}
    given = {"similarity": (similarity, alike), "shape": (shape, Shape(*about, shapes))}
    for name in settings["figures"]:
        figure, data = given[name]
        title = f"{data.dataset}, {figure.TITLE}"
        save_figure(
            figure, [data], getattr(job.output, name).with_suffix(""), title, job.provenance
        )
