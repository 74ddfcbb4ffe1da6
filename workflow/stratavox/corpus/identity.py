"""A clip's id and shard, whether it can be used, and hashes of files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from stratavox.errors import StratavoxError


def clip_name(
    file: str, start_s: float | None, end_s: float | None, channel: int | None = None
) -> str:
    """The clip's id: its file relative to the dataset's folder, and the segment's bounds.

    Where the user's table chooses its ``channel`` (counted from 0), also that, counted from 1.
    """
    name = file if start_s is None else f"{file}@{start_s:.6f}-{end_s:.6f}"
    return name if channel is None else f"{name}#{channel + 1}"


def channel_to_use(settings: dict, own: int | None) -> str | int:
    """What `audio.mono` takes: the clip's ``own`` channel, else the one of ``settings``."""
    return settings["channel"] if own is None else own


def shard_of(clip_id: str, shards: int) -> int:
    """The clip's shard in [0, shards), independent of the other clips."""
    return int(hashlib.sha1(clip_id.encode()).hexdigest(), 16) % shards


def sha256_of(path: str | os.PathLike) -> str:
    """SHA-256 of the file's bytes, in hexadecimal."""
    return digest_of(path, "sha256")


def digest_of(path: str | os.PathLike, algorithm: str) -> str:
    """The file's digest by an algorithm of hashlib, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def differs(path: str | os.PathLike, checksum: str) -> str | None:
    """The file's own checksum where it is not ``checksum`` (algorithm:digest); None where it is."""
    algorithm = checksum.partition(":")[0]
    own = f"{algorithm}:{digest_of(path, algorithm)}"
    return None if own == checksum else own


def check_unchanged(path: str | os.PathLike, sha256: str) -> None:
    """Raise `StratavoxError` when the file is gone or is no longer the one that was scanned."""
    try:
        current = sha256_of(path)
    except OSError as error:
        raise StratavoxError(
            f"{path}: can no longer be read ({error.strerror}); run the workflow again"
        ) from None
    if current != sha256:
        raise StratavoxError(f"{path}: changed since it was scanned; run the workflow again")


def good(scan_table: pa.Table) -> pa.Table:
    """The rows without a reason not to use them; decoding may add some."""
    return scan_table.filter(pc.is_null(scan_table["reason"]))


def shard_digest(scan_table: pa.Table, shard: int) -> str:
    """SHA-256 over the clips of one shard, their files' content and their bounds."""
    return digest(sorted(_audio(scan_table.filter(pc.equal(scan_table["shard"], shard)))))


def shard_digests(scan_table: pa.Table, shards: int) -> list[str]:
    """`shard_digest` of every shard, from one pass over the scan."""
    of_shard: list[list[tuple]] = [[] for _ in range(shards)]
    for shard, row in zip(good(scan_table)["shard"].to_pylist(), _audio(scan_table), strict=True):
        of_shard[shard].append(row)
    return [digest(sorted(rows)) for rows in of_shard]


def _audio(scan_table: pa.Table) -> Iterator[tuple]:
    clips = good(scan_table)
    names = ("clip_id", "sha256", "start_s", "end_s")
    return zip(*(clips[name].to_pylist() for name in names), strict=True)


def same_audio(clips: pa.Table) -> list[list[str]]:
    """Sets of clips with the same audio, by clip_id; digital silence is no audio.

    ``clips`` are inspected, or, where they are not yet, the scan's: then by file and bounds.
    """
    inspected = "audio_sha256" in clips.column_names
    names = ["audio_sha256"] if inspected else ["sha256", "start_s", "end_s", "channel"]
    alike: dict[tuple, list[str]] = {}
    columns = (clips[name].to_pylist() for name in ("clip_id", *names))
    for clip_id, *audio in zip(*columns, strict=True):
        if audio[0] is not None:
            alike.setdefault(tuple(audio), []).append(clip_id)
    return sorted(sorted(same) for same in alike.values() if len(same) > 1)


def digest(value: list) -> str:
    """SHA-256 of a value that JSON can hold."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def usable(clips: pa.Table) -> pa.Table:
    """The inspected ``clips`` that can be used."""
    return good(clips).drop_columns("reason")
