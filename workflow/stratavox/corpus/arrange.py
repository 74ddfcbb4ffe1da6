"""Stage: unpack a fetched archive, make a table from its file names, and list its clips."""

from __future__ import annotations

import importlib
import os
import shutil
from collections import Counter
from pathlib import Path

from stratavox import tables
from stratavox.corpus.identity import differs, sha256_of
from stratavox.corpus.layout import Inventory
from stratavox.corpus.listing import GENERATED, write_generated
from stratavox.corpus.unpack import Bound, unzip
from stratavox.errors import StratavoxError
from stratavox.stage import Job

# Folder of the files until their names are read; no clip's path begins with a dot.
UNPACKED = ".unpacked"
SHOWN = 5
# What becomes of a file of the archive: exactly one of these.
KINDS = ("clips", "merged", "unread", "not_used")


def arrange(settings: dict, receipt: dict, raw: Path, out: Path, root: Path) -> dict:
    """Write the clips and their table to ``raw``, the scan to ``out``; return the account.

    ``settings`` holds layout, unpacked_bytes, unpacked_files, members (file inside the archive ->
    checksum), shards, and for clips within recordings their columns start and end; ``raw`` is
    relative to ``root``. The account counts every file of the archive as a recording with clips,
    merged with another, unread (its name does not fit) or not used.
    Raises `StratavoxError` where the archive is not the one of the receipt, cannot be unpacked
    safely, or holds no clip.
    """
    layout = importlib.import_module(f"stratavox.corpus.{settings['layout']}")
    with tables.atomic_path(root / raw, folder=True) as temporary:
        tree = temporary / UNPACKED
        _unpack(settings, receipt, tree, layout.NESTED)
        inventory = layout.read(tree)
        _refuse_unfit(receipt, inventory, layout.EXPECTED)
        _put(tree, temporary, inventory, layout.COLUMNS)
        shutil.rmtree(tree)
    bounds = {key: settings[key] for key in ("start", "end") if key in settings}
    write_generated(raw, settings["shards"], root, out, bounds)
    return _account(receipt, inventory)


def _unpack(settings: dict, receipt: dict, tree: Path, nested: bool) -> None:
    """Each file of the archive into a folder of its name, and zips within it one level deep."""
    bound = Bound(settings["unpacked_bytes"], settings["unpacked_files"])
    for file in receipt["files"]:
        archive = Path(file["path"])
        if not archive.exists() or sha256_of(archive) != file["sha256"]:
            raise StratavoxError(
                f"{archive}: {'changed since' if archive.exists() else 'no longer there after'} it "
                f"was fetched; delete the receipt of {receipt['archive']} in results/downloads and "
                "run again"
            )
        unzip(archive, tree / archive.stem, bound)
    inner = sorted(tree.rglob("*.zip")) if nested else []
    if missing := set(settings["members"]) - {path.name for path in inner}:
        raise StratavoxError(
            f"{receipt['archive']}: {', '.join(sorted(missing))} is not in the archive, but its "
            "entry in the table of archives names it (members)"
        )
    for path in inner:
        checksum = settings["members"].get(path.name)
        if checksum and (own := differs(path, checksum)):
            raise StratavoxError(
                f"{path.name}, inside the archive: found {own}, expected {checksum}; the publisher "
                "replaced it, or the archive is not the published one"
            )
        unzip(path, path.with_suffix(""), bound)
        path.unlink()


def _refuse_unfit(receipt: dict, inventory: Inventory, expected: str) -> None:
    if not inventory.clips:
        seen = [row["file"] for row in inventory.unread] + inventory.not_used
        raise StratavoxError(
            f"{receipt['archive']}: no clip was found in the archive; expected {expected}, found "
            f"{len(seen)} other files: {', '.join(seen[:SHOWN]) or 'none'}"
        )
    places = Counter(rows[0]["file"] for rows in inventory.clips.values())
    if twice := [file for file, count in places.items() if count > 1]:
        raise StratavoxError(f"{receipt['archive']}: {twice[0]!r} is in the archive twice")


def _put(tree: Path, raw: Path, inventory: Inventory, columns: tuple[str, ...]) -> None:
    """Move the clips to their places in ``raw`` and write the table."""
    recordings = sorted(inventory.clips.items(), key=lambda item: item[1][0]["file"])
    for path, rows in recordings:
        place = raw / rows[0]["file"]
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(tree / path, place)
    clips = (row for _, rows in recordings for row in rows)
    tables.write_csv(clips, columns, raw / GENERATED["table"])


def _account(receipt: dict, inventory: Inventory) -> dict:
    """The archive's licence and files, and what became of each unpacked file."""
    account = {key: receipt[key] for key in ("archive", "layout", "licence", "citation", "doi")}
    account["files"] = [
        {key: file[key] for key in ("name", "address", "bytes", "sha256", "verified")}
        for file in receipt["files"]
    ]
    counts = {kind: len(getattr(inventory, kind)) for kind in KINDS}
    account["counts"] = counts | {
        "files": sum(counts.values()),
        "merged_different": sum(not row["identical"] for row in inventory.merged),
        "irregular": len({row["file"] for row in inventory.irregular}),
    }
    further = (*KINDS[1:], "irregular", "sampled")
    account["notes"] = {kind: getattr(inventory, kind) for kind in further}
    return account


def run(job: Job) -> None:
    receipt = tables.read_json(job.input.receipt)
    account = arrange(job.settings, receipt, job.output.raw, job.output.scan, Path())
    tables.write_json(account | {"provenance": job.provenance}, job.output.account)
    counts = account["counts"]
    print(
        f"{receipt['archive']}: {counts['clips']} recordings of {counts['files']} files are read; "
        f"{counts['merged']} merged, {counts['unread']} with names that do not fit, "
        f"{counts['not_used']} not used (listed in {job.output.account})",
        *(
            f"{part['file']}: {part['clips']} of {part['of']} clips are taken, {part['why']}"
            for part in account["notes"]["sampled"]
        ),
        sep="\n",
        flush=True,
    )
