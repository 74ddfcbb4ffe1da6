"""Size, time and hash of each file of a dataset; only what changed is hashed again."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stratavox.corpus.identity import sha256_of
from stratavox.progress import Progress

# Hashing that takes longer says how far it is.
QUIET_S = 2.0


def look(folder: Path, names: list[str], known: dict[tuple[str, int, int], str]) -> dict[str, dict]:
    """For each file below ``folder`` its size, mtime_ns and sha256, or the reason why not.

    ``known`` maps (name, size, mtime_ns) to the hash that was found before.
    """
    found = {name: _status(folder / name) for name in names}
    unknown = []
    for name, facts in found.items():
        if "reason" not in facts:
            facts["sha256"] = known.get((name, facts["size"], facts["mtime_ns"]))
            if facts["sha256"] is None:
                unknown.append(name)
    for name, facts in zip(unknown, _hashes([folder / name for name in unknown]), strict=True):
        found[name].update(facts)
    return found


def _status(path: Path) -> dict:
    try:
        status = path.stat()
    except FileNotFoundError:
        return {"reason": "missing file"}
    except (OSError, ValueError) as error:
        return {"reason": f"cannot be read ({error})"}
    if not stat.S_ISREG(status.st_mode):
        return {"reason": "not a file"}
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _hashes(paths: list[Path]) -> Iterator[dict]:
    progress, began = Progress("hashing", len(paths), unit="files"), time.monotonic()
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for done, facts in enumerate(pool.map(_hash, paths), start=1):
            if time.monotonic() - began > QUIET_S:
                progress.add(done - progress.done)
            yield facts
    if progress.done:
        progress.close()


def _hash(path: Path) -> dict:
    try:
        return {"sha256": sha256_of(path)}
    except OSError as error:
        return {"reason": f"cannot be read ({error})"}
