"""Stage: the report: summary.html (one file, no network), summary.json, config.yaml, CSV tables.

Its input ``index`` is a JSON object that the rules write (rules/common.smk, index): ``datasets``
(name -> source, instead, chorus, archive, hygiene, similarity, clips (a table or null), shape
(encoder -> table), stems (figure -> stem), tasks (name -> role, answers, folds_json, confounds (a
JSON or null), notebook and neighbours (encoder -> table), stems, umap (encoder -> stem))),
``encoders`` (name -> dirs (dataset -> embeddings folder)), ``config``, the merged config, and
``unfinished``: null, or what an unfinished run lacks (``missing``, sentences, and ``failed``, pairs
of a job and a reason). All paths are relative to the working directory.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
from pathlib import Path
from urllib.parse import quote

import yaml
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from stratavox import words
from stratavox.errors import StratavoxError
from stratavox.report import gather, player, screen
from stratavox.report.figures import FORMATS, TOPICS
from stratavox.report.templating import TEMPLATES, environment
from stratavox.stage import Job
from stratavox.tables import atomic_path, read_json, read_table, write_json, write_text

# A phone opens a page of this size; further figures are linked and not shown.
PAGE_BYTES = 7_500_000


def shown(content: dict) -> list[dict]:
    """Every figure of the page: the cards', then those of tasks and of datasets, maps last."""
    tasks = [task for dataset in content["datasets"] for task in dataset["tasks"]]
    figures = [figure for task in tasks for figure in task["figures"]]
    figures += [figure for dataset in content["datasets"] for figure in dataset["figures"]]
    topics = list(TOPICS)
    return sorted(figures, key=lambda figure: topics.index(figure["topic"]))


def embedded(content: dict, room: int) -> tuple[dict[str, str], dict[str, str]]:
    """(stem -> SVG as a data address, stem -> data of the interactive figure as JSON).

    As many figures as ``room`` bytes hold, in the order of `shown`.
    """
    pictures, specs = {}, {}
    for figure in shown(content):
        stem = figure["stem"]
        path = Path(f"{stem}.svg")
        if not path.exists():
            raise StratavoxError(f"{path}: no such file; run the workflow to make it")
        address, spec = data_address(path.read_text(encoding="utf-8")), screen.spec(Path(stem))
        room -= len(address) + len(spec)
        if room >= 0:
            pictures[stem], specs[stem] = address, spec
    return pictures, specs


def data_address(svg: str) -> str:
    """An SVG as an address for an ``img``; shorter than in base 64."""
    return "data:image/svg+xml," + quote(svg, safe=" !$&()*+,-./:;=?@[]^_`{|}~<>'")


def packed_plotly() -> str:
    """plotly.js, packed by gzip, in base 64: a third of its size."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode()


def links(content: dict, out: Path) -> dict[str, dict[str, str]]:
    """Stem -> format -> address relative to the page."""
    return {
        figure["stem"]: {
            kind: quote(os.path.relpath(f"{figure['stem']}.{kind}", out)) for kind in FORMATS
        }
        for figure in shown(content)
    }


def matrix(content: dict) -> dict:
    """Encoders -> columns, target tasks -> rows: the block chosen in training and its score."""
    tasks = [task for dataset in content["datasets"] for task in dataset["tasks"]]
    targets = [task for task in tasks if task["role"] == "target"]
    labels = {name: label for task in targets for name, label in task["labels"].items()}
    return {
        "labels": list(labels.values()),
        "rows": [
            {key: task[key] for key in ("heading", "anchor")}
            | {"cells": [task["cells"].get(name) for name in labels]}
            for task in targets
        ],
    }


def render(content: dict, clips: dict, out: Path, tables: Path) -> str:
    """The page in the folder ``out``; ``clips`` is what `player.clips` returns."""
    plotly = packed_plotly()
    pictures, specs = embedded(content, PAGE_BYTES - len(plotly))
    summary, own, *scripts = (
        (TEMPLATES / name).read_text(encoding="utf-8")
        for name in ("summary.css", "clips.css", "figure.js", "clips.js", "page.js")
    )
    return (
        environment()
        .get_template("summary.html.j2")
        .render(
            **content,
            topics=TOPICS,
            outcomes=words.OUTCOMES,
            matrix=matrix(content),
            pictures={stem: Markup(address) for stem, address in pictures.items()},
            specs="{"
            + ",".join(f"{json.dumps(stem)}:{spec}" for stem, spec in specs.items())
            + "}",
            plotly=plotly,
            clips=player.as_script(clips),
            script="".join(scripts),
            links=links(content, out),
            tables=quote(os.path.relpath(tables, out)),
            config_text=config_text(content["config"]),
            style=Markup(summary + own),
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
    write_text(render(content, player.clips(index, out), out, tables), job.output.page)
