"""A dataset of as many very short clips as wanted, and a run that puts all stages to it.

The clips are cheap to write and differ as calls do: in pitch by call type, a little by individual.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import soundfile
import yaml

RATE, SECONDS = 16000, 0.15
CALL_TYPES, RECORDING_CLIPS, RECORDINGS = 8, 20, 5  # clips a recording, recordings an individual
FOLDER_CLIPS = 1000
CLIPS_A_SHARD = 1000
READOUTS, WIDTH = 13, 768  # of the stub, as BEATs has
# Clips that are probed: the probes' own arithmetic is not what is measured here.
PROBED = 2000


def make(folder: Path, clips: int) -> None:
    """Write ``clips`` WAV files, their table clips.csv and the run mine.yaml into ``folder``."""
    rows = [_row(place) for place in range(clips)]
    for place, row in enumerate(rows):
        path = folder / "recordings" / row["file"]
        if place % FOLDER_CLIPS == 0:
            path.parent.mkdir(parents=True)
        soundfile.write(path, _sound(place, row), RATE, subtype="PCM_16")
    with open(folder / "recordings" / "clips.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "mine.yaml").write_text(yaml.safe_dump(run(clips)), encoding="utf-8")


def run(clips: int) -> dict:
    """The config: every stage but tokens and their probes, a small design of probes."""
    stub = {
        "family": "module",
        "factory": "stub.build",
        "path": str(Path(__file__).parent / "stub"),
        "arguments": {"blocks": READOUTS - 1, "width": WIDTH},
        "weights": "random",
        "seed": 0,
        "rate": RATE,
        "context_s": 10,
        "grid": {"size": 800, "hop": 800},
        "blocks": "blocks",
        "layout": "batch tokens width",
    }
    dataset = {
        "source": "folder",
        "path": "recordings",
        "table": "clips.csv",
        "file": "file",
        "recording": "recording",
        "shards": max(1, clips // CLIPS_A_SHARD),
        "tasks": {"call_type": {"target": "call_type", "group": "individual"}},
        "probes": {
            "max_clips": PROBED,
            "folds": 3,
            "inner_folds": 2,
            "repeats": 1,
            "c_grid": [0.01, 1.0],
            "permutations": 1,
            "control_tasks": 1,
            "fusions": ["mean"],
        },
    }
    return {
        "run": {"datasets": ["many"], "encoders": ["stub", "logmel"]},
        "datasets": {"many": dataset},
        "encoders": {"stub": stub, "logmel": {"family": "logmel"}},
    }


def _row(place: int) -> dict:
    recording = place // RECORDING_CLIPS
    return {
        "file": f"{place // FOLDER_CLIPS:04d}/{place:08d}.wav",
        "call_type": f"type {place % CALL_TYPES}",
        "individual": f"individual {recording // RECORDINGS}",
        "recording": f"recording {recording}",
    }


def _sound(place: int, row: dict) -> np.ndarray:
    """A sweep in noise: its pitch tells the call type, its slope the individual."""
    generator = np.random.default_rng(place)
    own = np.random.default_rng(int(row["individual"].split()[1]))
    t = np.arange(round(SECONDS * RATE)) / RATE
    pitch = 500 * (1 + place % CALL_TYPES) + generator.normal(0, 100)
    slope = own.normal(0, 3000)
    tone = np.sin(2 * np.pi * (pitch + slope * t) * t)
    return 0.2 * tone + 0.05 * generator.standard_normal(len(t))
