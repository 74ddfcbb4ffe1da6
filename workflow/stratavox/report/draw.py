"""Figures from tables, in every format. Run as ``python -m stratavox.report.draw`` for a task.

One process draws several: importing the libraries takes longer than drawing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stratavox import stage
from stratavox.errors import run
from stratavox.report import figures, paper, screen
from stratavox.report.results import load
from stratavox.tables import read_table


def draw(stems: dict[str, Path], data, tables: dict, provenance: dict) -> None:
    """Write the figures ``stems`` (name -> path without its ending) as SVG, PDF, PNG and HTML.

    ``data`` is what figures of their scope are about; ``tables`` holds what they need beside it.
    """
    for name, stem in stems.items():
        figure = figures.build(name, data, tables)
        paper.save(figure, stem, provenance)
        screen.save(figure, stem, provenance)


def inside(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Name -> stem of figures that stand under their names in a folder."""
    return {name: folder / name for name in names}


def by_encoder(paths: dict[str, str] | None) -> dict:
    """Encoder -> table; nothing where no paths are given."""
    return {name: read_table(path).to_pandas() for name, path in (paths or {}).items()}


def main() -> None:
    """Command line of the stage."""
    parser = stage.parser(__doc__)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--answers", type=Path, required=True, help="folder of the answers")
    parser.add_argument(
        "--encoders", type=stage.json_object, required=True, help="JSON: name -> embeddings folder"
    )
    for kind in ("neighbours", "notebook"):
        parser.add_argument(f"--{kind}", type=stage.json_object, help="JSON: encoder -> table")
    parser.add_argument("--out", type=Path, required=True, help="folder of the figures")
    options = parser.parse_args()
    about = (options.dataset, options.task, options.settings["source"], options.answers)
    results = load(*about, options.encoders)
    tables = {kind: by_encoder(getattr(options, kind)) for kind in ("neighbours", "notebook")}
    draw(inside(options.out, options.settings["figures"]), results, tables, options.provenance)


if __name__ == "__main__":
    run(main)
