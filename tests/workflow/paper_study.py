"""config/paper.yaml in miniature: its archives and its weights on loopback, a smaller design."""

from __future__ import annotations

import csv
import hashlib
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch

from tiny_study import ROOT, Study, bare

sys.path.append(str(ROOT / "tests/unit"))
import archive_data  # noqa: E402
import loopback_hub  # noqa: E402

WEIGHTS = "EarthSpeciesProject/esp-aves2-sl-beats-all/esp-aves2-sl-beats-all.safetensors"
# Birds with several days, and chicks; what each is taken to call.
BIRDS = ("whilbl0010", "gralbl0457", "bluras07dd", "yelgre5275", "lblblu6379", "lblblu6680")
CALLS = ("Te", "DC", "Ag", "LT", "Be")
# The design of the study is for a night; this one is for a minute.
SMALL = {
    "downloads": {"folder": "cache", "archives": "archives.yaml"},
    "datasets": {
        "giant_otter": {"tasks": {"call_type": {"min_clips": 3}}},
        "zebra_finch": {"shards": 1, "tasks": {"individual": {"min_clips": 5}}},
    },
    "probes": {
        **{"folds": 3, "inner_folds": 2, "repeats": 1, "c_grid": [0.01, 1.0]},
        **{"permutations": 1, "control_tasks": 1, "fusions": ["mean"], "samples": {"draws": 1}},
        "attention": {"probes": ["attention_pool"], "epochs": 1},
    },
    "geometry": {"matched_clips": 20, "draws": 2},
    "figures": {"umap": {"readouts": ["first", "last"]}},
}


@dataclass
class Paper(Study):
    """The study of paper.yaml with what ``SMALL`` changes, in a copy of the project."""

    def command(self, *options: str) -> list[str]:
        paper = self.project / "config/paper.yaml"
        return super().command("--configfile", paper, self.here / "mine.yaml", *options)


def finches(shared: Path, each: int) -> list[dict[str, str]]:
    """Rows of the real names: of each of `BIRDS` up to ``each`` calls of each of `CALLS`."""
    with open(shared / "data/zebra_finch_filenames.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    taken, seen = [], Counter()
    for row in rows:
        kind = row["bird"], row["call_type"]
        if row["bird"] in BIRDS and row["call_type"] in CALLS and seen[kind] < each:
            seen[kind] += 1
            taken.append(row)
    return taken


def checkpoint() -> bytes:
    """Random weights under the names, and of the shapes, of avex's published BEATs, in halves."""
    import torch
    from avex.models.beats import BEATs, BEATsConfig
    from avex.models.utils.registry import get_model_spec

    torch.manual_seed(7)
    spec = get_model_spec("esp_aves2_sl_beats_all")
    model = BEATs(BEATsConfig(**spec.init_config | {"finetuned_model": False}))
    tensors = {f"backbone.{name}": tensor.half() for name, tensor in model.state_dict().items()}
    tensors = {name: t for name, t in tensors.items() if not name.startswith("backbone.fbank")}
    return safetensors.torch.save(tensors | {"classifier.weight": torch.zeros(5, 768).half()})


@contextmanager
def served(folder: Path, shared: Path, otters: int, each: int, **more) -> Iterator[tuple]:
    """The study, its servers and environment: ``otters`` calls a type, ``each`` of a finch's.

    Yields the study, the server of archives, the hub, and the environment to run in. ``more`` goes
    into the config.
    """
    study = Paper(bare(folder).folder)
    archive_data.otter_archive(folder / "site/giant_otters.zip", most=otters)
    rows = finches(shared, each)
    inner = archive_data.finch_archives(folder / "inner", rows, both=5)
    archive_data.finch_article(folder / "site/11905533.zip", inner)
    weights = checkpoint()
    hub = loopback_hub.Hub({WEIGHTS: weights})
    with archive_data.serving(folder / "site") as server, loopback_hub.serving(hub):
        archive_data.write_table(
            study.here / "archives.yaml",
            giant_otter=archive_data.entry("giant_otter", [server.file("giant_otters.zip")]),
            zebra_finch=archive_data.entry("zebra_finch", [server.file("11905533.zip")]),
        )
        sha256 = hashlib.sha256(weights).hexdigest()
        study.config = SMALL | {"encoders": {"beats_all": {"sha256": sha256}}} | more
        yield study, server, hub, hub.environment(folder / "hub")
