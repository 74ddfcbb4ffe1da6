"""Stage: the published weights of one model, fetched once into the hub's cache, and verified.

The cache is that of the `huggingface_hub` library (HF_HOME), which runs and other programs share;
HF_ENDPOINT, HF_TOKEN and the proxy's variables are respected. A file in the cache is used as it
is, so that nothing is asked of the network a second time.
"""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from stratavox import stage, tables
from stratavox.corpus.identity import sha256_of
from stratavox.errors import StratavoxError, run

SHA256 = re.compile("[0-9a-f]{64}")


def fetch(repository: str, file: str, sha256: str | None) -> dict:
    """Address, local path, size in bytes and sha256 of a repository's ``file``.

    The file is held against ``sha256``, or where that is None against the hub's own; ``verified``
    says which. Raises `StratavoxError` where it cannot be fetched, or is not the file published.
    """
    try:
        path = Path(hf_hub_download(repository, file, local_files_only=True))
    except LocalEntryNotFoundError:
        path = _download(repository, file)
    # the cache calls a large file by the sha256 that the hub gives for it
    named = path.resolve().name
    wanted = sha256 or (named if SHA256.fullmatch(named) else None)
    found = sha256_of(path)
    if wanted not in (None, found):
        raise StratavoxError(
            f"{path}: not the file that was published: sha256 {found}, wanted {wanted}; delete "
            f"{path.resolve()} and run the workflow again"
        )
    return {
        "address": f"{constants.ENDPOINT}/{repository}/{file}",
        "path": str(path),
        "bytes": path.stat().st_size,
        "sha256": found,
        "verified": "as published" if sha256 else "by the hub" if wanted else "not: none is given",
    }


def _download(repository: str, file: str) -> Path:
    where = f"{constants.ENDPOINT}/{repository}"
    try:
        return Path(hf_hub_download(repository, file))
    except GatedRepoError:
        why = f"it is gated: accept its terms at {where} and give your token in HF_TOKEN"
    except RepositoryNotFoundError:
        why = "there is no such repository, or it is private: give your token in HF_TOKEN"
    except LocalEntryNotFoundError as error:
        why = f"no answer from {constants.ENDPOINT}: {_cause(error)}"
    except EntryNotFoundError:
        why = "the repository does not have this file"
    except HfHubHTTPError as error:
        why = f"the answer was {error.response.status_code} {error.response.reason_phrase}"
    except (OSError, httpx2.HTTPError) as error:
        why = f"{type(error).__name__}: {error}"
    raise StratavoxError(
        f"{file} could not be fetched from {where}: {why}. Mend this, or fetch the file elsewhere "
        f"and say weights: path/to/{file}; random weights are never used in its place"
    )


def _cause(error: Exception) -> str:
    """The first line of what made the hub's library give up."""
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else 'no details'}"


def main() -> None:
    parser = stage.parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the receipt to write, JSON")
    options = parser.parse_args()
    receipt = fetch(**options.settings)
    print(f"weights: {receipt['path']}, {receipt['bytes'] / 1e6:.1f} MB, {receipt['verified']}")
    tables.write_json(receipt, options.out)


if __name__ == "__main__":
    run(main)
