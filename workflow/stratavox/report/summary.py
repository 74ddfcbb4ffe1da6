"""Stage: the report: summary.html (one file, no network), summary.json, config.yaml, CSV tables.

Its input ``index`` is a JSON object that the rules write (rules/common.smk, index): ``datasets``
(name -> source, chorus, archive, hygiene, similarity, shape (encoder -> table), stems (figure ->
stem), tasks (name -> role, answers, folds_json, confounds (a JSON or null), notebook and neighbours
(encoder -> table), stems, umap (encoder -> stem))), ``encoders`` (name -> dirs (dataset ->
embeddings folder)) and ``config``, the merged config. All paths are relative to the working
directory.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from urllib.parse import quote

import yaml
from markupsafe import Markup

from stratavox import words
from stratavox.errors import StratavoxError
from stratavox.report import gather
from stratavox.report.templating import TEMPLATES, environment
from stratavox.stage import Job
from stratavox.tables import atomic_path, read_json, read_table, write_json, write_text

FORMATS = ("html", "svg", "pdf", "png")
# A phone opens a page of this size; further figures are linked and not shown.
PAGE_BYTES = 14_000_000


def shown(content: dict) -> list[dict]:
    """Every figure of the page, those of tasks before datasets' and maps last."""
    tasks = [task for dataset in content["datasets"] for task in dataset["tasks"]]
    figures = [figure for task in tasks for figure in task["figures"]]
    figures += [figure for dataset in content["datasets"] for figure in dataset["figures"]]
    return figures + [panel for task in tasks for panel in task["panels"]]


def pictures(content: dict) -> dict[str, str]:
    """Stem -> SVG as a data address, as many as the page may hold."""
    held, taken = {}, 0
    for figure in shown(content):
        path = Path(f"{figure['stem']}.svg")
        if not path.exists():
            raise StratavoxError(f"{path}: no such file; run the workflow to make it")
        data = base64.b64encode(path.read_bytes()).decode()
        if taken + len(data) <= PAGE_BYTES:
            taken += len(data)
            held[figure["stem"]] = f"data:image/svg+xml;base64,{data}"
    return held


def links(content: dict, out: Path) -> dict[str, dict[str, str]]:
    """Stem -> format -> address relative to the page."""
    return {
        figure["stem"]: {
            kind: quote(os.path.relpath(f"{figure['stem']}.{kind}", out)) for kind in FORMATS
        }
        for figure in shown(content)
    }


def render(content: dict, out: Path, tables: Path) -> str:
    """The page."""
    return (
        environment()
        .get_template("summary.html.j2")
        .render(
            **content,
            outcomes=words.OUTCOMES,
            pictures=pictures(content),
            links=links(content, out),
            tables=quote(os.path.relpath(tables, out)),
            config_text=config_text(content["config"]),
            style=Markup((TEMPLATES / "summary.css").read_text(encoding="utf-8")),
        )
    )


def config_text(config: dict) -> str:
    """The merged config as YAML."""
    return yaml.safe_dump(config, allow_unicode=True, sort_keys=False)


def run(job: Job) -> None:
    index = read_json(job.input.index)
    out, tables = job.output.page.parent, job.output.tables
    content = gather.content(index)
    for name, path in gather.csv_tables(index).items():
        with atomic_path(tables / name) as temporary:
            read_table(path).to_pandas().to_csv(temporary, index=False)
    write_json(content | {"provenance": job.provenance}, job.output.json)
    write_text(config_text(index["config"]), job.output.config)
    write_text(render(content, out, tables), job.output.page)
