"""The command line of Stratavox: python -m stratavox init FOLDER."""

from __future__ import annotations

import argparse
from pathlib import Path

from stratavox.errors import run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stratavox", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    init = commands.add_parser("init", help="write a config for a folder of recordings")
    init.add_argument("folder", type=Path, help="folder of recordings, and of their table")
    init.add_argument("--out", type=Path, help="config to write; default: {folder's name}.yaml")
    init.add_argument(
        "--force",
        action="store_true",
        help="replace a config (and its table of sub-folders) that is there",
    )
    options = parser.parse_args()

    from stratavox.init.command import start  # heavy, and not needed for --help

    start(options.folder, options.out, options.force)


if __name__ == "__main__":
    run(main)
