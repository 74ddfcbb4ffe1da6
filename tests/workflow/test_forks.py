"""Jobs as forks of one process: what a job sees and leaves is what a process of its own would."""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit"))
import stage_jobs  # noqa: E402
from damage import same_tables  # noqa: E402

# A stage that tells what it is in, and one that waits with a process of its own.
LOOK = """
import json, os, sys
import numpy as np
import torch
from threadpoolctl import threadpool_info

class Lazy:
    # a module that imports another one as soon as it is looked at
    def __getattr__(self, name):
        import tabnanny
        raise AttributeError(name)

def run(job):
    before = {name for name in sys.modules if name == "xmlrpc.client"}
    import xmlrpc.client
    sys.modules["lazy"] = Lazy()
    job.output.seen.write_text(json.dumps({
        "parent": os.getppid(), "folder": os.getcwd(), "variable": os.environ.get("MINE"),
        "all": sorted(set(os.environ) - {"MINE", "OMP_NUM_THREADS", "PWD", "_"}),
        "threads": [torch.get_num_threads(), *{one["num_threads"] for one in threadpool_info()}],
        "random": [np.random.rand(), torch.rand(1).item()], "before": [*before],
    }))
    print("printed")
    print("complained", file=sys.stderr)
"""
WAIT = """
import os, subprocess, time
def run(job):
    own = subprocess.Popen(["sleep", "600"])
    job.output.begun.write_text(f"{os.getpid()} {own.pid}")
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        own.kill()
        job.output.ended.write_text("by an interrupt")
        raise
"""
DIE = """
import os, signal
def run(job):
    os.kill(os.getpid(), signal.SIGKILL)
"""
FAIL = """
def run(job):
    return 1 / 0
"""
WHO = """
import json, os, sys
def run(job):
    job.output.seen.write_text(json.dumps({"parent": os.getppid()}))
    print("printed")
    print("complained", file=sys.stderr)
"""
THREAD = """
import threading, time
threading.Thread(target=time.sleep, args=[600], daemon=True).start()
from stratavox.who import run
"""
END = """
import atexit, weakref
atexit.register(print, "the library's end")
def run(job):
    weakref.finalize(run, print, "the job's end")
"""
STAGES = {
    **{"look": LOOK, "wait": WAIT, "die": DIE, "fail": FAIL, "who": WHO, "thread": THREAD},
    **{"end": END},
}
# In place of Snakemake: it starts the server, tells the client's command, and waits.
RUN = """
import sys
from stratavox import forks
server = forks.start([])
print(server.pid, forks.client(server), flush=True)
sys.stdin.read()
forks.stop(server)
"""
# An interrupt is ignored where the tests run in the background of a shell.
INTERRUPTIBLE = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)


class Server:
    """A server of a package that has the stages above, and what runs jobs by it."""

    def __init__(self, folder: Path):
        (folder / ".snakemake").mkdir()
        package = stage_jobs.copied_package(folder)
        for name, code in STAGES.items():
            (package / f"stratavox/{name}.py").write_text(code)
        self.folder = folder
        self.environment = os.environ | {
            **{"PYTHONPATH": str(package), "TMPDIR": str(folder)},
            **{"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MINE": "1"},
        }
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.run = subprocess.Popen(
            [sys.executable, "-c", RUN],
            cwd=folder,
            env=self.environment | {"MINE": "0"},
            preexec_fn=INTERRUPTIBLE,
            **pipes,
        )
        number, client = self.run.stdout.readline().split(maxsplit=1)
        self.process, self.client = int(number), shlex.split(client)
        self.sockets = Path(self.client[-1]).parent

    def job(self, stage: str, python: list[str] | None = None, **output: str) -> subprocess.Popen:
        """A client, or another ``python``, with a job of a stage."""
        text = stage_jobs.as_json({}, output)
        line = [*(python or self.client), "-m", "stratavox", "stage", stage, "--job", text]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        place = {"cwd": self.folder, "env": self.environment}
        return subprocess.Popen(line, **place, preexec_fn=INTERRUPTIBLE, **pipes)

    def waiting(self) -> tuple[subprocess.Popen, list[int]]:
        """The client of a job that waits, and the processes of the job."""
        begun = self.folder / "begun"
        begun.unlink(missing_ok=True)
        client = self.job("wait", begun=begun, ended=self.folder / "ended")
        wait_for(lambda: begun.exists() and len(begun.read_text().split()) == 2)
        return client, [int(number) for number in begun.read_text().split()]

    def seen(self, stage: str = "look") -> dict:
        done = self.job(stage, seen=self.folder / "seen")
        assert done.communicate() == ("printed\n", "complained\n")
        return json.loads((self.folder / "seen").read_text())


@pytest.fixture
def server(tmp_path):
    started = Server(tmp_path)
    yield started
    with contextlib.suppress(ProcessLookupError):
        os.kill(started.process, signal.SIGKILL)
    started.run.kill()
    started.run.wait()


def wait_for(condition, seconds: float = 30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def runs(process: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_fork_is_to_its_job_what_a_process_is(server):
    first, second = server.seen(), server.seen()
    plain = server.job("look", [sys.executable], seen=server.folder / "seen")
    assert plain.communicate() == ("printed\n", "complained\n") and plain.returncode == 0
    process = json.loads((server.folder / "seen").read_text())
    assert first["parent"] == second["parent"] == server.process != process["parent"]
    for name in ("folder", "variable", "all", "threads"):
        assert first[name] == second[name] == process[name]
    assert process["threads"] == [2, 2]
    assert not set(first["random"]) & set(second["random"])
    # what one job imports on its way, the next one has
    assert not first["before"] and second["before"]


def test_tables_are_those_of_processes(study, finished, monkeypatch):
    """The finished run is one of forks; these probes are not."""
    monkeypatch.setenv("STRATAVOX_FORKS", "no")
    scores = [*(study.here / "results/scores").rglob("*.parquet")]
    before = {path: path.stat().st_mtime_ns for path in scores}
    study.snakemake("--forcerun", "linear", "--until", "linear")
    assert all(path.stat().st_mtime_ns > before[path] for path in scores)
    assert same_tables(study.here, finished.here) > 30
    logs = (finished.here / "results/logs").rglob("*.log")
    assert not any("process of its own" in log.read_text() for log in logs)


def test_ends_are_those_of_a_process(server):
    for python in (None, [sys.executable]):
        failed = server.job("fail", python)
        assert failed.wait() == 1
        assert failed.stderr.read().endswith("ZeroDivisionError: division by zero\n")
        gone = server.job("gone", python)
        assert gone.communicate() == (
            "",
            "stratavox: error: stage 'gone': there is no module stratavox.gone\n",
        )
        assert gone.returncode == 1
        assert server.job("die", python).wait() == -signal.SIGKILL
    client, processes = server.waiting()
    client.send_signal(signal.SIGINT)
    assert client.wait() == 128 + signal.SIGINT
    assert "KeyboardInterrupt" in client.stderr.read()
    assert (server.folder / "ended").read_text() == "by an interrupt"
    assert not any(map(runs, processes))


def test_what_the_server_began_does_not_end_with_a_job(server):
    for _ in range(2):
        assert server.job("end").communicate() == ("the job's end\n", "")
    server.run.communicate()  # ends the server too, which prints to its log
    assert (server.folder / ".snakemake/forks.log").read_text() == "the library's end\n"


@pytest.mark.parametrize("killed", ["client", "Snakemake", "server"])
def test_a_kill_leaves_nothing_behind(server, killed):
    client, (job, started_by_it) = server.waiting()
    process = {"client": client.pid, "Snakemake": server.run.pid, "server": server.process}[killed]
    os.kill(process, signal.SIGKILL)
    assert client.wait() == (-signal.SIGKILL if killed == "client" else 1)
    wait_for(lambda: not runs(job))
    assert not (server.folder / "ended").exists()
    if killed == "server":  # then as with a process that is killed
        os.kill(started_by_it, signal.SIGKILL)
    wait_for(lambda: not runs(started_by_it))
    if killed == "client":
        assert server.seen("who")["parent"] == server.process
    else:
        ended = "stratavox: error: the process that ran this job was killed\n"
        assert client.stderr.read() == ended
        wait_for(lambda: not runs(server.process))
    assert server.sockets.exists() == (killed != "Snakemake")


def test_where_no_fork_can_be_a_job_is_a_process(server):
    def alone(stage):
        client = server.job(stage, seen=server.folder / "seen")
        printed, complained = client.communicate()
        assert (client.returncode, printed) == (0, "printed\n")
        assert complained == "This job runs in a process of its own: none to fork.\ncomplained\n"
        return json.loads((server.folder / "seen").read_text())["parent"] == os.getpid()

    assert server.seen("who")["parent"] == server.process
    assert alone("thread")  # which starts one in the server
    assert alone("who")
    os.kill(server.process, signal.SIGKILL)
    assert alone("who")
