"""The command line that the figures of one task share."""

from __future__ import annotations

import argparse
from pathlib import Path

from stratavox import stage
from stratavox.report.results import Results, load


def figure_options(description: str) -> tuple[Results, argparse.Namespace]:
    """Parse the command line and load the task's results.

    ``--encoders`` is a JSON object of the run's encoders, in its order, and their embeddings
    directories; ``--settings`` holds ``source``: ``folder`` or ``chorus``.
    """
    parser = stage.parser(description)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--estimates", type=Path, required=True, help="estimates .parquet")
    parser.add_argument("--summary", type=Path, required=True, help="estimates .json")
    parser.add_argument(
        "--encoders", type=stage.json_object, required=True, help="JSON: name -> embeddings folder"
    )
    parser.add_argument("--out-stem", type=Path, required=True, help="path without its ending")
    options = parser.parse_args()
    results = load(
        options.dataset,
        options.task,
        options.settings["source"],
        options.estimates,
        options.summary,
        options.encoders,
    )
    return results, options
