"""What several tests share."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

# Two workers share the cores: more threads would wait for each other, at some libraries busily.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# a slow machine is no fault of the code
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def pytest_collection_modifyitems(items):
    """Runs of Snakemake first, so that two workers end together."""
    items.sort(key=lambda item: item.path.parent.name != "workflow")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real recordings and weights beside the checkout; skips, saying so, without."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"no real recordings and weights at {SHARED}")
    return SHARED
