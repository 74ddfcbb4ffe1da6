"""Size, times, hash and recorder of each file of a dataset; only changed files are read again."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stratavox.corpus import recorder
from stratavox.corpus.identity import sha256_of
from stratavox.progress import Progress

# Hashing that takes longer than this prints its progress.
QUIET_S = 2.0
# Programs can set a file's mtime back, but not its ctime.
STATUS = ("size", "mtime_ns", "ctime_ns")


def look(
    folder: Path, names: list[str], known: dict[tuple[str, int, int, int], dict]
) -> dict[str, dict]:
    """For each file below ``folder`` its `STATUS`, sha256 and `recorder.COLUMNS`.

    A file that cannot be read has a ``reason`` instead. ``known`` maps name and `STATUS` to the
    sha256, and perhaps the recorder, that an earlier scan read.
    """
    contents = {name: _status(os.path.join(folder, name)) for name in names}
    unread = []
    for name, facts in contents.items():
        if "reason" not in facts:
            facts |= known.get((name, *(facts[key] for key in STATUS)), {})
            if not {"sha256", *recorder.COLUMNS} <= facts.keys():
                unread.append(name)
    hashes = [contents[name].get("sha256") for name in unread]
    for name, facts in zip(unread, _contents([folder / n for n in unread], hashes), strict=True):
        contents[name].update(facts)
    return contents


def _status(path: str) -> dict:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return {"reason": "missing file"}
    except (OSError, ValueError) as error:
        return {"reason": f"cannot be read ({error})"}
    if not stat.S_ISREG(status.st_mode):
        return {"reason": "not a file"}
    return {key: getattr(status, f"st_{key}") for key in STATUS}


def _contents(paths: list[Path], hashes: list[str | None]) -> Iterator[dict]:
    progress, began = Progress("hashing", len(paths), unit="files"), time.monotonic()
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for done, facts in enumerate(pool.map(_content, paths, hashes), start=1):
            if time.monotonic() - began > QUIET_S:
                progress.add(done - progress.done)
            yield facts
    if progress.done:
        progress.close()


def _content(path: Path, sha256: str | None) -> dict:
    try:
        return {"sha256": sha256 or sha256_of(path)} | recorder.of(path)
    except OSError as error:
        return {"reason": f"cannot be read ({error})"}
