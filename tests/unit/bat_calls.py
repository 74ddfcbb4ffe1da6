"""Synthetic bat calls in recordings at 256 kHz, and a run of the real stages on them."""

from __future__ import annotations

import contextlib
import csv
import importlib
from pathlib import Path

import numpy as np
import soundfile
import yaml

import stage_jobs
from stratavox import tables
from stratavox.plan import Plan
from stratavox.settings import Settings

RATE = 256000
# Where the two calls end, in Hz. They begin 25 kHz higher.
ENDS = {"low": 45_000, "high": 55_000}
# What a clip of the task has beside its call: nothing tells the calls apart but their frequency.
PROBES = {"permutations": 1, "control_tasks": 1, "fusions": [], "repeats": 1, "samples": None}
PROBES |= {"c_grid": [0.001, 0.1, 10.0]}


def call(generator: np.random.Generator, hertz: float, level_db: float, ms: float) -> np.ndarray:
    """A sweep that falls by 25 kHz to ``hertz`` and flattens, with a soft beginning and end."""
    t = np.linspace(0, 1, round(ms * RATE / 1000))
    frequency = hertz + 25_000 * np.exp(-4 * t)
    phase = 2 * np.pi * np.cumsum(frequency) / RATE + generator.uniform(0, 2 * np.pi)
    return 10 ** (level_db / 20) * np.hanning(len(t)) * np.sin(phase)


def write_calls(folder: Path, individuals: int, each: int, seed: int = 0) -> int:
    """Write calls.csv and a recording for each call below ``folder``; the number of calls.

    Each individual gives both calls. It has its own level, duration, noise, and frequencies within
    1 kHz; each call differs from them, and lies anywhere in its recording.
    """
    generator = np.random.default_rng(seed)
    (folder / "audio").mkdir(parents=True)
    rows = []
    for individual in range(individuals):
        own = generator.uniform([-30, 4, -55, -1000], [-10, 8, -40, 1000])
        for kind in ENDS:
            for number in range(each):
                level, ms, noise, shift = own + generator.uniform(-1, 1, 4) * [6, 2, 4, 500]
                size = round(generator.uniform(0.018, 0.03) * RATE)
                wave = 10 ** (noise / 20) * generator.standard_normal(size)
                sweep = call(generator, ENDS[kind] + shift, level, ms)
                start = generator.integers(0, size - len(sweep))
                wave[start : start + len(sweep)] += sweep
                name = f"audio/{individual}_{kind}_{number}.wav"
                soundfile.write(folder / name, wave, RATE, subtype="PCM_24")
                rows.append({"file": name, "kind": kind, "bat": f"bat {individual}"})
    with open(folder / "calls.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def config(encoders: dict, **dataset) -> dict:
    """A run of ``encoders`` on the calls in the folder bats."""
    task = {"target": "kind", "group": "bat", "min_clips": 4}
    entry = {"source": "folder", "path": "bats", "table": "calls.csv", "file": "file", "shards": 1}
    return {
        "run": {"datasets": ["bats"], "encoders": list(encoders)},
        "datasets": {"bats": entry | {"tasks": {"kind": task}, "probes": PROBES} | dataset},
        "encoders": encoders,
    }


def scores(folder: Path, run: dict) -> dict[str, dict[str, float]]:
    """Encoder -> readout -> balanced accuracy of ``run`` in ``folder``, by its real stages."""
    with contextlib.chdir(folder):
        plan = Plan(yaml.safe_load(yaml.safe_dump(run)), Path())
        scan, inspect = "results/corpus/bats/scan.parquet", "inspect.parquet"
        of = Settings(plan)
        where, shard = of.folder("bats"), {"shard": "000"}
        _stage("corpus.inspect", {"scan": scan}, {"part": inspect}, of.audio("bats") | where, shard)
        made = {"folds": "folds.parquet", "summary": "folds.json"}
        settings = of.folds("bats", "kind") | of.tables("bats")
        _stage("probe.folds", {"scan": scan, "inspect": [inspect]}, made, settings)
        return {name: _scores_of(of, name, where) for name in plan.encoders}


def _scores_of(of: Settings, encoder: str, where: dict) -> dict[str, float]:
    rate = {"rate": str(of.plan.rate(encoder, "bats"))}
    clips, part, listed = (
        f"clips-{rate['rate']}.parquet",
        f"{encoder}.parquet",
        f"{encoder}/encoder.json",
    )
    _stage(
        "corpus.clips",
        {"inspect": "inspect.parquet"},
        {"clips": clips},
        of.audio("bats") | where,
        rate,
    )
    settings = of.encoder(encoder, "bats")
    _stage("embed.part", {"clips": clips}, {"part": part}, settings)
    _stage("embed.collect", {"parts": [part]}, {"encoder": listed}, {}, {"encoder": encoder})
    keys = ("inner_folds", "c_grid", "permutations", "control_tasks", "fusions", "seed")
    made = {
        name: f"{encoder}_{name}.parquet" for name in ("scores", "predictions", "layer_weights")
    }
    _stage(
        "probe.linear",
        {"encoder": listed, "folds": "folds.parquet"},
        made,
        of.probes("bats", *keys),
    )
    table = tables.read_table(Path(made["scores"])).to_pandas()
    table = table[
        (table["regime"] == "grouped")
        & (table["control"] == "none")
        & (table["metric"] == "balanced_accuracy")
        & table["fold"].isna()
    ]
    return table.groupby("readout")["value"].mean().to_dict()


def _stage(name: str, inputs: dict, outputs: dict, settings: dict, wildcards: dict | None = None):
    module = importlib.import_module(f"stratavox.{name}")
    described = (inputs, outputs, settings)
    module.run(stage_jobs.job(*described, wildcards=wildcards or {}, provenance={"key": name}))
