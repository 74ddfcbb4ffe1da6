"""The UMAP panels of one encoder on one dataset. Run as ``python -m stratavox.report.panels``."""

from __future__ import annotations

from pathlib import Path

from stratavox import stage, words
from stratavox.errors import run
from stratavox.report.draw import draw
from stratavox.report.figures import umap
from stratavox.tables import read_json


def main() -> None:
    """Command line of the stage."""
    parser = stage.parser(__doc__)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--umap", type=Path, required=True, help="umap.parquet")
    parser.add_argument("--folds", type=Path, required=True, help="folds .parquet of the task")
    parser.add_argument("--folds-json", type=Path, required=True, help="the JSON beside it")
    parser.add_argument("--embeddings", type=Path, required=True, help="embeddings directory")
    parser.add_argument("--out-stem", type=Path, required=True, help="path without its ending")
    options = parser.parse_args()
    weights = read_json(options.embeddings / "encoder.json")["weights"]
    dataset = words.dataset(options.dataset, options.settings["source"])
    heading = f"{words.encoder(options.encoder, weights)} on {dataset}: {options.task}"
    clips = umap.labels(heading, options.task, options.folds, options.folds_json)
    tables = {"umap": umap.read_map(options.umap, clips)}
    draw({"umap": options.out_stem}, clips, tables, options.provenance)


if __name__ == "__main__":
    run(main)
