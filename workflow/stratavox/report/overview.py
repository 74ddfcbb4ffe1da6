"""The figures of one dataset, named in the settings' ``figures``.

Run as ``python -m stratavox.report.overview``.
"""

from __future__ import annotations

from pathlib import Path

from stratavox import stage, words
from stratavox.errors import run
from stratavox.report.draw import by_encoder, draw, inside
from stratavox.report.results import Overview
from stratavox.tables import read_json, read_table


def main() -> None:
    """Command line of the stage."""
    parser = stage.parser(__doc__)
    parser.add_argument("--dataset", required=True)
    for kind in ("encoders", "shape"):
        parser.add_argument(
            f"--{kind}", type=stage.json_object, required=True, help="JSON: encoder -> path"
        )
    parser.add_argument("--similarity", type=Path, required=True, help="table of the dataset")
    parser.add_argument("--out", type=Path, required=True, help="folder of the figures")
    options = parser.parse_args()
    settings = options.settings
    encoders = {
        name: read_json(Path(path) / "encoder.json") for name, path in options.encoders.items()
    }
    heading = words.dataset(options.dataset, settings["source"])
    tables = {"similarity": read_table(options.similarity).to_pandas()}
    tables["shape"] = by_encoder(options.shape)
    data = Overview(heading, encoders, settings["draws"])
    draw(inside(options.out, settings["figures"]), data, tables, options.provenance)


if __name__ == "__main__":
    run(main)
