"""A model hub on this machine, as far as `huggingface_hub` needs one: files, a commit, ETags."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from loopback import listening

COMMIT = "0123456789abcdef" * 2 + "01234567"


@dataclass
class Hub:
    """``files`` maps "owner/repository/file" to bytes; ``requests`` lists what was requested.

    ``refuse`` maps a repository to (status, error code) as the real hub answers. ``send`` is what
    is sent instead of a file, its ETag and length being the file's own.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    refuse: dict[str, tuple[int, str]] = field(default_factory=dict)
    send: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    address: str = ""

    def environment(self, cache: Path) -> dict[str, str]:
        """The variables that make a process use this hub and an own cache."""
        kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        return kept | {"HF_ENDPOINT": self.address, "HF_HOME": str(cache)}


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve ``hub`` on a free port of 127.0.0.1 until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            hub.requests.append(f"{self.command} {self.path}")
            repository, _, place = self.path.lstrip("/").partition("/resolve/")
            revision, _, file = place.partition("/")
            name = f"{repository}/{file}"
            status, code = hub.refuse.get(name.rpartition("/")[0], (200, ""))
            data = hub.files.get(name)
            if status == 200 and data is None:
                status, code = 404, "EntryNotFound"
            self.send_response(status)
            self.send_header("X-Repo-Commit", COMMIT if revision == "main" else revision)
            if status != 200:
                self.send_header("X-Error-Code", code)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(hub.send.get(name, data))

    with listening(Handler) as port:
        hub.address = f"http://127.0.0.1:{port}"
        yield hub
