"""The notebook's recipe as a script: a hook a block, a .npy a clip, one random split, a curve."""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from benchmarks import ways
from stratavox.probe.notebook import score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, required=True, help="folder with clips.csv")
    parser.add_argument("--settings", type=json.loads, required=True, help="of a BEATs, JSON")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with open(options.clips / "clips.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    shutil.rmtree(options.out, ignore_errors=True)  # a cell that is run again does it all again
    options.out.mkdir()
    paths = [options.clips / row["file"] for row in rows]
    ways.notebook(ways.bare_model(options.settings), paths, options.out / "npy")
    target = np.array([row["label"] for row in rows])
    curve = [score(x, target)["accuracy"] for x in layers(options.out / "npy", paths)]
    draw(curve, options.out / "curve.png")
    print(json.dumps({"layers": len(curve), "last": curve[-1]}))


def layers(folder: Path, paths: list[Path]) -> list[np.ndarray]:
    """The readout of each block, (clips, width)."""
    blocks = len(list(folder.glob(f"{paths[0].stem}.*.npy")))
    return [
        np.stack([np.load(folder / f"{path.stem}.{block:02d}.npy") for path in paths])
        for block in range(blocks)
    ]


def draw(curve: list[float], out: Path) -> None:
    """The score of each block."""
    figure, axes = plt.subplots()
    axes.plot(curve, marker="o")
    axes.set(xlabel="block", ylabel="score")
    figure.savefig(out)


if __name__ == "__main__":
    main()
