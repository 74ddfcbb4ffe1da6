"""Stage: fetch a published archive into a folder that all runs share, and write its receipt."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from stratavox import tables
from stratavox.corpus import archives, download
from stratavox.stage import Job

ABOUT = ("layout", "licence", "citation", "doi")


def fetch(name: str, downloads: dict) -> dict:
    """The receipt of archive ``name``: licence, citation, and each file's path and checksums.

    ``downloads`` holds folder and archives, as the config does.
    """
    own = downloads.get("archives")
    archive = archives.entry(name, Path(own) if own else None)
    folder = download.cache(downloads.get("folder")) / name
    files = [download.obtain(file, folder) for file in archive["files"]]
    for file in files:
        if not file["checksum"]:
            print(
                f"{file['name']}: no checksum is published; the fetched file has "
                f"sha256:{file['sha256']}, kept in the receipt",
                flush=True,
            )
    fetched = datetime.now(UTC).isoformat(timespec="seconds")
    return {"archive": name, "files": files, "checked": fetched} | {k: archive[k] for k in ABOUT}


def run(job: Job) -> None:
    receipt = fetch(job.settings["archive"], job.settings["downloads"])
    tables.write_json(receipt | {"provenance": job.provenance}, job.output.receipt)
