"""A process that imports the libraries once and forks each job of a local run.

Snakemake starts it before the first job (`start`) and ends it after the last (`stop`). It ends when
its standard input closes, so also when Snakemake is killed. The jobs run fork_client.py in place of
``python -m stratavox``. A client sends a job's arguments, environment, folder and standard streams;
a fork does the job, and the client ends as the fork ended. An interrupt of the client is passed on
to the fork. If the client or the server is killed, so is the fork.

The server itself only imports: a process with threads cannot be forked safely. It imports the
modules of the run while no job asks for it, and after a job what this job imported on its way.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import os
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import weakref
from collections.abc import Iterable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NoReturn

from stratavox import fingerprint
from stratavox.__main__ import main as command
from stratavox.errors import run_command

PACKAGE = Path(__file__).parent
SWITCH = "STRATAVOX_FORKS"  # "no": each job is a process of its own
LOG = Path(".snakemake/forks.log")
STREAMS = 3
# New objects between two collections of garbage. Python's 700 take a tenth of drawing a figure.
GARBAGE = 50_000
# a library that starts a thread as it is imported; each job imports it for itself
THREADED = "onnxruntime"
# no threads of libraries, and no look at a GPU that would bar the forks from it
ENVIRONMENT = {
    **{"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    **{"JE_ARROW_MALLOC_CONF": "background_thread:false", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"},
    **{"PYTHONPATH": str(PACKAGE.parent), "PYTHONUNBUFFERED": "1"},
    # Large arrays reuse memory. Else glibc gives it back to the kernel, which clears it anew for
    # the next array: a million faults, 2 s, while the calls of a set are generated. Huge pages
    # save most of the faults that are left, where the kernel has them for who asks (madvise).
    "GLIBC_TUNABLES": ":".join(
        f"glibc.malloc.{name}={value}"
        for name, value in {
            "mmap_threshold": 1 << 25,  # the most that glibc allows
            "trim_threshold": 1 << 30,
            "top_pad": 1 << 26,
            "hugetlb": 1,
        }.items()
    ),
}
OWN = set(os.environ)
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15  # prctl(2)


# ---- in Snakemake's process ----


def start(modules: Iterable[str]) -> subprocess.Popen | None:
    """The server, which imports ``modules`` of this package; None where it cannot run."""
    if sys.platform != "linux" or os.environ.get(SWITCH) == "no":
        return None
    names = [f"stratavox.{name}" for name in modules]
    names = [name for name in names if THREADED not in fingerprint.versions(name)]
    folder = tempfile.mkdtemp(prefix="stratavox-")
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/socket")  # fails where the path is longer than 107 bytes
        listener.listen(128)
        with LOG.open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "stratavox.forks", folder, str(listener.fileno()), *names],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[listener.fileno()],
                env=os.environ | ENVIRONMENT,
                start_new_session=True,  # a kill of all Snakemake's processes leaves it to clean up
            )
    shutil.rmtree(folder)
    return None


def client(server: subprocess.Popen) -> str:
    """The command that takes the place of ``python`` in a job."""
    words = [sys.executable, "-IS", str(PACKAGE / "fork_client.py"), f"{server.args[3]}/socket"]
    return shlex.join(words)


def stop(server: subprocess.Popen) -> None:
    """End the server; its CPU time and that of its jobs then count as this process's children's."""
    server.stdin.close()
    server.wait()


# ---- in the server ----


class Forks:
    """The server on ``listener``; jobs report in ``folder`` what they imported."""

    def __init__(self, listener: socket.socket, folder: Path, modules: list[str]):
        self.listener, self.folder, self.waiting = listener, folder, modules
        self.clients: dict[int, socket.socket] = {}  # by the process of the fork
        self.ready = selectors.DefaultSelector()
        self.ready.register(sys.stdin, selectors.EVENT_READ)
        self.ready.register(listener, selectors.EVENT_READ, self.accept)

    def serve(self) -> None:
        """Until standard input closes."""
        while True:
            ready = self.ready.select(0 if self.waiting else None)
            if not ready:
                import_all([self.waiting.pop(0)])
            for key, _ in ready:
                if key.data is None:
                    return
                key.data()

    def accept(self) -> None:
        """Fork for a new client. One that gets no answer does the job itself."""
        client, _ = self.listener.accept()
        streams: list[int] = []
        process = None
        client.settimeout(10)
        try:
            size, streams, *_ = socket.recv_fds(client, 8, STREAMS)
            job = received(client, int.from_bytes(size, "big"))
            import_all(f"stratavox.{stage}" for stage in job["arguments"][1:2])
            process = self.fork(job, streams, client)
        except (OSError, ValueError):  # it was killed as it asked, or no fork can be made
            pass
        for stream in streams:
            os.close(stream)
        if process is None:
            client.close()
            return
        with contextlib.suppress(OSError):
            client.send(b"+")
        self.clients[process], ended = client, os.pidfd_open(process)
        self.ready.register(ended, selectors.EVENT_READ, partial(self.end, process, ended))
        self.ready.register(client, selectors.EVENT_READ, partial(self.signal, process))

    def fork(self, job: dict, streams: list[int], client: socket.socket) -> int | None:
        """The process of a fork, a group of its own; None where a library started a thread."""
        if len(os.listdir("/proc/self/task")) > 1:
            return None
        gc.freeze()  # so that a fork's collection of garbage does not copy what is shared
        server, process = os.getpid(), os.fork()
        if process == 0:
            try:
                prctl = ctypes.CDLL(None).prctl
                prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                prctl(PR_SET_NAME, " ".join(job["arguments"][1:2]).encode())  # for ps and top
                os.setpgid(0, 0)
                if os.getppid() == server:
                    for handle in (self.ready, self.listener, client, *self.clients.values()):
                        handle.close()
                    run_job(job, streams, self.folder / str(os.getpid()))
            finally:
                os._exit(1)
        with contextlib.suppress(OSError):
            os.setpgid(process, process)  # by both, as either may be first
        return process

    def signal(self, process: int) -> None:
        """Pass a signal on; a job whose client is gone is killed with all that it started."""
        if process not in self.clients:  # it has ended
            return
        number = b""
        with contextlib.suppress(OSError):
            number = self.clients[process].recv(1)
        if not number:
            self.ready.unregister(self.clients[process])
        os.killpg(process, number[0] if number else signal.SIGKILL)

    def end(self, process: int, ended: int) -> None:
        """Tell the client how its job ended, and import what the job imported."""
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        with self.clients.pop(process) as client:
            with contextlib.suppress(KeyError):  # the client is gone
                self.ready.unregister(client)
            with contextlib.suppress(OSError):
                client.send(code.to_bytes(2, "big", signed=True))
        self.ready.unregister(ended)
        os.close(ended)
        report = self.folder / str(process)
        if report.exists():
            import_all(report.read_text().split())
            report.unlink()

    def kill(self) -> None:
        for process in self.clients:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)


def received(client: socket.socket, size: int) -> dict:
    """The job of a client: its arguments, environment and folder, in ``size`` bytes."""
    text = b""
    while len(text) < size and (more := client.recv(1 << 20)):
        text += more
    folder, count, *words = os.fsdecode(text).split("\0")
    variables = (word.split("=", 1) for word in words[int(count) :])
    return {"folder": folder, "arguments": words[: int(count)], "environment": dict(variables)}


def import_all(names: Iterable[str]) -> None:
    for name in names:
        with contextlib.suppress(Exception):  # the job itself meets the error, and prints it
            importlib.import_module(name)
    # what libraries take down as their process ends: torch takes 30 ms for it, in each fork
    for finalizer in list(weakref.finalize._registry):
        finalizer.atexit = False


# ---- in a fork ----


def run_job(job: dict, streams: list[int], report: Path) -> NoReturn:
    """Run the command as a new process would, and report the libraries that it imported."""
    before, code = len(sys.modules), 1
    try:
        become(job, streams)
        run_command(command)
        code = 0
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = 128 + signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    finally:
        with contextlib.suppress(Exception):  # without it later jobs import again, no more
            # from the end: to touch all names would copy the memory that they lie in
            new = list(islice(reversed(sys.modules), max(0, len(sys.modules) - before)))
            report.write_text("\n".join(installed(new)))
        atexit._run_exitfuncs()
        with contextlib.suppress(OSError):  # who read them is gone
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)  # to take all modules down again costs half a second


def become(job: dict, streams: list[int]) -> None:
    """Give this fork what a new process would have of its own."""
    # The libraries of the server end with it, not with each job. A finalizer registers itself anew.
    atexit._clear()
    weakref.finalize._registered_with_atexit = False
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(job["folder"])
    for name in OWN & set(os.environ):  # what a library has set stays
        del os.environ[name]
    os.environ.update(job["environment"])
    sys.argv[1:] = job["arguments"]
    tempfile.tempdir = None
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    threads = int(os.environ["OMP_NUM_THREADS"])
    if threads != 1:  # the server's libraries have one (ENVIRONMENT)
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)
    if torch := sys.modules.get("torch"):
        torch.default_generator.seed()
        torch.set_num_threads(threads)


def installed(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that are modules of installed libraries, or Python's own."""
    places = tuple(sysconfig.get_paths()[key] for key in ("stdlib", "purelib", "platlib"))
    specs = {name: getattr(sys.modules[name], "__spec__", None) for name in names}
    return [
        name
        for name, spec in specs.items()
        if spec and str(spec.origin).startswith(places) and name.split(".")[0] != THREADED
    ]


def main(folder: Path, listener: socket.socket, modules: list[str]) -> None:
    forks = Forks(listener, folder, modules)
    gc.set_threshold(GARBAGE)
    try:
        os.close(os.pidfd_open(os.getpid()))  # an old kernel has none: end at once
        forks.serve()
    finally:
        forks.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])), sys.argv[3:])
