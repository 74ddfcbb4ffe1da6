"""A tiny finished run, made once, that each test copies, changes and looks at again."""

import shutil

import pytest

from tiny_study import Study, set_up


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Study:
    """The tiny run, finished: two datasets, a tiny transformer and a baseline."""
    study = set_up(tmp_path_factory.mktemp("study"))
    study.snakemake()
    return study


@pytest.fixture(scope="session")
def planned(finished) -> str:
    """What Snakemake prints of all jobs of the finished run: their rules, wildcards and files."""
    return finished.snakemake("--dry-run", "--forceall")


@pytest.fixture
def study(finished, tmp_path) -> Study:
    """A copy of the finished run for one test to change."""
    shutil.copytree(finished.folder, tmp_path / "study", symlinks=True)
    return Study(tmp_path / "study")
