"""One file of an archive, fetched once into a folder that all runs share.

pooch checks the file and moves it to its place. Its own downloader starts each attempt from the
beginning; the one here continues where the last one ended. requests uses the environment's proxies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pooch
import requests

from stratavox import tables
from stratavox.corpus.identity import differs, sha256_of
from stratavox.errors import StratavoxError
from stratavox.progress import Transfer

# Retries after an attempt without any bytes, with growing pauses: 15 s without a network.
RETRIES = 5
# Seconds to wait for a connection, and for the next bytes.
TIMEOUT = (20, 60)
# Bytes read at once, and the most that are lost when the connection breaks.
CHUNK = 1 << 14


def cache(folder: str | None) -> Path:
    """The folder of all archives: ``folder``, or the user's own cache."""
    return Path(folder or pooch.os_cache("stratavox")).expanduser() / "archives"


def obtain(file: dict, folder: Path) -> dict:
    """The receipt of a file, which is fetched unless ``folder`` has it.

    ``file`` holds name, address, bytes and checksum, the last two None where they are not known.
    Returns these with path, bytes, sha256 and ``verified`` (the checksum's algorithm, size, or
    nothing). Two runs at once fetch it once. Raises `StratavoxError` if the file in the folder (it
    is kept) or at the address is not the expected one, or cannot be fetched.
    """
    path = folder / file["name"]
    if not path.exists():
        _fetch(file, path)
    if why := mismatch(path, file):
        raise StratavoxError(
            f"{path}: not the expected file: {why}. It was left as it is: move it away and "
            f"run again, or put the right one there, from {file['address']}"
        )
    with contextlib.suppress(OSError):  # another user's file
        path.chmod(0o444)
    verified = "size" if file["bytes"] else "nothing"
    if file["checksum"]:
        verified = file["checksum"].partition(":")[0]
    receipt = {"path": str(path.resolve()), "bytes": path.stat().st_size, "verified": verified}
    return file | receipt | {"sha256": sha256_of(path)}


def mismatch(path: Path, file: dict) -> str | None:
    """How ``path`` differs from the expected ``file``; None where it does not."""
    size = path.stat().st_size
    if file["bytes"] not in (None, size):
        return f"{size} bytes, expected {file['bytes']}"
    if file["checksum"]:
        own = differs(path, file["checksum"])
        return f"{own}, expected {file['checksum']}" if own else None
    return None if zipfile.is_zipfile(path) else f"no whole zip archive ({size} bytes)"


def _fetch(file: dict, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            if path.exists():  # another run fetched it meanwhile
                return
            pooch.create(
                path.parent,
                base_url="",
                registry={file["name"]: file["checksum"]},
                urls={file["name"]: file["address"]},
                retry_if_failed=RETRIES,
            ).fetch(file["name"], downloader=Resuming(file, path))
    except requests.exceptions.RequestException as error:
        raise StratavoxError(
            f"{file['address']}: {_failure(error, path)}. {_by_hand(file, path)}"
        ) from None
    except OSError as error:
        raise StratavoxError(
            f"{error.filename or path}: cannot be written ({error.strerror or error}); make room "
            "or set downloads.folder to a folder of yours"
        ) from None


def _failure(error: requests.exceptions.RequestException, path: Path) -> str:
    if isinstance(error, requests.exceptions.HTTPError):
        return f"the server answered {error.response.status_code} again and again"
    part = _part(path)
    if part.exists() and part.stat().st_size:
        return (
            f"the connection broke after {part.stat().st_size} bytes ({_reason(error)}); run again "
            "to continue from there"
        )
    return f"no answer: there is no network here, or the server is down ({_reason(error)})"


def _by_hand(file: dict, path: Path) -> str:
    known = [file["checksum"] or "no checksum is published"]
    known += [f"{file['bytes']} bytes"] if file["bytes"] else []
    return (
        f"Without a network here, fetch {file['address']} elsewhere, store it as "
        f"{path.absolute()} ({', '.join(known)}) and run again"
    )


def _part(path: Path) -> Path:
    """The incomplete file while ``path`` is fetched."""
    return path.with_name(f"{path.name}.part")


def _reason(error: Exception) -> str:
    """The message of the first cause, without the addresses of Python objects."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return re.sub(r"<[^>]*>:? ?", "", str(error)) or type(error).__name__


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of ``path``, after waiting for another process that fetches it."""
    with open(path.with_name(f".{path.name}.lock"), "a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{path.name}: another run is fetching it; waiting", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


class Resuming:
    """A downloader for pooch that keeps incomplete files, with the suffix ``.part``.

    The next attempt, in this run or a later one, requests the rest if the server's ETag or time
    shows that the file is still the same; otherwise it starts from the beginning.
    """

    def __init__(self, file: dict, path: Path):
        self.file = file
        self.part = _part(path)
        self.note = path.with_name(f"{path.name}.part.json")

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Fetch ``url`` to ``output_file``; raises for errors that a retry cannot cure."""
        resumed = self._get_on(url)
        if resumed and mismatch(self.part, self.file):
            self._forget()
            self._get_on(url)
        if why := mismatch(self.part, self.file):
            self._forget()
            raise StratavoxError(
                f"{url}: the file served there is not the expected one: {why}. It was not kept. If "
                "the publisher replaced it, name the new one in a table of your own "
                "(downloads.archives); if not, fetch it from elsewhere"
            )
        os.replace(self.part, output_file)
        self._forget()

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def _get_on(self, url: str) -> bool:
        """Repeat `_get` after every broken connection that gave some bytes."""
        while True:
            had = self.part.stat().st_size if self.part.exists() else 0
            try:
                return self._get(url)
            except requests.exceptions.RequestException:
                if not self.part.exists() or self.part.stat().st_size <= had:
                    raise

    def _get(self, url: str) -> bool:
        """Write the file or its rest to ``part``; whether it was the rest."""
        had, same = self._had(url)
        # with compression, byte positions would not be those of the file
        headers = {"Accept-Encoding": "identity"}
        if had:
            headers |= {"Range": f"bytes={had}-", "If-Range": same}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if had and answer.status_code == 416:  # the part is at least as long as the file
                self._forget()
                return self._get(url)
            self._refuse(url, answer)
            resumed = answer.status_code == 206 and answer.headers.get(
                "Content-Range", ""
            ).startswith(f"bytes {had}-")
            if answer.status_code == 206 and not resumed:
                self._forget()
                raise requests.exceptions.RequestException("the server sent another range")
            self._remember(url, answer)
            self._write(answer, had if resumed else 0)
        return resumed

    def _had(self, url: str) -> tuple[int, str | None]:
        """Bytes of the incomplete file, and the ETag or time that identifies the file."""
        if not (self.part.exists() and self.note.exists()):
            return 0, None
        note = tables.read_json(self.note)
        usable = note["address"] == url and note["same"]
        return (self.part.stat().st_size, note["same"]) if usable else (0, None)

    def _remember(self, url: str, answer: requests.Response) -> None:
        etag = answer.headers.get("ETag", "")
        # a weak ETag does not promise the same bytes (RFC 9110, section 13.1.5)
        strong = etag if etag.startswith('"') else None
        same = strong or answer.headers.get("Last-Modified")
        tables.write_json({"address": url, "same": same}, self.note)

    def _refuse(self, url: str, answer: requests.Response) -> None:
        status = answer.status_code
        if status >= 500 or status in (408, 429):
            answer.raise_for_status()  # may be temporary: pooch tries again
        if status not in (200, 206):
            raise StratavoxError(
                f"{url}: the server answered {status} {answer.reason}. If the file has moved, name "
                "its new address in a table of your own (downloads.archives). "
                + _by_hand(self.file, self.part.with_suffix(""))
            )

    def _write(self, answer: requests.Response, had: int) -> None:
        left = int(answer.headers.get("Content-Length", 0))
        progress = Transfer(self.file["name"], had + left if left else 0, had)
        with open(self.part, "ab" if had else "wb") as part:
            for chunk in answer.iter_content(CHUNK):
                part.write(chunk)
                progress.add(len(chunk))
        progress.close()
