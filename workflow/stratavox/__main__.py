"""The command line of Stratavox: python -m stratavox init FOLDER, python -m stratavox verify."""

from __future__ import annotations

import argparse
from pathlib import Path

from stratavox.errors import run

PROJECT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stratavox", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    init = commands.add_parser("init", help="write a config for a folder of recordings")
    init.add_argument("folder", type=Path, help="folder of recordings, and of their table")
    init.add_argument("--out", type=Path, help="config to write; default: {folder's name}.yaml")
    init.add_argument(
        "--force",
        action="store_true",
        help="replace a config (and its table of sub-folders) that is there",
    )
    verify = commands.add_parser("verify", help="name the tables in results/ that are stale")
    verify.add_argument(
        "--configfile", type=Path, default=PROJECT / "config.yaml", help="the run's config"
    )
    options = parser.parse_args()

    # heavy, and not needed for --help
    if options.command == "init":
        from stratavox.init.command import start

        start(options.folder, options.out, options.force)
    else:
        from stratavox.verify import verify as compare

        compare(options.configfile, Path())


if __name__ == "__main__":
    run(main)
