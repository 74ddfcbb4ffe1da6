"""The command line that the figures of one task share."""

from __future__ import annotations

import argparse
from pathlib import Path

from stratavox import stage
from stratavox.report.results import Results, load


def figure_options(parser: argparse.ArgumentParser) -> tuple[Results, argparse.Namespace]:
    """Parse the command line and load the task's answers.

    ``--encoders`` is a JSON object of the run's encoders, in its order, and their embeddings
    folders; ``--settings`` holds ``source``, as the config does.
    """
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--answers", type=Path, required=True, help="folder of the answers")
    parser.add_argument(
        "--encoders", type=stage.json_object, required=True, help="JSON: name -> embeddings folder"
    )
    options = parser.parse_args()
    results = load(
        options.dataset,
        options.task,
        options.settings["source"],
        options.answers,
        options.encoders,
    )
    return results, options
