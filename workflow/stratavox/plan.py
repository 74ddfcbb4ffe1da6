"""What each file of a run depends on: the one place where stale is told from fresh.

Every stage carries a key: a digest of the code it runs, the versions of what that code imports, its
settings, and the keys (or the content) of what it reads. A changed key is all that makes Snakemake
rerun a job, so times of files do not matter and nothing stale is missed. The chain is the one of
DESIGN section 4: scan -> inspect -> clips -> part -> collect -> linear -> infer -> figures.
"""

# A process makes one plan and keeps it to its end, so caching on methods loses no memory.
# ruff: noqa: B019

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pyarrow as pa
import yaml

from stratavox import config as configs
from stratavox import fingerprint, tables
from stratavox.corpus import archives, join, scan
from stratavox.corpus.annotations import table as annotated
from stratavox.corpus.identity import shard_digests
from stratavox.corpus.labels import check_columns
from stratavox.corpus.user_table import UserTable
from stratavox.encoders import catalogue
from stratavox.errors import StratavoxError

PROJECT = Path(__file__).resolve().parents[2]
TEMPLATES = Path(__file__).parent / "report" / "templates"
FORMATS = ("svg", "pdf", "png", "html")
TASK_FIGURES = ("layers", "comparison", "centres", "atlas", "leakage", "neighbours")
NUISANCE_FIGURES = ("layers", "leakage")
DATASET_FIGURES = ("similarity", "shape")


class Plan:
    """The run that a config asks for, in the working directory ``root``.

    With ``look`` the datasets' folders are scanned; without, as in the jobs that Snakemake starts
    on a cluster, the scan that is there is read. Raises `StratavoxError` for whatever in the
    config, the tables or the encoders' files cannot be used.
    """

    def __init__(self, config: dict, root: Path, look: bool = True):
        self.root = root
        self.config = configs.check(config)
        asked = self.config["run"]
        self.datasets = {name: self.config["datasets"][name] for name in asked["datasets"]}
        entries = {name: self.config["encoders"][name] for name in asked["encoders"]}
        drawn = {name: configs.draws(name, entry) for name, entry in entries.items()}
        self.encoders = {new: entry for several in drawn.values() for new, entry in several.items()}
        # the names that are random draws of one encoder, by what they are called together
        self.draws = {name: list(drawn[name]) for name, e in entries.items() if "seeds" in e}
        for name, encoder in self.encoders.items():
            with _at(f"encoders.{name}"):
                catalogue.check(encoder)
        self._scans: dict[str, pa.Table] = {}
        self._labels: dict[str, pa.Table] = {}
        self._joins: dict[str, UserTable] = {}
        self._archives: dict[str, dict] = {}
        for name, dataset in self.datasets.items():
            with _at(f"datasets.{name}"):
                if "join" in dataset:
                    self._joins[name] = join.read(dataset["join"], root)
                if dataset["source"] == "archive":
                    self._archives[name] = self._archive(name, dataset)
                elif not self.generated(name):
                    self._look(name, look)

    def _look(self, name: str, look: bool) -> None:
        out = self.root / f"results/corpus/{name}/scan.parquet"
        settings = self.corpus_settings(name)
        if look or not out.exists():
            self._scans[name] = scan.scan(settings, self.root, out)
        else:
            self._scans[name] = tables.read_table(out)
        labels = scan.label_columns(settings, self.root)
        self._labels[name] = scan.with_recorders(labels, self._scans[name])
        columns = [column for column in self._labels[name].column_names if column != "row"]
        self._check_columns(name, columns)

    def _archive(self, name: str, dataset: dict) -> dict:
        """The entry of the dataset's archive; the columns it will have are known before it is."""
        own = self.config["downloads"]["archives"]
        with _at("archive"):
            entry = archives.entry(dataset["archive"], self.root / own if own else None)
        columns = list(archives.columns(entry))
        if name in self._joins:
            columns += [column for column in self._joins[name].columns if column not in columns]
        self._check_columns(name, columns)
        return entry

    def _check_columns(self, name: str, columns: list[str]) -> None:
        """Raise for a column that the dataset's entry asks for and its tables have not."""
        dataset = self.datasets[name]
        asked = [(key, column) for key in ("recording", "confounds") for column in dataset[key]]
        for task, entry in dataset["tasks"].items():
            asked += [(f"tasks.{task}.{key}", entry[key]) for key in ("target", "group")]
        check_columns(asked, columns, self.corpus_settings(name))

    # ---- what there is ----

    def tasks(self, dataset: str) -> list[str]:
        return list(self.datasets[dataset]["tasks"])

    def targets(self, dataset: str) -> list[str]:
        """Tasks the study asks about; the others are nuisances, of which less is told."""
        tasks = self.datasets[dataset]["tasks"]
        return [name for name, entry in tasks.items() if entry["role"] == "target"]

    def confound_columns(self, dataset: str, task: str) -> list[str]:
        """The columns whose association with the task's target is told."""
        entry = self.datasets[dataset]
        return [name for name in entry["confounds"] if name != entry["tasks"][task]["target"]]

    def generated(self, dataset: str) -> bool:
        """Whether a rule makes the recordings, so that there is nothing to scan before."""
        return self.datasets[dataset]["source"] in ("chorus", "archive")

    def deep(self) -> list[str]:
        """The encoders with blocks."""
        return [name for name, entry in self.encoders.items() if catalogue.has_blocks(entry)]

    def attended(self, dataset: str, task: str) -> list[str]:
        """The encoders whose tokens are probed for the task."""
        attention = self.datasets[dataset]["probes"]["attention"]
        if not attention or task not in self.targets(dataset):
            return []
        names = [new for name in attention["encoders"] for new in self.draws.get(name, [name])]
        return [name for name in names if name in self.encoders]

    def as_notebook(self, dataset: str, task: str) -> list[str]:
        """The encoders that are also scored by the notebook's protocol for the task."""
        asked = self.datasets[dataset]["probes"]["protocol"] == "notebook"
        return list(self.encoders) if asked and task in self.targets(dataset) else []

    def shards(self, dataset: str) -> list[str]:
        """Names of the dataset's shards: 000, 001, ..."""
        return [f"{shard:03d}" for shard in range(self.datasets[dataset]["shards"])]

    def clip_count(self, dataset: str) -> int:
        """About how many clips there are, to tell what a job will need."""
        if dataset in self._scans:
            return self._scans[dataset]["reason"].null_count  # asked for every job
        if dataset in self._archives:
            return self._archives[dataset]["unpacked_files"]  # at most: it was not looked into
        sizes = self.datasets[dataset]["chorus"]
        return math.prod(sizes[k] for k in ("species", "individuals", "call_types", "renditions"))

    def rate(self, encoder: str) -> int:
        """Sample rate in Hz that the encoder is fed with."""
        return catalogue.rate(self.encoders[encoder])

    def receipt(self, encoder: str) -> str | None:
        """What is written of the published weights that the encoder waits for."""
        fetched = self.encoders[encoder].get("weights") == "pretrained"
        return f"results/downloads/weights/{encoder}.json" if fetched else None

    def corpus_settings(self, dataset: str) -> dict:
        """The dataset's entry less what is asked of it, with folder and table where it has none."""
        settings = {
            key: value
            for key, value in self.datasets[dataset].items()
            if key not in ("tasks", "probes", "recording", "confounds")
        }
        if self.generated(dataset):
            raw = f"results/corpus/{dataset}/raw"
            settings |= {"path": raw, "table": "metadata.csv", "file": "file"}
            if "join" in settings:
                # no cell of such a set can be looked at before, so all of the file counts
                settings["join"] = settings["join"] | {"sha256": self._joins[dataset].sha256}
        if "annotations" in settings:
            settings |= annotated.as_table(settings["annotations"])
        return settings

    # ---- stages: what each is told ("settings") and what it depends on ("key") ----

    @cache
    def generate(self, dataset: str) -> dict:
        entry = self.datasets[dataset]
        return _node("corpus.generate", entry["chorus"] | {"shards": entry["shards"]}, [])

    @cache
    def fetch(self, dataset: str) -> dict:
        # Not the code: it carries the archive, and what an archive is does not depend on it.
        made = {"stage": "corpus.fetch", "key": _digest(archives.identity(self._archives[dataset]))}
        return {"settings": {"archive": self.datasets[dataset]["archive"]}, "provenance": made}

    @cache
    def arrange(self, dataset: str) -> dict:
        entry = self._archives[dataset]
        told = ("layout", "members", "unpacked_bytes", "unpacked_files")
        settings = {key: entry[key] for key in told} | {"shards": len(self.shards(dataset))}
        layout = f"corpus.{entry['layout']}"
        return _node("corpus.arrange", settings, [_key(self.fetch(dataset))], layout)

    @cache
    def inspect(self, dataset: str, shard: str) -> dict:
        settings, content = self._audio(dataset), self._shard(dataset, shard)
        if dataset in self._scans:
            settings |= {"content": content}
        return _node("corpus.inspect", settings, [content])

    @cache
    def manifest(self, dataset: str) -> dict:
        settings = self.corpus_settings(dataset)
        rows = []
        if not self.generated(dataset):
            columns = [name for name in self._labels[dataset].column_names if name != "row"]
            settings |= self._cells(dataset, columns)
            rows = [_digest(self._scans[dataset].select(["row", "reason"]).to_pydict())]
        shards = [_key(self.inspect(dataset, shard)) for shard in self.shards(dataset)]
        joined = [self._joins[dataset].sha256] if dataset in self._joins else []
        return _node("corpus.manifest", settings, rows + shards + joined)

    @cache
    def clips(self, dataset: str, rate: int, shard: str) -> dict:
        settings = self._audio(dataset) | {"rate": int(rate)}
        return _node("corpus.clips", settings, [_key(self.inspect(dataset, shard))])

    @cache
    def weights(self, encoder: str) -> dict:
        return _node("encoders.hub", catalogue.published(self.encoders[encoder]), [])

    @cache
    def part(self, encoder: str, dataset: str, shard: str) -> dict:
        settings = self._loaded(encoder)
        family = f"encoders.{settings['family']}.load"
        return _node("embed.part", settings, self._fed(encoder, dataset, shard), family)

    @cache
    def collect(self, encoder: str, dataset: str) -> dict:
        parts = [_key(self.part(encoder, dataset, shard)) for shard in self.shards(dataset)]
        return _node("embed.collect", {"encoder": encoder}, parts)

    @cache
    def folds(self, dataset: str, task: str) -> dict:
        entry = self.datasets[dataset]["tasks"][task]
        probes = self.datasets[dataset]["probes"]
        columns = [entry["target"], *([entry["group"]] if entry["group"] else [])]
        columns += self.datasets[dataset]["recording"]
        settings = {
            "dataset": dataset,
            "task": task,
            **self._tables(dataset, columns),
            **self._cells(dataset, columns),
            **{key: entry[key] for key in ("target", "group", "min_clips", "min_groups")},
            "recording": self.datasets[dataset]["recording"],
            **{
                key: probes[key] for key in ("max_clips", "folds", "inner_folds", "repeats", "seed")
            },
        }
        shards = [_key(self.inspect(dataset, shard)) for shard in self.shards(dataset)]
        return _node("probe.folds", settings, shards)

    @cache
    def confounds(self, dataset: str, task: str) -> dict:
        columns = self.confound_columns(dataset, task)
        settings = {"dataset": dataset, "task": task, "confounds": columns}
        settings |= self._tables(dataset, columns) | self._cells(dataset, columns)
        settings["seed"] = self.datasets[dataset]["probes"]["seed"]
        return _node("probe.confounds", settings, [_key(self.folds(dataset, task))])

    @cache
    def acoustics(self, dataset: str, shard: str) -> dict:
        rate = catalogue.BASELINE_RATE
        needs = [_key(self.clips(dataset, rate, shard))]
        return _node("corpus.acoustics", {"rate": rate}, needs)

    @cache
    def linear(self, encoder: str, dataset: str, task: str) -> dict:
        keys = ("inner_folds", "c_grid", "permutations", "control_tasks", "fusions", "seed")
        return self._probe("probe.linear", keys, encoder, dataset, task)

    @cache
    def notebook(self, encoder: str, dataset: str, task: str) -> dict:
        return self._probe("probe.notebook", (), encoder, dataset, task)

    @cache
    def atlas(self, encoder: str, dataset: str, task: str) -> dict:
        keys = ("inner_folds", "seed")
        return self._probe("probe.atlas", keys, encoder, dataset, task, self._acoustics(dataset))

    @cache
    def conditional(self, encoder: str, dataset: str, task: str) -> dict:
        keys = ("inner_folds", "c_grid", "seed")
        needs = self._acoustics(dataset)
        return self._probe("probe.conditional", keys, encoder, dataset, task, needs)

    @cache
    def tokens(self, encoder: str, dataset: str, shard: str) -> dict:
        attention = self.datasets[dataset]["probes"]["attention"]
        settings = {key: attention[key] for key in ("readouts", "keep")}
        # a shard is told its share: it knows nothing of the others
        settings["budget_gb"] = attention["budget_gb"] / self.datasets[dataset]["shards"]
        settings["encoder"] = self._loaded(encoder)
        family = f"encoders.{self.encoders[encoder]['family']}.load"
        return _node("embed.tokens", settings, self._fed(encoder, dataset, shard), family)

    @cache
    def attention(self, encoder: str, dataset: str, task: str) -> dict:
        probes = self.datasets[dataset]["probes"]
        apart = ("encoders", "readouts", "keep", "budget_gb")
        settings = {k: v for k, v in probes["attention"].items() if k not in apart}
        needs = [_key(self.tokens(encoder, dataset, shard)) for shard in self.shards(dataset)]
        needs.append(_key(self.folds(dataset, task)))
        return _node("probe.attention", settings | {"seed": probes["seed"]}, needs)

    @cache
    def infer(self, dataset: str, task: str) -> dict:
        probes = self.datasets[dataset]["probes"]
        told = ("folds", "inner_folds", "repeats", "permutations", "control_tasks", "margin")
        settings = {key: probes[key] for key in told}
        settings |= {"task": task, "draws": self.draws}
        needs = [_key(self.linear(encoder, dataset, task)) for encoder in self.encoders]
        if task in self.targets(dataset):
            needs += [_key(self.atlas(encoder, dataset, task)) for encoder in self.encoders]
            needs += [_key(self.conditional(encoder, dataset, task)) for encoder in self.deep()]
        attended = self.attended(dataset, task)
        needs += [_key(self.attention(encoder, dataset, task)) for encoder in attended]
        return _node("inference.infer", settings, needs)

    @cache
    def umap(self, encoder: str, dataset: str) -> dict:
        settings = self.config["figures"]["umap"]
        return _node("geometry.umap", settings, [_key(self.collect(encoder, dataset))])

    @cache
    def shape(self, encoder: str, dataset: str) -> dict:
        settings = self._geometry("matched_clips", "draws", "seed")
        return _node("geometry.shape", settings, [_key(self.collect(encoder, dataset))])

    @cache
    def neighbours(self, encoder: str, dataset: str, task: str) -> dict:
        needs = [_key(self.collect(encoder, dataset)), _key(self.folds(dataset, task))]
        return _node("geometry.neighbours", self._geometry("max_clips", "seed"), needs)

    @cache
    def similarity(self, dataset: str) -> dict:
        needs = [_key(self.collect(encoder, dataset)) for encoder in self.encoders]
        return _node("geometry.similarity", self._geometry("max_clips", "seed"), needs)

    @cache
    def task_figures(self, dataset: str, task: str) -> dict:
        needs = [_key(self.neighbours(name, dataset, task)) for name in self.encoders]
        needs.append(_key(self.infer(dataset, task)))
        return self._drawn("draw", dataset, needs, TASK_FIGURES)

    @cache
    def protocol_figure(self, dataset: str, task: str) -> dict:
        needs = [_key(self.notebook(name, dataset, task)) for name in self.encoders]
        needs.append(_key(self.infer(dataset, task)))
        return self._drawn("draw", dataset, needs, ["protocol"])

    @cache
    def nuisance_figures(self, dataset: str, task: str) -> dict:
        return self._drawn("draw", dataset, [_key(self.infer(dataset, task))], NUISANCE_FIGURES)

    @cache
    def dataset_figures(self, dataset: str) -> dict:
        needs = [_key(self.shape(name, dataset)) for name in self.encoders]
        needs.append(_key(self.similarity(dataset)))
        return self._drawn("overview", dataset, needs, DATASET_FIGURES)

    @cache
    def panels(self, encoder: str, dataset: str, task: str) -> dict:
        needs = [_key(self.umap(encoder, dataset)), _key(self.folds(dataset, task))]
        return self._drawn("panels", dataset, needs, ["umap"])

    @cache
    def summary(self) -> dict:
        needs = [_content(template) for template in sorted(TEMPLATES.iterdir())]
        for dataset in self.datasets:
            needs.append(_key(self.manifest(dataset)))
            needs.append(_key(self.dataset_figures(dataset)))
            for task in self.tasks(dataset):
                if self.confound_columns(dataset, task):
                    needs.append(_key(self.confounds(dataset, task)))
                if task not in self.targets(dataset):
                    needs.append(_key(self.nuisance_figures(dataset, task)))
                    continue
                needs.append(_key(self.task_figures(dataset, task)))
                if self.as_notebook(dataset, task):
                    needs.append(_key(self.protocol_figure(dataset, task)))
                for name in self.mapped(dataset, task):
                    needs.append(_key(self.panels(name, dataset, task)))
        return _node("report.summary", self.index(), needs)

    def mapped(self, dataset: str, task: str) -> list[str]:
        """The encoders that get UMAP panels of the task: of random draws the first."""
        if task not in self.targets(dataset):
            return []
        later = {name for drawn in self.draws.values() for name in drawn[1:]}
        return [name for name in self.deep() if name not in later]

    def index(self) -> dict:
        """What belongs together, for the report: paths relative to the working directory."""
        return {
            "datasets": {dataset: self._dataset_index(dataset) for dataset in self.datasets},
            "encoders": {
                encoder: {
                    "dirs": {
                        dataset: f"results/embeddings/{encoder}/{dataset}"
                        for dataset in self.datasets
                    }
                }
                for encoder in self.encoders
            },
            # less the place of the cache, which is this machine's business
            "config": self.config
            | {"downloads": {"archives": self.config["downloads"]["archives"]}},
        }

    def _dataset_index(self, dataset: str) -> dict:
        figures = f"results/figures/{dataset}"
        return {
            "source": self.datasets[dataset]["source"],
            "chorus": self.datasets[dataset].get("chorus"),
            "archive": self._archive_index(dataset) if dataset in self._archives else None,
            "hygiene": f"results/corpus/{dataset}/hygiene.json",
            "similarity": f"results/similarity/{dataset}.parquet",
            "shape": {
                encoder: f"results/geometry/{encoder}/{dataset}/shape.parquet"
                for encoder in self.encoders
            },
            "stems": {name: f"{figures}/{name}" for name in DATASET_FIGURES},
            "tasks": {task: self._task_index(dataset, task) for task in self.tasks(dataset)},
        }

    def _archive_index(self, dataset: str) -> dict:
        entry = self._archives[dataset]
        about = {key: entry[key] for key in ("licence", "citation", "doi")}
        return about | {"account": f"results/corpus/{dataset}/archive.json"}

    def _task_index(self, dataset: str, task: str) -> dict:
        figures = f"results/figures/{dataset}"
        if task not in self.targets(dataset):
            near, folder, names = [], f"{figures}/nuisance/{task}", NUISANCE_FIGURES
        else:
            near, folder = list(self.encoders), f"{figures}/{task}"
            names = [*TASK_FIGURES, *(["protocol"] if self.as_notebook(dataset, task) else [])]
        return {
            "role": self.datasets[dataset]["tasks"][task]["role"],
            "answers": f"results/answers/{dataset}/{task}",
            "folds_json": f"results/folds/{dataset}/{task}.json",
            "confounds": f"results/confounds/{dataset}/{task}.json"
            if self.confound_columns(dataset, task)
            else None,
            "notebook": {
                encoder: f"results/notebook/{encoder}/{dataset}/{task}.parquet"
                for encoder in self.as_notebook(dataset, task)
            },
            "neighbours": {
                encoder: f"results/geometry/{encoder}/{dataset}/{task}.neighbours.parquet"
                for encoder in near
            },
            "stems": {name: f"{folder}/{name}" for name in names},
            "umap": {
                encoder: f"{figures}/{encoder}/umap_{task}"
                for encoder in self.mapped(dataset, task)
            },
        }

    def _probe(
        self, stage: str, keys: tuple, encoder: str, dataset: str, task: str, needs=()
    ) -> dict:
        """A stage that probes one encoder on one task with some of the dataset's probe settings."""
        settings = {key: self.datasets[dataset]["probes"][key] for key in keys}
        needs = [*needs, _key(self.collect(encoder, dataset)), _key(self.folds(dataset, task))]
        return _node(stage, settings, needs)

    def _acoustics(self, dataset: str) -> list[str]:
        return [_key(self.acoustics(dataset, shard)) for shard in self.shards(dataset)]

    def _fed(self, encoder: str, dataset: str, shard: str) -> list[str]:
        """What an encoder's pass over a shard reads: the clips and its weights."""
        clips = self.clips(dataset, self.rate(encoder), shard)
        return [_key(clips), *self._weights(encoder)]

    def _geometry(self, *keys: str) -> dict:
        return {key: self.config["geometry"][key] for key in keys}

    def _drawn(self, name: str, dataset: str, needs: list[str], figures: Sequence[str]) -> dict:
        settings = {"source": self.datasets[dataset]["source"], "figures": list(figures)}
        settings["draws"] = self.draws
        page = _content(TEMPLATES / "interactive.html.j2")
        return _node(f"report.{name}", settings, [page, *needs])

    def _audio(self, dataset: str) -> dict:
        settings = self.corpus_settings(dataset)
        return {key: settings[key] for key in ("path", "channel", "trim_zeros", "shards")}

    def _tables(self, dataset: str, columns: list[str]) -> dict:
        """What names the user's tables that hold ``columns``: the join only where one is its."""
        settings = self.corpus_settings(dataset)
        keys = ["path", "table", "file", *(["annotations"] if "annotations" in settings else [])]
        if dataset in self._joins:
            further = set(self._joins[dataset].columns) - {settings["join"]["by"]}
            keys += ["join"] if further.intersection(columns) else []
        return {key: settings[key] for key in keys}

    def _cells(self, dataset: str, columns: list[str]) -> dict:
        """The labels in ``columns``; of generated sets what makes them is in other keys."""
        if self.generated(dataset):
            return {}
        found = scan.label_digest(self._scans[dataset], self._labels[dataset], columns)
        return {"cells": {"columns": columns, "sha256": found}}

    def _shard(self, dataset: str, shard: str) -> str:
        """Content of a shard: that of its files, or of what generates them."""
        if dataset in self._scans:
            return self._shard_digests(dataset)[int(shard)]
        made = self.arrange if dataset in self._archives else self.generate
        return _key(made(dataset))

    @cache
    def _shard_digests(self, dataset: str) -> list[str]:
        return shard_digests(self._scans[dataset], self.datasets[dataset]["shards"])

    @cache
    def _weights(self, encoder: str) -> list[str]:
        files = catalogue.weight_files(self.encoders[encoder])
        # what is fetched, not how
        fetched = [_digest(self.weights(encoder)["settings"])] if self.receipt(encoder) else []
        return fetched + [_content(self.root / file) for file in files]

    def _loaded(self, encoder: str) -> dict:
        """The encoder's entry, and where the receipt of its published weights will be."""
        receipt = self.receipt(encoder)
        return self.encoders[encoder] | ({"receipt": receipt} if receipt else {})


def plan_of(text: str, root: Path) -> Plan:
    """The run that the config ``text`` asks for, laid over the default config, in ``root``.

    Looks at every file, as Snakemake does first. Raises `StratavoxError` as `Plan` does, and for
    what is not YAML.
    """
    default = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    try:
        given = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise StratavoxError(f"the config is not YAML of plain values: {error}") from None
    return Plan(configs.laid_over(default, given), root)


@contextmanager
def _at(key: str) -> Iterator[None]:
    """Put the config's key before the message of a `StratavoxError`."""
    try:
        yield
    except StratavoxError as error:
        raise StratavoxError(f"{key}: {error}") from None


def _node(stage: str, settings: dict, needs: list[str], *modules: str) -> dict:
    """A stage's settings and provenance; ``modules`` are further roots of the code that it runs."""
    roots = [f"stratavox.{name}" for name in (stage, *modules)]
    made = {
        "stage": stage,
        "code": fingerprint.code(*roots),
        "versions": fingerprint.versions(*roots),
    }
    return {"settings": settings, "provenance": made | {"key": _digest([made, settings, needs])}}


def _key(node: dict) -> str:
    return node["provenance"]["key"]


def _content(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def canonical(value: object) -> str:
    """JSON that is the same for equal values: keys sorted, no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
