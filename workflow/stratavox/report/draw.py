"""The figures of one task, named in the settings' ``figures``, from its answers.

One process draws them all: importing the libraries takes longer than drawing. Run as
``python -m stratavox.report.draw``.
"""

from __future__ import annotations

from pathlib import Path

from stratavox import stage
from stratavox.errors import run
from stratavox.report import (
    atlas,
    centres,
    comparison,
    layers,
    leakage,
    neighbours,
    protocol,
)
from stratavox.report.options import figure_options
from stratavox.report.saving import save_figure
from stratavox.tables import read_table

FIGURES = {
    "layers": layers,
    "comparison": comparison,
    "centres": centres,
    "atlas": atlas,
    "leakage": leakage,
    "neighbours": neighbours,
    "protocol": protocol,
}


def main() -> None:
    """Command line of the stage."""
    parser = stage.parser(__doc__)
    for kind in ("neighbours", "notebook"):
        parser.add_argument(f"--{kind}", type=stage.json_object, help="JSON: encoder -> table")
    parser.add_argument("--out", type=Path, required=True, help="folder of the figures")
    results, options = figure_options(parser)
    beside = {"neighbours": options.neighbours, "protocol": options.notebook}
    for name in options.settings["figures"]:
        figure, given = FIGURES[name], [results]
        if name in beside:
            given.append({key: read_table(path).to_pandas() for key, path in beside[name].items()})
        title = f"{results.heading}, {figure.TITLE}"
        save_figure(figure, given, options.out / name, title, options.provenance)


if __name__ == "__main__":
    run(main)
