"""A tiny finished run, made once, that each test copies, changes and looks at again."""

import fcntl
import os
import shutil

import pytest

from tiny_study import Study, set_up


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Study:
    """The tiny run, finished: two datasets, a tiny transformer and a baseline.

    One worker of pytest-xdist makes it; the others wait for it.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "finished"
    folder.mkdir(exist_ok=True)
    done = folder.with_suffix(".done")
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            set_up(folder).snakemake()
            done.touch()
    return Study(folder)


@pytest.fixture(scope="session")
def planned(finished) -> str:
    """What Snakemake prints of all jobs of the finished run: their rules, wildcards and files."""
    return finished.snakemake("--dry-run", "--forceall")


@pytest.fixture
def study(finished, tmp_path) -> Study:
    """A copy of the finished run for one test to change."""
    shutil.copytree(finished.folder, tmp_path / "study", symlinks=True)
    return Study(tmp_path / "study")
