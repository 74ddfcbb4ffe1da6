"""The run that a config describes: its datasets, encoders and tasks.

Made whenever the Snakefile is parsed. The rules in rules/ take the settings of each stage from it.
"""

# A process makes one plan and keeps it to its end, so caching on methods loses no memory.
# ruff: noqa: B019

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pyarrow as pa
import yaml

from stratavox import config as configs
from stratavox import instead, keys, tables, words
from stratavox.corpus import archives, join, labels, listing, manifest, names, scan, windows
from stratavox.corpus import shards as parquet
from stratavox.corpus.annotations import table as annotated
from stratavox.corpus.identity import sha256_of, shard_digests
from stratavox.corpus.numbers import numbers
from stratavox.corpus.reasons import TOO_SHORT
from stratavox.corpus.user_table import UserTable
from stratavox.corpus.values import Spellings
from stratavox.encoders import catalogue
from stratavox.errors import StratavoxError
from stratavox.probe import kinds
from stratavox.probe.regimes import columns_of

# Keys of a task that decide its folds.
FOLDS = ("kind", "target", "separator", "negative", "group", "transfer", "split")
FOLDS += ("min_clips", "min_groups")
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
        self._scans: dict[str, pa.Table] = {}
        self._labels: dict[str, pa.Table] = {}
        self._spellings: dict[str, Spellings] = {}
        self._joins: dict[str, UserTable] = {}
        self._archives: dict[str, dict] = {}
        self._parquet: dict[str, list[parquet.Shard]] = {}
        self._digests: dict[str, dict[str, str]] = {}
        for name, dataset in self.datasets.items():
            with _at(f"datasets.{name}"):
                if "join" in dataset:
                    self._joins[name] = join.read(dataset["join"], root)
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
            self._scans[name] = scan.scan(settings, self.root, out)
        else:
            self._scans[name] = tables.read_table(out)
        cells, self._spellings[name] = labels.label_columns_as_written(settings, self.root)
        self._labels[name] = labels.with_recorders(cells, self._scans[name])
        columns = [column for column in self._labels[name].column_names if column != "row"]
        self._check_columns(name, columns)
        for task, entry in self.datasets[name]["tasks"].items():
            if entry["kind"] == "regression":
                numbers(self._labels[name], entry["target"], f"tasks.{task}")

    def _archive(self, name: str, dataset: dict) -> None:
        """Read the entry of the dataset's archive, and check the columns of its table."""
        own = self.config["downloads"]["archives"]
        with _at("archive"):
            entry = archives.entry(dataset["archive"], self.root / own if own else None)
        self._archives[name] = entry
        columns = list(archives.columns(entry))
        if name in self._joins:
            columns += [column for column in self._joins[name].columns if column not in columns]
        self._check_columns(name, columns)

    def _look_at_parquet(self, name: str, look: bool) -> None:
        """Read the footers of the dataset's Parquet files, and hash those that changed."""
        dataset = self.datasets[name]
        shards = parquet.shards(self.root / dataset["path"], dataset.get("splits"))
        audio = parquet.audio_column(shards[0], dataset.get("file"))
        boxes = parquet.boxes_column(shards[0]) if "windows" in dataset else None
        columns = [parquet.EXTRACTED["file"], *parquet.label_columns(shards[0], audio, boxes)]
        columns += [*windows.OWN[1:], *boxes.labels] if boxes else []
        if name in self._joins:
            columns += [column for column in self._joins[name].columns if column not in columns]
        columns += names.pattern(dataset["name"]).fields if "name" in dataset else ()
        self._check_columns(name, columns)
        self._parquet[name] = shards
        seen = self.root / f"results/corpus/{name}/parquet.json"
        self._digests[name] = parquet.digests(shards, seen, look)

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
            named += [(f"tasks.{task}.{key}", column) for key, column in _columns(entry)]
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

    def shards(self, dataset: str) -> list[str]:
        """Names of the dataset's shards: 000, 001, ..."""
        return [f"{shard:03d}" for shard in range(self.datasets[dataset]["shards"])]

    def clip_count(self, dataset: str) -> int:
        """About how many clips there are, to estimate what a job needs."""
        if dataset in self._scans:
            return self._scans[dataset]["reason"].null_count  # fast: called for every job
        if dataset in self._archives:
            return self._archives[dataset]["unpacked_files"]  # an upper bound
        if dataset in self._parquet:
            rows = sum(shard.rows for shard in self._parquet[dataset])
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
            made = parquet.EXTRACTED if dataset in self._parquet else listing.GENERATED
            settings |= parquet.BOUNDS if "windows" in settings else {}
            settings |= made | {"path": f"results/corpus/{dataset}/raw"}
            if dataset in self._archives:
                settings |= archives.bounds(self._archives[dataset])
            if "join" in settings:
                # the set's cells are not known yet, so all of the joined file counts
                settings["join"] = settings["join"] | {"sha256": self._joins[dataset].sha256}
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
        if dataset in self._joins and used & set(self._joins[dataset].columns):
            used.add(self.datasets[dataset]["join"]["by"])
        return sorted(used)

    # ---- settings of the stages, for the rules ----

    def probes(self, dataset: str, *keys: str) -> dict:
        """The probe settings ``keys`` of the dataset."""
        return {key: self.datasets[dataset]["probes"][key] for key in keys}

    def folder(self, dataset: str) -> dict:
        """Where the recordings are."""
        return {"path": self.corpus_settings(dataset)["path"]}

    def audio(self, dataset: str) -> dict:
        """The settings that decide which samples of a file make a clip."""
        settings = {key: self.datasets[dataset][key] for key in ("channel", "trim_zeros")}
        if isinstance(settings["channel"], dict):
            # the scan has the channels, so that the column's name is not in the key
            settings["channel"] = "the one that the table names for each clip"
        return settings

    def shard(self, dataset: str, shard: str) -> dict:
        """`audio`, and a digest of the shard's files; a generated set's rule has a key instead."""
        content = {}
        if dataset in self._scans:
            content = {"content": self._shard_digests(dataset)[int(shard)]}
        return self.audio(dataset) | content

    def tables(self, dataset: str) -> dict:
        """Where the user's tables are, for stages that read labels."""
        settings = self.corpus_settings(dataset)
        keys = ("path", "table", "text", "file", "start", "end", "duration", "units", "annotations")
        keys += ("join", "archive", "missing", "sets", "name", "windows")
        return {key: settings[key] for key in keys if key in settings}

    def labels(self, dataset: str, columns: list[str]) -> dict:
        """The content of ``columns``: a digest of their cells, or of a table joined to them."""
        if not self.generated(dataset):
            sha256 = self._label_digest(dataset, *columns)
            return {"cells": {"columns": columns, "sha256": sha256}}
        settings = self.corpus_settings(dataset)
        join, level = settings.get("join"), {key: settings[key] for key in ("missing", "sets")}
        own = set(self._joins[dataset].columns) - {join["by"]} if join else set()
        joined = {"joined": [join["by"], join["sha256"]]} if own.intersection(columns) else {}
        return joined | level

    def manifest(self, dataset: str) -> dict:
        """What the manifest depends on, apart from the inspected clips."""
        settings = self.audio(dataset) | {"max_bad": self.datasets[dataset]["max_bad"]}
        if dataset in self._joins:
            # all of the file counts, as the manifest counts the clips that it does not mention
            joined = {"sha256": self._joins[dataset].sha256}
            settings["join"] = self.datasets[dataset]["join"] | joined
        if self.generated(dataset):
            return settings | self.labels(dataset, [])
        settings["spellings"] = dataclasses.asdict(self._spellings[dataset])
        columns = [name for name in self._labels[dataset].column_names if name != "row"]
        rows = self._scans[dataset].select(["row", "reason"]).to_pydict()
        return settings | self.labels(dataset, columns) | {"rows": keys.digest(rows)}

    def folds(self, dataset: str, task: str) -> dict:
        """What decides a task's clips, classes and folds, apart from the inspected clips."""
        entry = self.datasets[dataset]["tasks"][task]
        recording = self.datasets[dataset]["recording"]
        used = {key: entry[key] for key in FOLDS if key in entry}
        columns = [column for _, column in _columns(entry)] + recording
        return {
            "dataset": dataset,
            "task": task,
            **self.labels(dataset, columns),
            **used,
            "recording": recording,
            **self._too_short(dataset, entry["target"]),
            **self.probes(dataset, "max_clips", "folds", "inner_folds", "repeats", "seed"),
        }

    def _too_short(self, dataset: str, column: str | list[str]) -> dict:
        """min_s, and how many clips of each value of ``column`` it leaves out; {} if none.

        Of several columns the values are no classes, and {} is returned.
        """
        annotations = self.datasets[dataset].get("annotations")
        reasons = self._scans[dataset]["reason"].to_pylist() if annotations else []
        lost = any(reason and reason.startswith(TOO_SHORT) for reason in reasons)
        if not lost or not isinstance(column, str):
            return {}
        cells = self._labels[dataset][column].to_pylist()
        lost = Counter(
            cell
            for cell, reason in zip(cells, reasons, strict=True)
            if cell and reason and reason.startswith(TOO_SHORT)
        )
        return {"too_short": {"min_s": annotations["min_s"], "clips": dict(sorted(lost.items()))}}

    def linear(self, dataset: str, task: str) -> dict:
        """The settings of linear probes."""
        keys = ("inner_folds", "c_grid", "permutations", "control_tasks", "fusions", "seed")
        return self.probes(dataset, *keys) | {kinds.KEY: self.kind(dataset, task).name}

    def confounds(self, dataset: str, task: str) -> dict:
        """The columns whose association with the task's target is reported."""
        columns = self.confound_columns(dataset, task)
        about = {"dataset": dataset, "task": task, "confounds": columns}
        return about | self.labels(dataset, columns) | self.probes(dataset, "seed")

    def generation(self, dataset: str) -> dict:
        """The settings of synthetic calls."""
        entry = self.datasets[dataset]
        return entry["chorus"] | {"shards": entry["shards"]}

    def archive_identity(self, dataset: str) -> dict:
        """What identifies the archive's content: a mirror of the same files makes nothing stale."""
        return {"files": archives.identity(self._archives[dataset])}

    def archive_source(self, dataset: str) -> dict:
        """Which archive to fetch, and where archives are kept."""
        name = self.datasets[dataset]["archive"]
        return {"archive": name, "downloads": self.config["downloads"]}

    def archive_about(self, dataset: str) -> dict:
        """What the report says about the archive."""
        return {key: self._archives[dataset][key] for key in ("licence", "citation", "doi")}

    def arrangement(self, dataset: str) -> dict:
        """How the archive's files become a folder of clips with a table."""
        keys = ("layout", "members", "unpacked_bytes", "unpacked_files")
        entry = self._archives[dataset]
        shards = {"shards": len(self.shards(dataset))}
        return {key: entry[key] for key in keys} | shards | archives.bounds(entry)

    def extraction(self, dataset: str) -> dict:
        """Which Parquet files hold the clips, by their content, and which of their columns."""
        keys = {key: value for key, value in self.datasets[dataset].items() if key == "file"}
        if "windows" in self.datasets[dataset]:
            settings = self.corpus_settings(dataset)
            keys |= {key: settings[key] for key in ("windows", "missing", *parquet.BOUNDS)}
        return keys | {"sha256": self._digests[dataset], "shards": len(self.shards(dataset))}

    def extraction_code(self, dataset: str) -> list[str]:
        """The module that cuts windows, where it has some."""
        return [labels.WINDOWS] if "windows" in self.datasets[dataset] else []

    def parquet_files(self, dataset: str) -> dict:
        """Where the Parquet files are, and which of them are read."""
        return {key: self.datasets[dataset].get(key) for key in ("path", "splits")}

    def layout_code(self, dataset: str) -> list[str]:
        """The modules that read the archive's file names, and the bounds of its clips."""
        entry = self._archives[dataset]
        bounded = ["corpus.bounds"] if archives.bounds(entry) else []
        return [f"corpus.{entry['layout']}", *bounded]

    def reader_code(self, dataset: str) -> list[str]:
        """The modules that read the dataset's annotation files, where it has some."""
        return labels.reader_code(self.corpus_settings(dataset))

    def manifest_code(self, dataset: str) -> list[str]:
        """The same, and what checks the bounds of clips, where they have some."""
        bounded = not {"start", "annotations"}.isdisjoint(self.corpus_settings(dataset))
        return self.reader_code(dataset) + ([manifest.BEYOND] if bounded else [])

    def family_code(self, encoder: str) -> list[str]:
        """The module that loads the encoder's family."""
        return [f"encoders.{self.encoders[encoder]['family']}.load"]

    def published(self, encoder: str) -> dict:
        """Which published weights are fetched."""
        return catalogue.published(self.encoders[encoder])

    def inference(self, dataset: str, task: str) -> dict:
        """What answers depend on, apart from the probes' tables."""
        keys = ("folds", "inner_folds", "repeats", "permutations", "control_tasks", "margin")
        return self.probes(dataset, *keys) | {"task": task, "draws": self.draws}

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
        own = _columns(entry["tasks"][task])
        columns = entry["probes"]["erase"]
        if columns is None:
            group = [column for key, column in own if key == "group"]
            columns = dict.fromkeys([*group, *entry["recording"], *entry["confounds"]])
        return [column for column in columns if ("target", column) not in own]

    def erased(self, dataset: str, task: str) -> list[str]:
        """The encoders that the task is also probed on with columns erased."""
        wanted = self._tested(dataset, task, "erasure") and self.erased_columns(dataset, task)
        return self.deep(dataset, task) if wanted else []

    def erasure(self, dataset: str, task: str) -> dict:
        """The columns to erase, with their content."""
        columns = self.erased_columns(dataset, task)
        about = {"dataset": dataset, "task": task, "columns": columns}
        return about | self.labels(dataset, columns) | self.probes(dataset, "seed")

    def encoder(self, encoder: str, dataset: str) -> dict:
        """The encoder's entry, its speed on the dataset, and the receipt of published weights."""
        entry = {key: value for key, value in self.encoders[encoder].items() if key != "speed"}
        receipt = self.receipt(encoder)
        speed = _unless_true(self.speed_for(encoder, dataset))
        return entry | speed | ({"receipt": receipt} if receipt else {})

    def acoustics(self, dataset: str) -> dict:
        """The rate and speed at which the dataset's clips are described."""
        return {"rate": self.described_rate(dataset)} | _unless_true(self.speed(dataset))

    def encoder_in_key(self, encoder: str, dataset: str) -> dict:
        """`encoder` less the places of its local files, whose content is in `weights`."""
        entry = self.encoder(encoder, dataset)
        files = list(map(Path, catalogue.weight_files(self.encoders[encoder])))
        places = {
            key
            for key in {"path", "weights", "of"} & entry.keys()
            if any(Path(entry[key]) in (file, file.parent) for file in files)
        }
        return {key: value for key, value in entry.items() if key not in places}

    @cache
    def weights(self, encoder: str) -> list[str]:
        """Digests of the local files that the encoder's weights are read from."""
        files = catalogue.weight_files(self.encoders[encoder])
        return [sha256_of(self.root / file) for file in files]

    def tokens(self, section: str, encoder: str, dataset: str) -> dict:
        """Which tokens a section of ``probes`` keeps, with a shard's share of its budget."""
        settings = self.datasets[dataset]["probes"][section]
        return {
            "section": f"probes.{section}",
            "readouts": settings.get("readouts", ["blocks"]),
            "keep": settings["keep"],
            "budget_gb": settings["budget_gb"] / self.datasets[dataset]["shards"],
            "encoder": self.encoder_in_key(encoder, dataset),
        }

    def attention(self, dataset: str) -> dict:
        """The settings of probes on tokens."""
        return self._of_tokens("attention", dataset) | self.probes(dataset, "seed")

    def all_blocks(self, dataset: str) -> dict:
        """The settings of probes on the tokens of all blocks."""
        own = self._of_tokens("all_blocks", dataset)
        return own | self.probes(dataset, "seed", "inner_folds")

    def _of_tokens(self, section: str, dataset: str) -> dict:
        """The settings of a section of ``probes``, less those of `tokens`."""
        stored = ("encoders", "readouts", "keep", "budget_gb")
        settings = self.datasets[dataset]["probes"][section]
        return {key: value for key, value in settings.items() if key not in stored}

    def mapped(self, dataset: str, task: str) -> list[str]:
        """The encoders with UMAP panels of the task: of several random draws only the first."""
        if not self._tested(dataset, task, "umap"):
            return []
        later = {name for drawn in self.draws.values() for name in drawn[1:]}
        return [name for name in self.deep(dataset, task) if name not in later]

    def listening(self, dataset: str) -> dict | None:
        """Among which clips the report's maps choose those it plays, and the name of each group.

        None for a dataset without maps.
        """
        targets = self.targets(dataset)
        if not any(self.mapped(dataset, task) for task in targets):
            return None
        tasks = self.datasets[dataset]["tasks"]
        groups = {task: " and ".join(columns_of(tasks[task]["group"])) for task in targets}
        umap = self.config["figures"]["umap"]
        chosen = {"max_clips": umap["max_clips"], "seed": umap["seed"], "groups": groups}
        return chosen | _unless_true(self.speed(dataset))

    @cache
    def _shard_digests(self, dataset: str) -> list[str]:
        return shard_digests(self._scans[dataset], self.datasets[dataset]["shards"])

    @cache
    def _label_digest(self, dataset: str, *columns: str) -> str:
        # once for all encoders: it goes through all clips
        scanned, cells = self._scans[dataset], self._labels[dataset]
        return labels.label_digest(scanned, cells, list(columns))


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


def _columns(task: dict) -> list[tuple[str, str]]:
    """The columns that a task's entry names, each with its key."""
    sides = [key for key in ("transfer", "split") if key in task]
    return [
        *(("target", column) for column in columns_of(task["target"])),
        *(("group", column) for column in columns_of(task["group"])),
        *((f"{key}.column", task[key]["column"]) for key in sides),
    ]


def _unless_true(speed: float) -> dict:
    """The key ``speed``; none for true speed, so that keys are as without it."""
    return {} if speed == 1 else {"speed": speed}


@contextmanager
def _at(key: str) -> Iterator[None]:
    """Put the config's key before the message of a `StratavoxError`."""
    try:
        yield
    except StratavoxError as error:
        raise StratavoxError(f"{key}: {error}") from None
