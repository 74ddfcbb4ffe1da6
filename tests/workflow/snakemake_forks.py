"""Snakemake as forks of one process that has imported it: a start costs half as much."""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

# It imports libraries alone: each fork reads the package of its own copy of the project.
SERVER = """
import gc, json, os, runpy, signal, sys
import jsonschema, pyarrow.parquet, smart_open, snakemake.cli, snakemake_logger_plugin_rich

for line in iter(sys.stdin.readline, ""):
    words, folder, environment, printed = json.loads(line)
    process = os.fork()
    if process == 0:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
else:
    sys.exit()
gc.disable()  # a third of a dry run's time
signal.alarm(1200)
output = os.open(printed, os.O_WRONLY | os.O_APPEND)
for stream, file in enumerate([os.open(os.devnull, os.O_RDONLY), output, output]):
    os.dup2(file, stream)
os.chdir(folder)
os.environ.clear()
os.environ.update(environment)
sys.path[:0] = filter(None, environment["PYTHONPATH"].split(os.pathsep))
sys.modules.pop("sitecustomize", None)
try:
    import sitecustomize
except ImportError:
    pass
sys.argv = words
runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
"""


@cache
def server() -> subprocess.Popen:
    """This process's own, to its end."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", SERVER], **pipes)
    atexit.register(process.communicate)
    return process


def run(words: list[str], folder: Path, environment: dict[str, str], printed: str) -> int:
    """The exit status of Snakemake with ``words`` in ``folder``; it prints to the end of a file.

    ``environment`` has a PYTHONPATH.
    """
    job = [["snakemake", *words], str(folder), environment, printed]
    print(json.dumps(job), file=server().stdin, flush=True)
    return int(server().stdout.readline())
