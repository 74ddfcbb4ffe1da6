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
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pyarrow as pa

from stratavox import config as configs
from stratavox import fingerprint, tables
from stratavox.corpus import scan
from stratavox.encoders import catalogue
from stratavox.errors import StratavoxError

TEMPLATES = Path(__file__).parent / "report" / "templates"
FORMATS = ("svg", "pdf", "png", "html")


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
        self.encoders = {name: self.config["encoders"][name] for name in asked["encoders"]}
        for name, encoder in self.encoders.items():
            with _at(f"encoders.{name}"):
                catalogue.check(encoder)
        self._scans: dict[str, pa.Table] = {}
        self._labels: dict[str, pa.Table] = {}
        for name, dataset in self.datasets.items():
            if dataset["source"] == "folder":
                with _at(f"datasets.{name}"):
                    self._look(name, dataset, look)

    def _look(self, name: str, dataset: dict, look: bool) -> None:
        out = self.root / f"results/corpus/{name}/scan.parquet"
        if look or not out.exists():
            self._scans[name] = scan.scan(dataset, self.root, out)
        else:
            self._scans[name] = tables.read_table(out)
        self._labels[name] = scan.label_columns(dataset, self.root)
        columns = [column for column in self._labels[name].column_names if column != "row"]
        asked = [("recording", column) for column in dataset["recording"]]
        for task, settings in dataset["tasks"].items():
            asked += [(f"tasks.{task}.{key}", settings[key]) for key in ("target", "group")]
        for key, column in asked:
            if column is not None and column not in columns:
                raise StratavoxError(
                    f"{key}: no column {column!r} in {dataset['path']}/{dataset['table']}; "
                    f"columns: {', '.join(columns)}"
                )

    # ---- what there is ----

    def tasks(self, dataset: str) -> list[str]:
        return list(self.datasets[dataset]["tasks"])

    def shards(self, dataset: str) -> list[str]:
        """Names of the dataset's shards: 000, 001, ..."""
        return [f"{shard:03d}" for shard in range(self.datasets[dataset]["shards"])]

    def rate(self, encoder: str) -> int:
        """Sample rate in Hz that the encoder is fed with."""
        return catalogue.rate(self.encoders[encoder])

    def corpus_settings(self, dataset: str) -> dict:
        """The dataset's entry less tasks and probes, its folder resolved for generated sets."""
        settings = {
            key: value
            for key, value in self.datasets[dataset].items()
            if key not in ("tasks", "probes", "recording")
        }
        if settings["source"] == "chorus":
            raw = f"results/corpus/{dataset}/raw"
            settings |= {"path": raw, "table": "metadata.csv", "file": "file"}
        return settings

    # ---- stages: what each is told ("settings") and what it depends on ("key") ----

    @cache
    def generate(self, dataset: str) -> dict:
        entry = self.datasets[dataset]
        return _node("corpus.generate", entry["chorus"] | {"shards": entry["shards"]}, [])

    @cache
    def inspect(self, dataset: str, shard: str) -> dict:
        settings = self._audio(dataset)
        return _node("corpus.inspect", settings, [self._shard(dataset, shard)])

    @cache
    def manifest(self, dataset: str) -> dict:
        settings = self.corpus_settings(dataset)
        if settings["source"] == "chorus":
            rows = []
        else:
            labels = self._labels[dataset]
            columns = [name for name in labels.column_names if name != "row"]
            rows = [scan.label_digest(self._scans[dataset], labels, columns)]
            rows.append(_digest(self._scans[dataset].select(["row", "reason"]).to_pydict()))
        shards = [_key(self.inspect(dataset, shard)) for shard in self.shards(dataset)]
        return _node("corpus.manifest", settings, rows + shards)

    @cache
    def clips(self, dataset: str, rate: int, shard: str) -> dict:
        settings = self._audio(dataset) | {"rate": int(rate)}
        return _node("corpus.clips", settings, [_key(self.inspect(dataset, shard))])

    @cache
    def part(self, encoder: str, dataset: str, shard: str) -> dict:
        settings = self.encoders[encoder]
        needs = [_key(self.clips(dataset, self.rate(encoder), shard)), *self._weights(encoder)]
        return _node("embed.part", settings, needs, f"encoders.{settings['family']}")

    @cache
    def collect(self, encoder: str, dataset: str) -> dict:
        parts = [_key(self.part(encoder, dataset, shard)) for shard in self.shards(dataset)]
        return _node("embed.collect", {"encoder": encoder}, parts)

    @cache
    def folds(self, dataset: str, task: str) -> dict:
        entry = self.datasets[dataset]["tasks"][task]
        probes = self.datasets[dataset]["probes"]
        settings = {
            "dataset": dataset,
            "task": task,
            **{key: self.corpus_settings(dataset)[key] for key in ("path", "table", "file")},
            **{key: entry[key] for key in ("target", "group", "min_clips", "min_groups")},
            "recording": self.datasets[dataset]["recording"],
            **{key: probes[key] for key in ("folds", "inner_folds", "repeats", "seed")},
        }
        shards = [_key(self.inspect(dataset, shard)) for shard in self.shards(dataset)]
        labels = []
        if dataset in self._labels:
            columns = [entry["target"], *([entry["group"]] if entry["group"] else [])]
            columns += self.datasets[dataset]["recording"]
            labels = [scan.label_digest(self._scans[dataset], self._labels[dataset], columns)]
        return _node("probe.folds", settings, labels + shards)

    @cache
    def linear(self, encoder: str, dataset: str, task: str) -> dict:
        probes = self.datasets[dataset]["probes"]
        settings = {key: probes[key] for key in ("inner_folds", "c_grid", "permutations", "seed")}
        needs = [_key(self.collect(encoder, dataset)), _key(self.folds(dataset, task))]
        return _node("probe.linear", settings, needs)

    @cache
    def infer(self, dataset: str, task: str) -> dict:
        probes = self.datasets[dataset]["probes"]
        settings = {key: probes[key] for key in ("folds", "inner_folds", "repeats", "permutations")}
        needs = [_key(self.linear(encoder, dataset, task)) for encoder in self.encoders]
        return _node("probe.infer", settings, needs)

    @cache
    def umap(self, encoder: str, dataset: str) -> dict:
        settings = self.config["figures"]["umap"]
        return _node("geometry.umap", settings, [_key(self.collect(encoder, dataset))])

    @cache
    def layers(self, dataset: str, task: str) -> dict:
        return self._figure("layers", dataset, [_key(self.infer(dataset, task))])

    @cache
    def comparison(self, dataset: str, task: str) -> dict:
        return self._figure("comparison", dataset, [_key(self.infer(dataset, task))])

    @cache
    def panels(self, encoder: str, dataset: str, task: str) -> dict:
        needs = [_key(self.umap(encoder, dataset)), _key(self.folds(dataset, task))]
        return self._figure("panels", dataset, needs)

    @cache
    def summary(self) -> dict:
        needs = [_content(template) for template in sorted(TEMPLATES.iterdir())]
        for dataset in self.datasets:
            needs.append(_key(self.manifest(dataset)))
            for task in self.tasks(dataset):
                needs += [_key(self.layers(dataset, task)), _key(self.comparison(dataset, task))]
                needs += [_key(self.panels(name, dataset, task)) for name in self.mapped()]
        return _node("report.summary", self.index(), needs)

    def mapped(self) -> list[str]:
        """The encoders that get UMAP panels: those with blocks."""
        return [name for name, entry in self.encoders.items() if catalogue.has_blocks(entry)]

    def index(self) -> dict:
        """What belongs together, for the report: paths relative to the working directory."""
        return {
            "datasets": {
                dataset: {
                    "source": entry["source"],
                    "hygiene": f"results/corpus/{dataset}/hygiene.json",
                    "tasks": {
                        task: {
                            "estimates": f"results/estimates/{dataset}/{task}.parquet",
                            "estimates_json": f"results/estimates/{dataset}/{task}.json",
                            "contrasts": f"results/contrasts/{dataset}/{task}.parquet",
                            "folds_json": f"results/folds/{dataset}/{task}.json",
                            "layers_stem": f"results/figures/{dataset}/{task}/layers",
                            "comparison_stem": f"results/figures/{dataset}/{task}/comparison",
                            "umap": {
                                encoder: f"results/figures/{dataset}/{encoder}/umap_{task}"
                                for encoder in self.mapped()
                            },
                        }
                        for task in self.tasks(dataset)
                    },
                }
                for dataset, entry in self.datasets.items()
            },
            "encoders": {
                encoder: {
                    "dirs": {
                        dataset: f"results/embeddings/{encoder}/{dataset}"
                        for dataset in self.datasets
                    }
                }
                for encoder in self.encoders
            },
            "config": self.config,
        }

    def _figure(self, name: str, dataset: str, needs: list[str]) -> dict:
        settings = {"source": self.datasets[dataset]["source"]}
        page = _content(TEMPLATES / "interactive.html.j2")
        return _node(f"report.{name}", settings, [page, *needs])

    def _audio(self, dataset: str) -> dict:
        settings = self.corpus_settings(dataset)
        return {key: settings[key] for key in ("path", "channel", "shards")}

    def _shard(self, dataset: str, shard: str) -> str:
        """Content of a shard: that of its files, or of what generates them."""
        if dataset in self._scans:
            return scan.shard_digest(self._scans[dataset], int(shard))
        return _key(self.generate(dataset))

    @cache
    def _weights(self, encoder: str) -> list[str]:
        files = catalogue.weight_files(self.encoders[encoder])
        return [_content(self.root / file) for file in files]


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
