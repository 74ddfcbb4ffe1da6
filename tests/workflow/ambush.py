"""What happens to a stage from outside while it runs: it is killed, or its input is replaced.

Python runs a `sitecustomize` that it finds on its path before anything else, and the workflow puts
its package's folder on the path of every stage. So a test can lie in wait there, in its own copy of
the project, and the product needs no hook. An audit hook sees when a process takes up a stage: it
may be a fork of one that began before (stratavox/forks.py).
"""

from __future__ import annotations

from pathlib import Path

from tiny_study import Study

CUSTOM = """
import os, sys
met = []
def look(event, arguments):
    global waiting
    words = sys.argv[1:3]
    # a worker of a stage has its arguments too
    if met or words[:1] != ["stage"] or "--multiprocessing-fork" in sys.orig_argv:
        return
    met.append(words)
    waiting = os.path.join({folder!r}, words[1] + ".py")
    if os.path.exists(waiting):
        exec(open(waiting).read(), globals())
sys.addaudithook(look)
"""
# What it had written is cut in half on the disk, as a machine that dies may leave it.
KILL = """
import signal
synced = os.fsync
def fsync(handle):
    try:
        os.unlink(waiting)
    except FileNotFoundError:
        return synced(handle)  # one process of the stage is enough
    os.ftruncate(handle, os.fstat(handle).st_size // 2)
    os.kill(os.getpid(), signal.SIGKILL)
os.fsync = fsync
"""
# One recording takes another's place before the stage has read anything.
REPLACE = """
os.unlink(waiting)
os.replace({new!r}, {old!r})
"""


def lay(study: Study, ambush: str, *stages: str) -> Path:
    """Let ``ambush`` wait for the next process of each stage; return where those not met stand."""
    folder = study.folder / "ambush"
    folder.mkdir(exist_ok=True)
    custom = CUSTOM.format(folder=str(folder))
    (study.project / "workflow/sitecustomize.py").write_text(custom)
    for stage in stages:
        (folder / f"{stage}.py").write_text(ambush)
    return folder
