"""What a stranger's file could do: run code, ask the network. Archives: test_unpack.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from stratavox import plan, snakemake_internals
from stratavox.corpus import archives
from stratavox.embed.part import load
from stratavox.encoders.weights import load_exact
from stratavox.errors import StratavoxError

ROOT = Path(__file__).resolve().parents[2]
BEATS = {"family": "beats", "model": "esp_aves2_sl_beats_all"}
AVES = {"family": "avex", "model": "aves_bio"}
MODULE = {"family": "module", "path": ".", "factory": "mine.build", "rate": 16000, "seed": 0}
MODULE |= {"layout": "batch width", "context_s": 1.0, "grid": {"size": 16000, "hop": 16000}}


class Bait:
    """Makes a folder where it is unpickled."""

    def __init__(self, folder: Path):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.fixture
def bait(tmp_path, monkeypatch):
    """A file of weights whose opening runs code, and the folder that is there if it was opened."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("def build():\n    raise SystemExit('built')\n")
    sprung = tmp_path / "sprung"
    torch.save({"weight": Bait(sprung)}, "whole.pt")
    torch.load("whole.pt", weights_only=False)
    sprung.rmdir()  # so it would be sprung
    yield Path("whole.pt"), sprung
    assert not sprung.exists()


@pytest.mark.parametrize("settings", [BEATS, AVES, MODULE], ids=lambda entry: entry["family"])
@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt", ".pkl"])
def test_a_pickle_is_refused_by_its_name_and_never_opened(bait, settings, suffix):
    path = bait[0].rename(f"model{suffix}")
    with pytest.raises(StratavoxError, match=rf"weights: found '{path}'; .*a \.safetensors file"):
        load(settings | {"weights": str(path)})


def test_a_pickle_called_safetensors_is_refused_and_never_opened(bait):
    path = bait[0].rename("model.safetensors")
    with pytest.raises(StratavoxError, match=r"model\.safetensors: not a whole \.safetensors file"):
        load_exact(torch.nn.Linear(1, 1), path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
def test_a_pickle_in_a_models_folder_is_never_opened(bait, name):
    sys.path.append(str(ROOT / "tests/workflow"))
    from tiny_study import make_encoder

    make_encoder(Path("encoder"))
    Path("encoder/model.safetensors").unlink()
    bait[0].rename(f"encoder/{name}")
    with pytest.raises(StratavoxError, match=r"encoder/model\.safetensors: (no such|not a whole)"):
        load({"family": "transformers", "path": "encoder"})


@pytest.mark.parametrize("reader", ["snakemake", "verify", "init", "archives"])
def test_yaml_makes_no_objects(tmp_path, reader):
    from snakemake.common.configfile import load_configfile
    from snakemake_interface_common.exceptions import WorkflowError

    sprung = tmp_path / "sprung"
    text = f"run: !!python/object/apply:os.mkdir ['{sprung}']\n"
    yaml.unsafe_load(text)
    sprung.rmdir()  # so it would be sprung
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    read = {
        "snakemake": lambda: load_configfile(path),
        "verify": lambda: snakemake_internals.load(ROOT / "Snakefile", path, tmp_path),
        "init": lambda: plan.plan_of(text, tmp_path),
        "archives": lambda: archives.table(path),
    }[reader]
    with pytest.raises((StratavoxError, WorkflowError), match=r"python/object|not valid JSON"):
        read()
    assert not sprung.exists()


def without_network(folder: Path, code: str) -> subprocess.CompletedProcess:
    """Run ``code`` in a process that can speak to this machine alone."""
    shutil.copy2(ROOT / "tests/offline/sitecustomize.py", folder)
    paths = os.pathsep.join([str(folder), str(ROOT / "workflow")])
    cache = {"HF_HOME": str(folder / "hub"), "TORCH_HOME": str(folder / "torch")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | cache | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )


def test_the_bundled_encoder_asks_no_network(tmp_path):
    """From its import to the readouts, nothing being in any cache."""
    done = without_network(
        tmp_path,
        "import numpy as np\n"
        "from stratavox.embed.part import load\n"
        "from stratavox.embed.pooling import pool\n"
        "encoder = load({'family': 'beats', 'weights': 'bundled'})\n"
        "print(sorted(pool(encoder, [np.ones(8000, np.float32)]).means)[-1])\n",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "patch"
    assert not (tmp_path / "network_asked.txt").exists()


def test_a_process_that_asks_the_network_is_noticed(tmp_path):
    """What the test above, and every tiny run, rests on."""
    code = "import urllib.request as r\ntry: r.urlopen('http://example.org')\nexcept OSError: pass"
    environment = {"http_proxy": "", "HTTP_PROXY": "", "no_proxy": "*"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        assert without_network(tmp_path, code).returncode == 0
    assert (tmp_path / "network_asked.txt").read_text().startswith("example.org by")
