"""What the jobs of each stage depend on: the parts of a config, and what is read in its place."""

# A process makes the settings of one plan and keeps them, so caching on methods loses no memory.
# ruff: noqa: B019

from __future__ import annotations

import dataclasses
from collections import Counter
from functools import cache
from pathlib import Path

from stratavox import keys
from stratavox.corpus import archives, labels, manifest
from stratavox.corpus import shards as parquet
from stratavox.corpus.identity import sha256_of, shard_digests
from stratavox.corpus.reasons import TOO_SHORT
from stratavox.encoders import catalogue
from stratavox.plan import Plan, named_columns
from stratavox.probe import kinds
from stratavox.probe.regimes import columns_of

# Keys of a task that decide its folds.
FOLDS = ("kind", "target", "separator", "negative", "group", "transfer", "split")
FOLDS += ("min_clips", "min_groups")


class Settings:
    """The settings of each stage's jobs in the run of ``plan``, and the modules they bring in."""

    def __init__(self, plan: Plan):
        self.plan, self.datasets, self.encoders = plan, plan.datasets, plan.encoders

    def probes(self, dataset: str, *keys: str) -> dict:
        """The probe settings ``keys`` of the dataset."""
        return {key: self.datasets[dataset]["probes"][key] for key in keys}

    def folder(self, dataset: str) -> dict:
        """Where the recordings are."""
        return {"path": self.plan.corpus_settings(dataset)["path"]}

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
        if dataset in self.plan.scans:
            content = {"content": self._shard_digests(dataset)[int(shard)]}
        return self.audio(dataset) | content

    def tables(self, dataset: str) -> dict:
        """Where the user's tables are, for stages that read labels."""
        settings = self.plan.corpus_settings(dataset)
        keys = ("path", "table", "text", "file", "start", "end", "duration", "units", "annotations")
        keys += ("join", "archive", "missing", "sets", "name", "windows")
        return {key: settings[key] for key in keys if key in settings}

    def labels(self, dataset: str, columns: list[str]) -> dict:
        """The content of ``columns``: a digest of their cells, or of a table joined to them."""
        if not self.plan.generated(dataset):
            sha256 = self._label_digest(dataset, *columns)
            return {"cells": {"columns": columns, "sha256": sha256}}
        settings = self.plan.corpus_settings(dataset)
        join, level = settings.get("join"), {key: settings[key] for key in ("missing", "sets")}
        own = set(self.plan.joined[dataset].columns) - {join["by"]} if join else set()
        joined = {"joined": [join["by"], join["sha256"]]} if own.intersection(columns) else {}
        return joined | level

    def manifest(self, dataset: str) -> dict:
        """What the manifest depends on, apart from the inspected clips."""
        settings = self.audio(dataset) | {"max_bad": self.datasets[dataset]["max_bad"]}
        if dataset in self.plan.joined:
            # all of the file counts, as the manifest counts the clips that it does not mention
            joined = {"sha256": self.plan.joined[dataset].sha256}
            settings["join"] = self.datasets[dataset]["join"] | joined
        if self.plan.generated(dataset):
            return settings | self.labels(dataset, [])
        settings["spellings"] = dataclasses.asdict(self.plan.spellings[dataset])
        columns = [name for name in self.plan.cells[dataset].column_names if name != "row"]
        rows = self.plan.scans[dataset].select(["row", "reason"]).to_pydict()
        return settings | self.labels(dataset, columns) | {"rows": keys.digest(rows)}

    def folds(self, dataset: str, task: str) -> dict:
        """What decides a task's clips, classes and folds, apart from the inspected clips."""
        entry = self.datasets[dataset]["tasks"][task]
        recording = self.datasets[dataset]["recording"]
        used = {key: entry[key] for key in FOLDS if key in entry}
        columns = [column for _, column in named_columns(entry)] + recording
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
        reasons = self.plan.scans[dataset]["reason"].to_pylist() if annotations else []
        lost = any(reason and reason.startswith(TOO_SHORT) for reason in reasons)
        if not lost or not isinstance(column, str):
            return {}
        cells = self.plan.cells[dataset][column].to_pylist()
        lost = Counter(
            cell
            for cell, reason in zip(cells, reasons, strict=True)
            if cell and reason and reason.startswith(TOO_SHORT)
        )
        return {"too_short": {"min_s": annotations["min_s"], "clips": dict(sorted(lost.items()))}}

    def linear(self, dataset: str, task: str) -> dict:
        """The settings of linear probes."""
        keys = ("inner_folds", "c_grid", "permutations", "control_tasks", "fusions", "seed")
        return self.probes(dataset, *keys) | {kinds.KEY: self.plan.kind(dataset, task).name}

    def confounds(self, dataset: str, task: str) -> dict:
        """The columns whose association with the task's target is reported."""
        columns = self.plan.confound_columns(dataset, task)
        about = {"dataset": dataset, "task": task, "confounds": columns}
        return about | self.labels(dataset, columns) | self.probes(dataset, "seed")

    def generation(self, dataset: str) -> dict:
        """The settings of synthetic calls."""
        entry = self.datasets[dataset]
        return entry["chorus"] | {"shards": entry["shards"]}

    def archive_identity(self, dataset: str) -> dict:
        """What identifies the archive's content: a mirror of the same files makes nothing stale."""
        return {"files": archives.identity(self.plan.archives[dataset])}

    def archive_source(self, dataset: str) -> dict:
        """Which archive to fetch, and where archives are kept."""
        name = self.datasets[dataset]["archive"]
        return {"archive": name, "downloads": self.plan.config["downloads"]}

    def arrangement(self, dataset: str) -> dict:
        """How the archive's files become a folder of clips with a table."""
        keys = ("layout", "members", "unpacked_bytes", "unpacked_files")
        entry = self.plan.archives[dataset]
        shards = {"shards": self.datasets[dataset]["shards"]}
        return {key: entry[key] for key in keys} | shards | archives.bounds(entry)

    def extraction(self, dataset: str) -> dict:
        """Which Parquet files hold the clips, by their content, and which of their columns."""
        keys = {key: value for key, value in self.datasets[dataset].items() if key == "file"}
        if "windows" in self.datasets[dataset]:
            settings = self.plan.corpus_settings(dataset)
            keys |= {key: settings[key] for key in ("windows", "missing", *parquet.BOUNDS)}
        shards = self.datasets[dataset]["shards"]
        return keys | {"sha256": self.plan.digests[dataset], "shards": shards}

    def extraction_code(self, dataset: str) -> list[str]:
        """The module that cuts windows, where it has some."""
        return [labels.WINDOWS] if "windows" in self.datasets[dataset] else []

    def parquet_files(self, dataset: str) -> dict:
        """Where the Parquet files are, and which of them are read."""
        return {key: self.datasets[dataset].get(key) for key in ("path", "splits")}

    def layout_code(self, dataset: str) -> list[str]:
        """The modules that read the archive's file names, and the bounds of its clips."""
        entry = self.plan.archives[dataset]
        bounded = ["corpus.bounds"] if archives.bounds(entry) else []
        return [f"corpus.{entry['layout']}", *bounded]

    def reader_code(self, dataset: str) -> list[str]:
        """The modules that read the dataset's annotation files, where it has some."""
        return labels.reader_code(self.plan.corpus_settings(dataset))

    def manifest_code(self, dataset: str) -> list[str]:
        """The same, and what checks the bounds of clips, where they have some."""
        bounded = not {"start", "annotations"}.isdisjoint(self.plan.corpus_settings(dataset))
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
        return self.probes(dataset, *keys) | {"task": task, "draws": self.plan.draws}

    def erasure(self, dataset: str, task: str) -> dict:
        """The columns to erase, with their content."""
        columns = self.plan.erased_columns(dataset, task)
        about = {"dataset": dataset, "task": task, "columns": columns}
        return about | self.labels(dataset, columns) | self.probes(dataset, "seed")

    def encoder(self, encoder: str, dataset: str) -> dict:
        """The encoder's entry, its speed on the dataset, and the receipt of published weights."""
        entry = {key: value for key, value in self.encoders[encoder].items() if key != "speed"}
        receipt = self.plan.receipt(encoder)
        speed = _unless_true(self.plan.speed_for(encoder, dataset))
        return entry | speed | ({"receipt": receipt} if receipt else {})

    def acoustics(self, dataset: str) -> dict:
        """The rate and speed at which the dataset's clips are described."""
        return {"rate": self.plan.described_rate(dataset)} | _unless_true(self.plan.speed(dataset))

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
        return [sha256_of(self.plan.root / file) for file in files]

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

    def listening(self, dataset: str) -> dict | None:
        """Among which clips the report's maps choose those it plays, and the name of each group.

        None for a dataset without maps.
        """
        targets = self.plan.targets(dataset)
        if not any(self.plan.mapped(dataset, task) for task in targets):
            return None
        tasks = self.datasets[dataset]["tasks"]
        groups = {task: " and ".join(columns_of(tasks[task]["group"])) for task in targets}
        umap = self.plan.config["figures"]["umap"]
        chosen = {"max_clips": umap["max_clips"], "seed": umap["seed"], "groups": groups}
        return chosen | _unless_true(self.plan.speed(dataset))

    @cache
    def _shard_digests(self, dataset: str) -> list[str]:
        return shard_digests(self.plan.scans[dataset], self.datasets[dataset]["shards"])

    @cache
    def _label_digest(self, dataset: str, *columns: str) -> str:
        # once for all encoders: it goes through all clips
        scanned, cells = self.plan.scans[dataset], self.plan.cells[dataset]
        return labels.label_digest(scanned, cells, list(columns))


def _unless_true(speed: float) -> dict:
    """The key ``speed``; none for true speed, so that keys are as without it."""
    return {} if speed == 1 else {"speed": speed}
