"""The run that a config describes: its datasets, encoders and tasks.

Made whenever the Snakefile is parsed. What each stage depends on in it is in settings.py.
"""

# A process makes one plan and keeps it to its end, so caching on methods loses no memory.
# ruff: noqa: B019

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pyarrow as pa
import yaml

from stratavox import config as configs
from stratavox import instead, tables, words
from stratavox.corpus import archives, join, labels, listing, names, scan, windows
from stratavox.corpus import shards as parquet
from stratavox.corpus.annotations import table as annotated
from stratavox.corpus.numbers import numbers
from stratavox.corpus.user_table import UserTable
from stratavox.corpus.values import Spellings
from stratavox.encoders import catalogue
from stratavox.errors import StratavoxError
from stratavox.probe import kinds
from stratavox.probe.regimes import columns_of

PROJECT = Path(__file__).resolve().parents[2]


class Plan:
    """The run of a config in the working directory ``root``.

    With ``look`` the datasets' folders are scanned; without, as in jobs on a cluster, an existing
    scan is read. Raises `StratavoxError` for anything in the config, the tables or the encoders'
    files that cannot be used.
    """

    def __init__(self, config: dict, root: Path, look: bool = True):
        self.root = root
        # ``instead``: the local folders that are read in place of what would be fetched
        self.config, self.instead = instead.local(configs.check(config), root)
        covered = self.config["run"]
        self.datasets = {name: self.config["datasets"][name] for name in covered["datasets"]}
        entries = {name: self.config["encoders"][name] for name in covered["encoders"]}
        drawn = {name: configs.draws(name, entry) for name, entry in entries.items()}
        self.encoders = {new: entry for several in drawn.values() for new, entry in several.items()}
        # the random draws of one encoder, by the name of its entry
        self.draws = {name: list(drawn[name]) for name, e in entries.items() if "seeds" in e}
        for name, encoder in self.encoders.items():
            with _at(f"encoders.{name}"):
                catalogue.check(encoder)
        # what was found, by dataset: rows of the scan, their labels, the content of joined tables,
        # entries of archives, footers of Parquet files and digests of these files
        self.scans: dict[str, pa.Table] = {}
        self.cells: dict[str, pa.Table] = {}
        self.spellings: dict[str, Spellings] = {}
        self.joined: dict[str, UserTable] = {}
        self.archives: dict[str, dict] = {}
        self.parquet: dict[str, list[parquet.Shard]] = {}
        self.digests: dict[str, dict[str, str]] = {}
        for name, dataset in self.datasets.items():
            with _at(f"datasets.{name}"):
                if "join" in dataset:
                    self.joined[name] = join.read(dataset["join"], root)
                if dataset["source"] == "archive":
                    self._archive(name, dataset)
                elif dataset["source"] == "parquet":
                    self._look_at_parquet(name, look)
                elif not self.generated(name):
                    self._look(name, look)

    def _look(self, name: str, look: bool) -> None:
        out = self.root / f"results/corpus/{name}/scan.parquet"
        settings = self.corpus_settings(name)
        if look or not out.exists():
            self.scans[name] = scan.scan(settings, self.root, out)
        else:
            self.scans[name] = tables.read_table(out)
        cells, self.spellings[name] = labels.label_columns_as_written(settings, self.root)
        self.cells[name] = labels.with_recorders(cells, self.scans[name])
        columns = [column for column in self.cells[name].column_names if column != "row"]
        self._check_columns(name, columns)
        for task, entry in self.datasets[name]["tasks"].items():
            if entry["kind"] == "regression":
                numbers(self.cells[name], entry["target"], f"tasks.{task}")

    def _archive(self, name: str, dataset: dict) -> None:
        """Read the entry of the dataset's archive, and check the columns of its table."""
        own = self.config["downloads"]["archives"]
        with _at("archive"):
            entry = archives.entry(dataset["archive"], self.root / own if own else None)
        self.archives[name] = entry
        columns = list(archives.columns(entry))
        if name in self.joined:
            columns += [column for column in self.joined[name].columns if column not in columns]
        self._check_columns(name, columns)

    def _look_at_parquet(self, name: str, look: bool) -> None:
        """Read the footers of the dataset's Parquet files, and hash those that changed."""
        dataset = self.datasets[name]
        shards = parquet.shards(self.root / dataset["path"], dataset.get("splits"))
        audio = parquet.audio_column(shards[0], dataset.get("file"))
        boxes = parquet.boxes_column(shards[0]) if "windows" in dataset else None
        columns = [parquet.EXTRACTED["file"], *parquet.label_columns(shards[0], audio, boxes)]
        columns += [*windows.OWN[1:], *boxes.labels] if boxes else []
        if name in self.joined:
            columns += [column for column in self.joined[name].columns if column not in columns]
        columns += names.pattern(dataset["name"]).fields if "name" in dataset else ()
        self._check_columns(name, columns)
        self.parquet[name] = shards
        seen = self.root / f"results/corpus/{name}/parquet.json"
        self.digests[name] = parquet.digests(shards, seen, look)

    def _check_columns(self, name: str, columns: list[str]) -> None:
        """Raise for a column that the dataset's entry names and its tables lack."""
        labels.check_columns(self._named(name), columns, self.corpus_settings(name))

    def _named(self, name: str) -> list[tuple[str, str]]:
        """The label columns that the dataset's entry names, each with its key."""
        dataset = self.datasets[name]
        keys = ("recording", "confounds", "sets")
        named = [(key, column) for key in keys for column in dataset[key]]
        named += [("probes.erase", column) for column in dataset["probes"]["erase"] or []]
        for task, entry in dataset["tasks"].items():
            named += [(f"tasks.{task}.{key}", column) for key, column in named_columns(entry)]
        return named

    # ---- datasets, tasks and encoders ----

    def tasks(self, dataset: str) -> list[str]:
        return list(self.datasets[dataset]["tasks"])

    def targets(self, dataset: str) -> list[str]:
        """Tasks with the role target; the report says less about the others, nuisances."""
        tasks = self.datasets[dataset]["tasks"]
        return [name for name, entry in tasks.items() if entry["role"] == "target"]

    def kind(self, dataset: str, task: str) -> kinds.Kind:
        return kinds.of(self.datasets[dataset]["tasks"][task])

    def _tested(self, dataset: str, task: str, stage: str) -> bool:
        """Whether a stage that is only for targets is made for the task."""
        return task in self.targets(dataset) and self.kind(dataset, task).has(stage)

    def confound_columns(self, dataset: str, task: str) -> list[str]:
        """The columns whose association with the task's target is reported."""
        if not self.kind(dataset, task).has("confounds"):
            return []
        entry = self.datasets[dataset]
        target = columns_of(entry["tasks"][task]["target"])
        return [name for name in entry["confounds"] if name not in target]

    def generated(self, dataset: str) -> bool:
        """Whether a rule makes the recordings, which cannot be scanned before."""
        return self.datasets[dataset]["source"] in ("chorus", "archive", "parquet")

    def probed(self, dataset: str, task: str) -> list[str]:
        """The encoders that the task is probed on, in the run's order."""
        wanted = self.datasets[dataset]["tasks"][task]["encoders"] or []
        drawn = {new for name in wanted for new in self.draws.get(name, [name])}
        return [name for name in self.encoders if name in drawn] or list(self.encoders)

    @cache
    def probing_jobs(self) -> int:
        """How many pairs of a task and an encoder are probed in the run."""
        pairs = ((dataset, task) for dataset in self.datasets for task in self.tasks(dataset))
        return sum(len(self.probed(*pair)) for pair in pairs)

    def embedded(self, dataset: str) -> list[str]:
        """The encoders that some task of the dataset is probed on, in the run's order."""
        used = {name for task in self.tasks(dataset) for name in self.probed(dataset, task)}
        return [name for name in self.encoders if name in used]

    def deep(self, dataset: str, task: str) -> list[str]:
        """The encoders with blocks that the task is probed on."""
        names = self.probed(dataset, task)
        return [name for name in names if catalogue.has_blocks(self.encoders[name])]

    def attended(self, dataset: str, task: str) -> list[str]:
        """The encoders whose tokens are probed for the task."""
        return self._on_tokens("attention", dataset, task)

    def on_all_blocks(self, dataset: str, task: str) -> list[str]:
        """The encoders with probes on the tokens of all blocks for the task."""
        return self._on_tokens("all_blocks", dataset, task)

    def _on_tokens(self, section: str, dataset: str, task: str) -> list[str]:
        settings = self.datasets[dataset]["probes"][section]
        if not settings or not self._tested(dataset, task, section):
            return []
        names = [new for name in settings["encoders"] for new in self.draws.get(name, [name])]
        return [name for name in names if name in self.probed(dataset, task)]

    def sampled(self, dataset: str, task: str) -> list[str]:
        """The encoders that are also scored with few clips for the task."""
        requested = self.datasets[dataset]["probes"]["samples"] is not None
        tested = requested and self._tested(dataset, task, "samples")
        return self.probed(dataset, task) if tested else []

    def as_notebook(self, dataset: str, task: str) -> list[str]:
        """The encoders that are also scored by the notebook's protocol for the task."""
        requested = self.datasets[dataset]["probes"]["protocol"] == "notebook"
        tested = requested and self._tested(dataset, task, "notebook")
        return self.probed(dataset, task) if tested else []

    def described(self, dataset: str, task: str) -> list[str]:
        """The encoders with an acoustic atlas for the task."""
        return self.probed(dataset, task) if task in self.targets(dataset) else []

    def neighboured(self, dataset: str, task: str) -> list[str]:
        """The encoders whose clips are retrieved by their neighbours for the task."""
        tested = self._tested(dataset, task, "neighbours")
        return self.probed(dataset, task) if tested else []

    def conditioned(self, dataset: str, task: str) -> list[str]:
        """The trained encoders that are also probed together with acoustic descriptors."""
        trained = [
            name
            for name in self.deep(dataset, task)
            if self.encoders[name].get("weights") not in words.UNTRAINED
        ]
        return trained if self._tested(dataset, task, "conditional") else []

    def erased_columns(self, dataset: str, task: str) -> list[str]:
        """The columns to erase from readouts before the task is probed."""
        entry = self.datasets[dataset]
        own = named_columns(entry["tasks"][task])
        columns = entry["probes"]["erase"]
        if columns is None:
            group = [column for key, column in own if key == "group"]
            columns = dict.fromkeys([*group, *entry["recording"], *entry["confounds"]])
        return [column for column in columns if ("target", column) not in own]

    def erased(self, dataset: str, task: str) -> list[str]:
        """The encoders that the task is also probed on with columns erased."""
        wanted = self._tested(dataset, task, "erasure") and self.erased_columns(dataset, task)
        return self.deep(dataset, task) if wanted else []

    def mapped(self, dataset: str, task: str) -> list[str]:
        """The encoders with UMAP panels of the task: of several random draws only the first."""
        if not self._tested(dataset, task, "umap"):
            return []
        later = {name for drawn in self.draws.values() for name in drawn[1:]}
        return [name for name in self.deep(dataset, task) if name not in later]

    def archive_about(self, dataset: str) -> dict:
        """What the report says about the archive."""
        return {key: self.archives[dataset][key] for key in ("licence", "citation", "doi")}

    def shards(self, dataset: str) -> list[str]:
        """Names of the dataset's shards: 000, 001, ..."""
        return [f"{shard:03d}" for shard in range(self.datasets[dataset]["shards"])]

    def clip_count(self, dataset: str) -> int:
        """About how many clips there are, to estimate what a job needs."""
        if dataset in self.scans:
            return self.scans[dataset]["reason"].null_count  # fast: called for every job
        if dataset in self.archives:
            return self.archives[dataset]["unpacked_files"]  # an upper bound
        if dataset in self.parquet:
            rows = sum(shard.rows for shard in self.parquet[dataset])
            cut = self.datasets[dataset].get("windows")
            # as if each recording lasted a minute
            return math.ceil(rows * 60 / cut["hop_s"]) if cut else rows
        sizes = self.datasets[dataset]["chorus"]
        if "soundscapes" in sizes:
            return math.prod(sizes["soundscapes"].values())
        return math.prod(sizes[k] for k in ("species", "individuals", "call_types", "renditions"))

    def speed(self, dataset: str) -> float:
        """How fast the dataset's clips are played where no encoder has a speed of its own."""
        return self.datasets[dataset].get("speed", 1)

    def speed_for(self, encoder: str, dataset: str) -> float:
        """How fast the dataset's clips are played to the encoder."""
        return self.encoders[encoder].get("speed", self.speed(dataset))

    def rate(self, encoder: str, dataset: str) -> int:
        """Sample rate in Hz of the dataset's clips that the encoder is fed."""
        own = catalogue.rate(self.encoders[encoder])
        return catalogue.clip_rate(own, self.speed_for(encoder, dataset))

    def described_rate(self, dataset: str) -> int:
        """Sample rate in Hz of the clips that are described by acoustics, seen and heard."""
        return catalogue.clip_rate(catalogue.BASELINE_RATE, self.speed(dataset))

    def receipt(self, encoder: str) -> str | None:
        """The receipt of the published weights that the encoder needs; None if it needs none."""
        fetched = catalogue.is_fetched(self.encoders[encoder])
        return f"results/downloads/weights/{encoder}.json" if fetched else None

    def corpus_settings(self, dataset: str) -> dict:
        """The keys of the entry about clips, for a generated set with path and table."""
        settings = {
            key: value
            for key, value in self.datasets[dataset].items()
            if key not in ("tasks", "probes", "recording", "confounds", "speed")
        }
        if self.generated(dataset):
            made = parquet.EXTRACTED if dataset in self.parquet else listing.GENERATED
            settings |= parquet.BOUNDS if "windows" in settings else {}
            settings |= made | {"path": f"results/corpus/{dataset}/raw"}
            if dataset in self.archives:
                settings |= archives.bounds(self.archives[dataset])
            if "join" in settings:
                # the set's cells are not known yet, so all of the joined file counts
                settings["join"] = settings["join"] | {"sha256": self.joined[dataset].sha256}
        else:
            settings["used"] = self._used(dataset)
        if "annotations" in settings:
            settings |= annotated.as_table(settings["annotations"])
        elif "name" in settings and "table" not in settings:
            settings |= names.as_table(settings["name"])
        return windows.as_table(settings) if "windows" in settings else settings

    @cache
    def _used(self, dataset: str) -> list[str]:
        """The columns in which rows of one clip may not differ: those that the entry names.

        A joined column is given by the column that the tables share.
        """
        used = {column for _, column in self._named(dataset)}
        if dataset in self.joined and used & set(self.joined[dataset].columns):
            used.add(self.datasets[dataset]["join"]["by"])
        return sorted(used)


def plan_of(text: str, root: Path) -> Plan:
    """The run of the config ``text``, laid over the default config, in ``root``.

    Scans the datasets. Raises `StratavoxError` as `Plan` does, and for text that is not YAML.
    """
    try:
        given = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise StratavoxError(f"the config is not YAML of plain values: {error}") from None
    return Plan(over_default(given), root)


def over_default(config: dict) -> dict:
    """``config`` laid over the default config, config.yaml."""
    default = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    return configs.laid_over(default, config)


def named_columns(task: dict) -> list[tuple[str, str]]:
    """The columns that a task's entry names, each with its key."""
    sides = [key for key in ("transfer", "split") if key in task]
    return [
        *(("target", column) for column in columns_of(task["target"])),
        *(("group", column) for column in columns_of(task["group"])),
        *((f"{key}.column", task[key]["column"]) for key in sides),
    ]


@contextmanager
def _at(key: str) -> Iterator[None]:
    """Put the config's key before the message of a `StratavoxError`."""
    try:
        yield
    except StratavoxError as error:
        raise StratavoxError(f"{key}: {error}") from None
