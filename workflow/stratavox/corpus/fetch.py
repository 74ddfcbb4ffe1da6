"""Stage: fetch a published archive into the folder that runs share, and write down what it is."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from stratavox import stage, tables
from stratavox.corpus import archives, download
from stratavox.errors import run

ABOUT = ("layout", "licence", "citation", "doi")


def fetch(name: str, downloads: dict) -> dict:
    """The receipt of archive ``name``: licence, citation, and each file's path and checksums.

    ``downloads`` holds folder and archives, as the config does.
    """
    own = downloads.get("archives")
    archive = archives.entry(name, Path(own) if own else None)
    folder = download.cache(downloads.get("folder")) / name
    got = [download.obtain(file, folder) for file in archive["files"]]
    for file in got:
        if not file["checksum"]:
            print(
                f"{file['name']}: no checksum is published; what came has sha256:{file['sha256']}, "
                "kept in the receipt",
                flush=True,
            )
    fetched = datetime.now(UTC).isoformat(timespec="seconds")
    return {"archive": name, "files": got, "checked": fetched} | {k: archive[k] for k in ABOUT}


def main() -> None:
    parser = stage.parser(__doc__)
    parser.add_argument(
        "--downloads",
        type=stage.json_object,
        # not among the settings: where archives stay makes no result stale
        default=os.environ.get("STRATAVOX_DOWNLOADS", "{}"),
        help="JSON object: folder and archives, as in the config; default $STRATAVOX_DOWNLOADS",
    )
    parser.add_argument("--out", type=Path, required=True, help="receipt to write (JSON)")
    options = parser.parse_args()
    receipt = fetch(options.settings["archive"], options.downloads)
    tables.write_json(receipt | {"provenance": options.provenance}, options.out)


if __name__ == "__main__":
    run(main)
