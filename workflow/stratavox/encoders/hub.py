"""Stage: fetch the published weights of a model once into the hub's cache, and verify them.

The cache is that of the `huggingface_hub` library (HF_HOME), shared with other programs;
HF_ENDPOINT, HF_TOKEN and the proxy's variables are used. A file in the cache needs no network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import httpx2
from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from stratavox import tables
from stratavox.corpus.identity import sha256_of
from stratavox.errors import StratavoxError
from stratavox.stage import Job

SHA256 = re.compile("[0-9a-f]{64}")


def fetch(
    repository: str,
    file: str,
    sha256: str | None,
    revision: str | None = None,
    beside: Iterable[str] = (),
) -> dict:
    """Address, local path, size in bytes and sha256 of a repository's ``file``.

    The file's sha256 must be ``sha256`` or, where that is None, the hub's; ``verified`` says which
    was compared. ``revision`` is a commit, by default the newest. Files ``beside`` it come into
    the same folder. Raises `StratavoxError` for a file that cannot be fetched or is not the
    published one.
    """
    for name in beside:
        _local(repository, name, revision)
    path = _local(repository, file, revision)
    # the cache names a large file by the hub's sha256
    named = path.resolve().name
    wanted = sha256 or (named if SHA256.fullmatch(named) else None)
    digest = sha256_of(path)
    if wanted not in (None, digest):
        raise StratavoxError(
            f"{path}: not the file that was published: sha256 {digest}, wanted {wanted}; delete "
            f"{path.resolve()} and run the workflow again"
        )
    return {
        "address": "/".join(filter(None, (constants.ENDPOINT, repository, revision, file))),
        "path": str(path),
        "bytes": path.stat().st_size,
        "sha256": digest,
        "verified": "as published" if sha256 else "by the hub" if wanted else "not: none is given",
    }


def _local(repository: str, file: str, revision: str | None) -> Path:
    """The file's path in the cache, where it is put if it is not there."""
    cached = try_to_load_from_cache(repository, file, revision=revision)
    return Path(cached) if isinstance(cached, str) else _download(repository, file, revision)


def _download(repository: str, file: str, revision: str | None) -> Path:
    where = f"{constants.ENDPOINT}/{repository}"
    try:
        return Path(hf_hub_download(repository, file, revision=revision))
    except GatedRepoError:
        why = f"it is gated: accept its terms at {where} and give your token in HF_TOKEN"
    except RepositoryNotFoundError:
        why = "there is no such repository, or it is private: give your token in HF_TOKEN"
    except LocalEntryNotFoundError as error:
        why = _reason(error.__cause__ or error)
    except EntryNotFoundError:
        why = "the repository does not have this file"
    except (OSError, httpx2.HTTPError) as error:
        why = _reason(error)
    raise StratavoxError(
        f"{file} could not be fetched from {where}: {why}. Correct this, or fetch the file "
        f"elsewhere and write weights: path/to/{file}; random weights are never used in its place"
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, HfHubHTTPError):
        return f"the answer was {error.response.status_code} {error.response.reason_phrase}"
    if isinstance(error, (httpx2.ConnectError, httpx2.TimeoutException, OfflineModeIsEnabled)):
        return f"no network: no answer from {constants.ENDPOINT} ({error})"
    return f"{type(error).__name__}: {error}"


def run(job: Job) -> None:
    receipt = fetch(**job.settings)
    print(f"weights: {receipt['path']}, {receipt['bytes'] / 1e6:.1f} MB, {receipt['verified']}")
    tables.write_json(receipt, job.output.receipt)
