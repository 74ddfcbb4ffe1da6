"""A tiny run of the whole workflow: its data, its encoder, its config, what it would do next."""

from __future__ import annotations

import copy
import csv
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import yaml

import snakemake_forks

ROOT = Path(__file__).resolve().parents[2]
WILDCARDS = ("encoder", "dataset", "rate", "task", "shard")
# One of the two datasets has all that can be asked for, and costs it.
FIELD_PROBES = {
    "protocol": "notebook",
    "attention": {"encoders": ["tiny"], "probes": ["attention_pool"], "epochs": 1, "heads": 2},
    "all_blocks": {
        "encoders": ["tiny"],
        "protocols": ["icassp2026"],
        "probes": ["linear"],
        "seeds": 2,
        "epochs": 1,
    },
}
PROJECT = ("Snakefile", "rules", "workflow", "envs", "profiles", "config", "config.yaml")


@dataclass
class Study:
    """A copy of the project, and beside it a working directory with data, config and results."""

    folder: Path

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def here(self) -> Path:
        return self.folder / "here"

    @property
    def config(self) -> dict:
        return yaml.safe_load((self.here / "mine.yaml").read_text())

    @config.setter
    def config(self, value: dict) -> None:
        (self.here / "mine.yaml").write_text(yaml.safe_dump(value, sort_keys=False))

    def command(self, *options: str, snakefile: Path | None = None) -> list[str]:
        snakefile = snakefile or self.project / "Snakefile"
        return [
            *(sys.executable, "-m", "snakemake", "-s", str(snakefile)),
            *("--directory", str(self.here), "--configfile", str(self.here / "mine.yaml")),
            # Snakemake's own view, which names each job
            *("--cores", "2", "--verbose", *options),
        ]

    def snakemake(
        self,
        *options: str,
        ok: bool = True,
        path: Path | None = None,
        snakefile: Path | None = None,
    ) -> str:
        """Run Snakemake from some other folder, without a network; return all it printed."""
        command = self.command(*options, **({"snakefile": snakefile} if snakefile else {}))
        paths = [self.project / "workflow", path or os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, filter(None, paths)))}
        status, text = self.ended(list(map(str, command)), environment)
        assert (status == 0) == ok, text
        return text

    def ended(self, command: list[str], environment: dict[str, str]) -> tuple[int, str]:
        """The exit status of a command of Snakemake, and all it printed."""
        with tempfile.NamedTemporaryFile("r") as printed:
            words = command[command.index("snakemake") + 1 :]
            status = snakemake_forks.run(words, self.folder, environment, printed.name)
            return status, printed.read()

    def start(self, *options: str) -> subprocess.Popen:
        """Snakemake in a session of its own, to be killed whole."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(
            self.command(*options), cwd=self.folder, start_new_session=True, **quiet
        )

    def stale(self, **environment) -> set[str]:
        """The jobs that would run, as "rule wildcard wildcard"."""
        return jobs(self.snakemake("--dry-run", **environment))

    def after(self, *first: str, printed: str = "") -> set[str]:
        """The jobs of the rules or jobs named, and all that follows from them in this config.

        "linear" names all jobs of a rule, "linear tiny" those of an encoder, and so on.
        """
        printed = printed or self.snakemake("--dry-run", "--forceall")
        named = {
            job for job in blocks(printed) for name in first if f"{job} ".startswith(f"{name} ")
        }
        return after(printed, named)

    def rows(self, dataset: str) -> list[dict]:
        with open(self.here / "data" / dataset / "calls.csv", newline="") as file:
            return list(csv.DictReader(file))

    def write_rows(self, dataset: str, rows: list[dict]) -> None:
        with open(self.here / "data" / dataset / "calls.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)


def jobs(printed: str) -> set[str]:
    """The jobs that Snakemake printed, less the target, wildcards in the order of WILDCARDS."""
    return set(blocks(printed)) - {"all"}


def blocks(printed: str) -> dict[str, dict[str, list[str]]]:
    """Each job that Snakemake printed, and what it said of it: its input and output files."""
    described = {}
    for block in re.split(r"\n(?=(?:local)?rule \w+:)", printed):
        if rule := re.match(r"(?:local)?rule (\w+):", block):
            lines = dict(re.findall(r"\n    (\w+): (.*)", block))
            values = dict(re.findall(r"(\w+)=([^,]+)", lines.get("wildcards", "")))
            name = " ".join([rule.group(1), *(values[k] for k in WILDCARDS if k in values)])
            listed = {k: lines.get(k, "").split(", ") for k in ("input", "output")}
            described[name] = {k: [*filter(None, paths)] for k, paths in listed.items()}
    return described


def after(printed: str, first: set[str]) -> set[str]:
    """The jobs in ``first`` and all that read what they write, directly or not.

    ``printed`` is a dry run of all jobs (--forceall).
    """
    described = blocks(printed)
    assert first <= set(described), first - set(described)
    writers = {path: job for job, files in described.items() for path in files["output"]}
    reached, waiting = set(first), list(first)
    readers: dict[str, set[str]] = {}
    for job, files in described.items():
        for path in files["input"]:
            readers.setdefault(writers.get(path, ""), set()).add(job)
    while waiting:
        new = readers.get(waiting.pop(), set()) - reached
        reached |= new
        waiting += new
    return reached - {"all"}


def call(generator: np.random.Generator, kind: int, bird: int, rate: int = 16000) -> np.ndarray:
    """Half a second of a tone whose pitch tells the bird and whose sweep tells the kind."""
    t = np.arange(int(0.3 * rate)) / rate
    sweep = (600, -600, 0)[kind]
    tone = np.sin(2 * np.pi * (1500 + 150 * bird + sweep * t) * t)
    return 0.3 * tone + 0.02 * generator.standard_normal(len(t))


def make_dataset(folder: Path, seed: int) -> None:
    """36 calls of 3 kinds by 6 birds."""
    generator = np.random.default_rng(seed)
    (folder / "audio").mkdir(parents=True)
    rows = []
    for bird in range(6):
        for kind in range(3):
            for take in range(2):
                name = f"audio/bird{bird}_{kind}_{take}.wav"
                soundfile.write(folder / name, call(generator, kind, bird), 16000)
                rows.append(
                    {
                        "name": name,
                        "kind": f"kind {kind}",
                        "bird": f"bird {bird}",
                        "day": f"day {len(rows) % 5}",
                    }
                )
    with open(folder / "calls.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def make_encoder(folder: Path, seed: int = 0) -> None:
    """A tiny Whisper encoder as transformers saves it."""
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    torch.manual_seed(seed)
    config = WhisperConfig(
        d_model=16,
        encoder_layers=3,
        encoder_attention_heads=2,
        encoder_ffn_dim=32,
        num_mel_bins=20,
        init_std=0.5,  # so that blocks differ
    )
    WhisperEncoder(config).save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=20).save_pretrained(folder)


def bare(folder: Path) -> Study:
    """A copy of the project in ``folder`` and an empty working directory, without a config."""
    study = Study(folder)
    study.project.mkdir()
    for name in PROJECT:
        source = ROOT / name
        if source.is_dir():
            skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, study.project / name, ignore=skip)
        else:
            shutil.copy2(source, study.project / name)
    # where every job looks for its code: no process of a tiny run has a network
    shutil.copy2(ROOT / "tests/offline/sitecustomize.py", study.project / "workflow")
    study.here.mkdir()
    return study


def set_up(folder: Path) -> Study:
    """Project, data, encoder and config of the tiny run in ``folder``; nothing is run yet."""
    study = bare(folder)
    for seed, name in enumerate(("wood", "field")):
        make_dataset(study.here / "data" / name, seed)
    make_encoder(study.here / "encoder")
    entry = {
        "source": "folder",
        "table": "calls.csv",
        "file": "name",
        "shards": 2,
        "tasks": {
            "kind": {"target": "kind", "group": "bird"},
        },
    }
    study.config = {
        "run": {"datasets": ["wood", "field"], "encoders": ["tiny", "logmel"]},
        "datasets": {
            "wood": entry | {"path": "data/wood"},
            "field": copy.deepcopy(entry) | {"path": "data/field", "probes": FIELD_PROBES},
        },
        "encoders": {"tiny": {"family": "transformers", "path": "encoder", "context_s": 1.0}},
        "probes": {
            **{"folds": 3, "inner_folds": 2, "repeats": 1, "permutations": 2},
            **{"control_tasks": 1, "protocol": "sound"},
        },
    }
    return study
