"""A process that forks the jobs of a local run, so that libraries are imported once and not by each.

``python -m stratavox.forks SOCKET`` is started by the workflow (`started`) and ends with it: its
standard input is a pipe that closes when Snakemake ends, however it ends. `fork_client.py`, which
runs in place of ``python -m stratavox stage``, sends a job's arguments, environment, folder and
standard streams; a fork does the job, and the client ends with its exit status. If the client ends
first, its job is interrupted, and killed where that does not end it.

Only the process itself imports; it never computes, so that it has no threads of libraries at a
fork. What a stage imports is imported here before its first job is forked; what a job imported on
its way, before the next one.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

# the client's variable: the path of the socket
VARIABLE = "STRATAVOX_FORKS"
# seconds that an interrupted job has to clean up
GRACE_S = 5.0
STREAMS = 3
PACKAGE = Path(__file__).parent


class Forks:
    """The server on ``listener``, until ``stop`` (a file descriptor) closes."""

    def __init__(self, listener: socket.socket, stop: int):
        self.listener, self.stop = listener, stop
        self.ready = selectors.DefaultSelector()
        self.clients: dict[int, socket.socket] = {}  # by the job's process
        self.reports: dict[int, str] = {}  # a process -> what lists the modules that it imported
        self.interrupted: dict[int, float] = {}  # a process -> when it is killed
        self.reports_folder = Path(listener.getsockname()).parent

    def serve(self) -> None:
        wake, woken = os.pipe()
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for handle in (self.listener, self.stop, wake):
            self.ready.register(handle, selectors.EVENT_READ)
        while True:
            for key, _ in self.ready.select(1.0 if self.interrupted else None):
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj == self.stop:
                    self.end()
                    return
                elif key.fileobj == wake:
                    os.read(wake, 4096)
                else:
                    self.interrupt(key.data)
            self.reap()
            self.kill_late()

    def accept(self) -> None:
        """Fork the job that a new client asks for."""
        client, _ = self.listener.accept()
        asked = _received(client)
        if asked is None:  # the client was killed as it began
            client.close()
            return
        request, streams = asked
        with contextlib.suppress(Exception):  # the job itself tells what is wrong
            importlib.import_module(f"stratavox.{request['arguments'][1]}")
        gc.freeze()
        report = tempfile.mktemp(dir=self.reports_folder)
        process = os.fork()
        if not process:
            try:
                self.listener.close()
                self.ready.close()
                _work(request, streams, report)
            finally:
                os._exit(1)
        for stream in streams:
            os.close(stream)
        self.clients[process], self.reports[process] = client, report
        self.ready.register(client, selectors.EVENT_READ, process)

    def interrupt(self, process: int) -> None:
        """The client is gone: so must be its job, and what it started."""
        self.ready.unregister(self.clients[process])
        self.clients.pop(process).close()
        _signal(process, signal.SIGINT)
        self.interrupted[process] = time.monotonic() + GRACE_S

    def kill_late(self) -> None:
        for process, latest in list(self.interrupted.items()):
            if time.monotonic() > latest:
                _signal(process, signal.SIGKILL)

    def reap(self) -> None:
        """Tell the clients of ended jobs the exit status, and import what the jobs imported."""
        imported = []
        while self.reports:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                break
            self.interrupted.pop(process, None)
            imported.append(Path(self.reports.pop(process)))
            if client := self.clients.pop(process, None):
                self.ready.unregister(client)
                with contextlib.suppress(OSError):
                    client.sendall(bytes([_exit_code(status)]))
                client.close()
        for report in imported:
            if report.exists():
                for name in report.read_text().split():
                    with contextlib.suppress(Exception):  # then the next job imports it, as this did
                        importlib.import_module(name)
                report.unlink()

    def end(self) -> None:
        """Snakemake is gone: interrupt all jobs, and kill what does not end."""
        for process in list(self.clients):
            self.interrupt(process)
        while self.interrupted:
            self.reap()
            self.kill_late()
            time.sleep(0.05)


def _received(client: socket.socket) -> tuple[dict, list[int]] | None:
    """The request of a client (arguments, environment, folder), and its standard streams."""
    client.settimeout(10)
    try:
        data, streams, *_ = socket.recv_fds(client, 1 << 16, STREAMS)
        size, data = int.from_bytes(data[:8], "big"), data[8:]
        while len(data) < size:
            more = client.recv(1 << 16)
            if not more:
                return None
            data += more
    except OSError:
        return None
    client.settimeout(None)
    return (json.loads(data), streams) if len(streams) == STREAMS else None


def _work(request: dict, streams: list[int], report: str) -> None:
    """Do a job in this fork as a process of its own would, and exit."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["stratavox", *request["arguments"]]
    _seed_and_limit()
    before = set(sys.modules)

    from stratavox.__main__ import main
    from stratavox.errors import run_command

    code = 1
    try:
        run_command(main)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        Path(report).write_text("\n".join(_installed(before)))
        os._exit(code)


def _seed_and_limit() -> None:
    """What a new process has of its own: other random numbers, and as many threads as it may."""
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _installed(before: set[str]) -> Iterator[str]:
    """Modules imported since ``before`` that are installed or our own, in their order."""
    roots = (str(PACKAGE), *(path for path in sys.path if path.endswith("-packages")))
    for name, module in list(sys.modules.items()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None)
        if name not in before and str(origin).startswith(roots):
            yield name


def _signal(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process, number)


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


# ---- for the workflow ----


def start() -> dict[str, str]:
    """Start the server; the variable that lets jobs use it. It ends when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="stratavox-"))
    path = str(folder / "socket")
    subprocess.Popen(
        [sys.executable, "-m", "stratavox.forks", path],
        stdin=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent), "OMP_NUM_THREADS": "1"},
    )
    return {VARIABLE: path}


def main(path: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Snakemake's business
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(128)
            Forks(listener, sys.stdin.fileno()).serve()
    finally:
        shutil.rmtree(Path(path).parent, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
