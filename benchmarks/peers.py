"""One table: the notebook's recipe, GridSearchCV by hand, bacpipe and Stratavox on the same clips.

Each is run by its own way from a fresh process (docs/peers.md), with the same encoder, official
BEATs geometry of the same random weights, so the seconds compare and the scores say what a split
does, nothing about BEATs. Needs real recordings: catmeows, in ../shared/data or --data.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import soundfile as sf
import yaml

from stratavox import tables

ROOT = Path(__file__).resolve().parents[1]
BEATS = {"family": "beats", "model": "esp_aves2_sl_beats_all", "weights": "random", "seed": 0}
BEATS |= {"precision": "fp32"}
CLIPS = 110
PYTHON = [sys.executable, "-m"]
# What bacpipe calls its checkpoint, and how that calls the parts of a weight-normalised tensor
CHECKPOINT = "bacpipe_model_checkpoints/beats/BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt1.pt"
TORCH_NAMES = {"original0": "weight_g", "original1": "weight_v"}


@dataclass
class Peer:
    """A column of the table: ``facts`` of its documented way, and what was ``seen`` here.

    ``first`` is the seconds of its first run, where it ran.
    """

    name: str
    setup: list[str]
    facts: dict[str, str]
    seen: dict[str, str] = field(default_factory=dict)
    first: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/catmeows")
    parser.add_argument("--bacpipe", type=Path, help="a virtual environment that has it")
    options = parser.parse_args()
    if not (options.data / "metadata.csv").is_file():
        sys.exit(
            f"{options.data}: no recordings there; the table compares splits by animal, which made "
            "clips do not have: give --data the folder of catmeows (Zenodo 4008297, with a "
            "metadata.csv: path, label, group)"
        )
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        rows = clips(options.data, work / "clips")
        cats = len({row["group"] for row in rows})
        print(f"{len(rows)} clips of {cats} cats, {options.data}; encoder: {json.dumps(BEATS)}")
        print(f"{processor()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}\n")
        peers = [notebook(work)]
        peers += [grid_search(work, peers[0]), bacpipe(work, options.bacpipe), ours(work)]
    print(table(peers))


def clips(data: Path, folder: Path) -> list[dict]:
    """``CLIPS`` recordings, evenly spread over the set, and clips.csv (file, label, group)."""
    folder.mkdir()
    with open(data / "metadata.csv", newline="", encoding="utf-8") as file:
        listed = list(csv.DictReader(file))
    taken = [listed[round(place * (len(listed) - 1) / (CLIPS - 1))] for place in range(CLIPS)]
    rows = [
        {"file": Path(row["path"]).name, "label": row["label"], "group": row["group"]}
        for row in taken
    ]
    for row, source in zip(rows, taken, strict=True):
        shutil.copyfile(data / source["path"], folder / row["file"])
    write_csv(folder / "clips.csv", rows)
    return rows


def notebook(work: Path) -> Peer:
    """The seed notebook's recipe."""
    peer = Peer(
        "the notebook's recipe",
        # without the pins, avex 1.4.0 comes beside a torch that it cannot be imported with
        [
            "python -m venv VENV",
            "VENV/bin/pip install avex torch==2.12.1 torchvision==0.27.1 torchaudio==2.11.0 "
            "librosa scikit-learn matplotlib",
        ],
        {
            "split": "random, once",
            "score": "accuracy",
            "intervals": "no",
            "controls": "none (chance is a line)",
            "second run does": "all again",
            "after a kill": "from the start",
        },
    )
    command = [*PYTHON, "benchmarks.peer_notebook", "--clips", work / "clips"]
    command += ["--settings", json.dumps(BEATS), "--out", work / "notebook"]
    return twice(peer, command, ROOT)


def grid_search(work: Path, before: Peer) -> Peer:
    """Scikit-learn by hand, over what the notebook left."""
    lines = len((ROOT / "benchmarks/peer_gridsearch.py").read_text().splitlines())
    peer = Peer(
        "GridSearchCV by hand",
        ["the notebook's", f"a script of one's own, {lines} lines here"],
        {
            "split": "by cat, 5 folds, nested",
            "score": "balanced accuracy",
            "intervals": "no (5 fold scores)",
            "controls": "none",
            "second run does": "the probes again, from the .npy files",
            "after a kill": "from the .npy files, if they are whole",
        },
    )
    command = [*PYTHON, "benchmarks.peer_gridsearch", "--clips", work / "clips"]
    command += ["--npy", work / "notebook/npy", "--out", work / "grid.png"]
    return twice(peer, command, ROOT, before.first)


def bacpipe(work: Path, environment: Path | None) -> Peer:
    """bacpipe, its weights' place filled with the same random ones."""
    peer = Peer(
        "bacpipe",
        ["python3.11 -m venv VENV", "VENV/bin/pip install bacpipe"],
        {
            "split": "random by class, 65/20/15 %, once",
            "score": "balanced accuracy",
            "intervals": "no",
            "controls": "none (k nearest neighbours beside)",
            "second run does": "what is not there yet",
            "after a kill": "the files that are not embedded yet, the probe",
        },
    )
    if environment is None:
        peer.seen["first curve or score, s"] = "not installed (--bacpipe VENV)"
        return peer
    peer.seen["environment"] = size(environment)
    here = work / "bacpipe"
    shutil.copytree(work / "clips", here / "cats")
    with open(here / "cats/clips.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    (here / "cats/clips.csv").unlink()
    annotations = []
    for row in rows:
        # a clip is annotated as a whole; bacpipe's column of labels is called species by default
        duration = sf.info(here / "cats" / row["file"]).duration
        annotation = {"audiofilename": row["file"], "start": 0, "end": duration}
        annotations.append(annotation | {"label:species": row["label"]})
    write_csv(here / "cats/annotations.csv", annotations)
    checkpoint(here / CHECKPOINT)
    # -P: the modules beside the script are not for what bacpipe imports
    command = [environment.absolute() / "bin/python", "-P", ROOT / "benchmarks/peer_bacpipe.py"]
    return twice(peer, [*command, "--clips", "cats"], here)


def ours(work: Path) -> Peer:
    """Stratavox: Snakemake up to the curves, then the rest, then again."""
    peer = Peer(
        "Stratavox",
        ["git clone ADDRESS", "make run CONFIG=mine.yaml"],
        {
            "split": "by cat, 5 folds, nested, 3 repeats; random beside",
            "score": "balanced accuracy",
            "controls": "chance, 20 permutations, random labels, log-mel, duration and level",
            "second run does": "what is stale: nothing",
            "after a kill": "the jobs that had not ended",
        },
    )
    peer.seen["environment"] = size(Path(sys.prefix))
    here = work / "stratavox"
    here.mkdir()
    entry = {"source": "folder", "path": "../clips", "table": "clips.csv", "file": "file"}
    task = {"target": "label", "group": "group"}
    config = {
        "run": {"datasets": ["cats"], "encoders": ["beats", "logmel", "duration_level"]},
        "datasets": {"cats": entry | {"tasks": {"context": task}}},
        "encoders": {"beats": BEATS},
    }
    (here / "mine.yaml").write_text(yaml.safe_dump(config))
    command = [*PYTHON, "snakemake", "-s", ROOT / "Snakefile", "--directory", here]
    command += ["--configfile", here / "mine.yaml", "--cores", "all"]
    first = timed([*command, "--", "results/figures/cats/context/layers.svg"], here)[0]
    report = first + timed(command, here)[0]
    answers = here / "results/answers/cats/context/estimates.parquet"
    wanted = {"encoder": "beats", "readout": "block_11", "control": "none", "regime": "grouped"}
    wanted |= {"metric": "balanced_accuracy"}
    (row,) = [
        row
        for row in tables.read_table(answers).to_pylist()
        if all(row[name] == value for name, value in wanted.items())
    ]
    readouts = tables.read_json(here / "results/embeddings/beats/cats/encoder.json")["readouts"]
    peer.seen |= {
        "first curve or score, s": f"{first:.0f}, the whole report {report:.0f}",
        "second run, s": f"{timed(command, here)[0]:.0f}",
        "layers": f"{len(readouts)} and fusions",
        "score of the last layer": f"{row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f})",
        "intervals": f"95 % {row['interval']}",
    }
    return peer


def twice(peer: Peer, command: list, here: Path, before: float = 0.0) -> Peer:
    """Run a peer's command two times and note what it took and printed last.

    ``before`` are the seconds of what it needs and another command makes.
    """
    try:
        (first, printed), (again, _) = timed(command, here), timed(command, here)
    except RuntimeError as error:
        peer.seen["first curve or score, s"] = f"could not run: {error}"
        return peer
    peer.first, result = first, json.loads(printed)
    peer.seen |= {
        "first curve or score, s": f"{before + first:.0f}",
        "second run, s": f"{again:.0f}",
        "layers": str(result["layers"]),
        "score of the last layer": f"{result['last']:.2f}",
    }
    return peer


def timed(command: list, here: Path) -> tuple[float, str]:
    """Wall seconds of a process, and the last line that it printed.

    Raises `RuntimeError` with the last line of its errors.
    """
    started = time.perf_counter()
    done = subprocess.run(list(map(str, command)), cwd=here, capture_output=True, text=True)
    taken = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["it said nothing"])[-1])
    return taken, (done.stdout.strip().splitlines() or [""])[-1]


def checkpoint(path: Path) -> None:
    """The weights of ``BEATS`` as the file that bacpipe's model reads."""
    import torch
    from avex.models.utils.registry import get_model_spec

    from benchmarks.ways import bare_model

    tensors = {}
    for name, tensor in bare_model(BEATS).state_dict().items():
        stem, _, last = name.partition(".parametrizations.weight.")
        tensors[f"{stem}.{TORCH_NAMES[last]}" if last else name] = tensor
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("fbank.")}
    sizes = get_model_spec(BEATS["model"]).init_config | {"finetuned_model": False}
    path.parent.mkdir(parents=True)
    torch.save({"cfg": sizes, "model": tensors}, path)


def size(environment: Path) -> str:
    """Packages and gigabytes of a virtual environment."""
    packages = len(list(environment.glob("lib/python*/site-packages/*.dist-info")))
    files = (path for path in environment.rglob("*") if not path.is_symlink())
    return f"{packages} packages, {sum(path.stat().st_blocks for path in files) * 512e-9:.1f} GB"


def processor() -> str:
    """The processor's name, where the system tells it."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def write_csv(path: Path, rows: list[dict]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


ROWS = (
    "set-up",
    "environment",
    "first curve or score, s",
    "second run, s",
    "second run does",
    "after a kill",
    "layers",
    "split",
    "score",
    "score of the last layer",
    "intervals",
    "controls",
)


def table(peers: list[Peer]) -> str:
    """The table in Markdown: a row a property, a column a peer."""
    lines = [["", *(peer.name for peer in peers)], ["---"] * (len(peers) + 1)]
    for row in ROWS:
        columns = [{"set-up": "; ".join(peer.setup)} | peer.facts | peer.seen for peer in peers]
        lines.append([row, *(known.get(row, "–") for known in columns)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    main()
