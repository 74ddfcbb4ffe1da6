"""Stage: figures from tables, in every format: of a task, of a dataset, or an encoder's map.

One process draws several figures, because importing the libraries takes longer than drawing.
"""

from __future__ import annotations

from pathlib import Path

from stratavox import words
from stratavox.report import export, figures, paper, screen
from stratavox.report.figure import Figure
from stratavox.report.results import Overview, load
from stratavox.stage import Job
from stratavox.tables import read_json, read_table


def run(job: Job) -> None:
    for name, figure in figures_of(job).items():
        stem = getattr(job.output, name).with_suffix("")
        save(figure, stem, job.provenance, Path(job.settings["plotlyjs"]))


def save(figure: Figure, stem: Path, provenance: dict, plotlyjs: Path) -> None:
    """Write a figure in every format; the interactive one loads ``plotlyjs``."""
    paper.save(figure, stem, provenance)
    screen.save(figure, stem, provenance, plotlyjs)
    export.save(figure, stem)


def figures_of(job: Job) -> dict[str, Figure]:
    """The figures that a job draws, by name."""
    about = {"map": _map, "dataset": _dataset}.get(job.settings["scope"], _task)
    data, tables = about(job)
    places = vars(job.wildcards)
    return {name: figures.build(name, data, tables, places) for name in job.settings["figures"]}


def _task(job: Job) -> tuple:
    """A task's answers, and the tables of each encoder that the rule names."""
    folders = {encoder: path.parent for encoder, path in _by_encoder(job.input.encoders).items()}
    place = (job.wildcards.dataset, job.wildcards.task, job.settings["source"])
    results = load(*place, job.input.answers.parent, folders, job.settings["encoders"])
    kinds = [kind for kind in ("neighbours", "notebook") if hasattr(job.input, kind)]
    return results, {kind: _tables(getattr(job.input, kind)) for kind in kinds}


def _dataset(job: Job) -> tuple:
    """A dataset's encoders, and the tables on their readouts."""
    encoders = {name: read_json(path) for name, path in _by_encoder(job.input.encoders).items()}
    heading = words.dataset(job.wildcards.dataset, job.settings["source"])
    similarity = read_table(job.input.similarity).to_pandas()
    tables = {"similarity": similarity, "shape": _tables(job.input.shape)}
    about = job.settings["draws"], job.settings["encoders"]
    return Overview(heading, encoders, *about), tables


def _map(job: Job) -> tuple:
    """The clips of a task, and one encoder's map of them."""
    umap, wildcards = figures.module("umap"), job.wildcards
    encoder = words.encoder(wildcards.encoder, read_json(job.input.encoder)["weights"])
    dataset = words.dataset(wildcards.dataset, job.settings["source"])
    heading = f"{encoder} on {dataset}: {wildcards.task}"
    clips = umap.labels(heading, wildcards.task, job.input.folds, job.input.summary)
    return clips, {"umap": umap.read_map(job.input.umap, clips)}


def _by_encoder(paths: list[Path]) -> dict[str, Path]:
    """Encoder -> its path, from results/{kind}/{encoder}/{dataset}/{file}."""
    return {path.parent.parent.name: path for path in paths}


def _tables(paths: list[Path]) -> dict:
    """Encoder -> its table."""
    return {name: read_table(path).to_pandas() for name, path in _by_encoder(paths).items()}
