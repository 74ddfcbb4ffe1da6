"""The figures of one dataset, named in the settings' ``figures``: likeness and shape of readouts.

Run as ``python -m stratavox.report.overview``.
"""

from __future__ import annotations

from pathlib import Path

from stratavox import stage
from stratavox.errors import run
from stratavox.report import shape, similarity, style
from stratavox.report.saving import save_figure
from stratavox.report.shape import Shape
from stratavox.report.similarity import Similarity
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
    about = (
        style.dataset_label(options.dataset, settings["source"]),
        {name: read_json(Path(path) / "encoder.json") for name, path in options.encoders.items()},
        settings["draws"],
    )
    alike = Similarity(*about, read_table(options.similarity).to_pandas())
    shapes = {name: read_table(path).to_pandas() for name, path in options.shape.items()}
    given = {"similarity": (similarity, alike), "shape": (shape, Shape(*about, shapes))}
    for name in settings["figures"]:
        figure, data = given[name]
        title = f"{data.dataset}, {figure.TITLE}"
        save_figure(figure, [data], options.out / name, title, options.provenance)


if __name__ == "__main__":
    run(main)
