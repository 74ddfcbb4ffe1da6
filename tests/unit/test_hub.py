"""Published weights come once, from a hub on this machine; others than published are refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import stage_jobs
from clip_data import noise
from encoder_examples import make_transformer
from loopback_hub import Hub, serving
from stratavox.embed.part import load
from stratavox.embed.pooling import pool
from stratavox.encoders import catalogue

REPOSITORY, FILE = (
    "EarthSpeciesProject/esp-aves2-sl-beats-bio",
    "esp-aves2-sl-beats-bio.safetensors",
)
NAME = f"{REPOSITORY}/{FILE}"
CONTENT = bytes(range(256)) * 40


@pytest.fixture
def hub():
    with serving(Hub({NAME: CONTENT})) as hub:
        yield hub


def fetch(hub: Hub, folder: Path, sha256: str | None = None, file: str = FILE, **environment):
    """Run the stage in a process of its own; its receipt, or None, and what it printed."""
    out = folder / "receipt.json"
    out.unlink(missing_ok=True)
    settings = {"repository": REPOSITORY, "file": file, "sha256": sha256}
    # what Python imports first: between its tries the library waits half a minute in all
    (folder / "sitecustomize.py").write_text("import time\ntime.sleep = lambda seconds: None\n")
    environment["PYTHONPATH"] = str(folder)
    process = {"env": hub.environment(folder / "cache") | environment}
    done = stage_jobs.run("encoders.hub", {}, {"receipt": out}, settings, process=process)
    assert (done.returncode == 0) == out.exists()
    assert "Traceback" not in done.stderr
    return json.loads(out.read_text()) if out.exists() else None, done.stderr


def test_a_file_is_fetched_once_and_the_cache_serves_without_a_network(hub, tmp_path):
    receipt, _ = fetch(hub, tmp_path)
    assert Path(receipt["path"]).read_bytes() == CONTENT
    assert receipt["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert (receipt["bytes"], receipt["verified"]) == (len(CONTENT), "by the hub")
    assert receipt["address"] == f"{hub.address}/{REPOSITORY}/{FILE}"
    hub.requests.clear()
    again, _ = fetch(hub, tmp_path)
    assert again == receipt and hub.requests == []


def test_the_published_checksum_is_what_counts(hub, tmp_path):
    receipt, _ = fetch(hub, tmp_path, sha256=hashlib.sha256(CONTENT).hexdigest())
    assert receipt["verified"] == "as published"
    receipt, printed = fetch(hub, tmp_path, sha256="0" * 64)
    assert receipt is None and "not the file that was published" in printed and "0" * 64 in printed


def test_a_file_corrupted_on_the_way_or_in_the_cache_is_refused(hub, tmp_path):
    hub.send[NAME] = CONTENT[:-1] + b"!"
    receipt, printed = fetch(hub, tmp_path)
    assert receipt is None and "not the file that was published" in printed and FILE in printed
    hub.send.clear()
    blob = next((tmp_path / "cache").rglob("blobs/*"))
    assert f"delete {blob}" in printed
    blob.unlink()
    assert fetch(hub, tmp_path)[0]["sha256"] == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize(
    "status, code, says",
    [
        (403, "GatedRepo", "it is gated: accept its terms at"),
        (401, "RepoNotFound", "no such repository, or it is private"),
        (500, "", "the answer was 500"),
    ],
)
def test_what_the_hub_refuses_is_explained(hub, tmp_path, status, code, says):
    hub.refuse[REPOSITORY] = (status, code)
    receipt, printed = fetch(hub, tmp_path)
    assert receipt is None and says in printed
    assert f"weights: path/to/{FILE}" in printed and "random weights are never used" in printed


def test_a_file_that_the_repository_lacks_is_named(hub, tmp_path):
    receipt, printed = fetch(hub, tmp_path, file="other.safetensors")
    assert (
        receipt is None and "other.safetensors" in printed and "does not have this file" in printed
    )


def test_a_whisper_comes_by_its_name_at_the_pinned_commit(tmp_path):
    folder, _ = make_transformer(tmp_path / "model", "whisper")
    files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    named = {"family": "transformers", "model": "openai/whisper-base", "context_s": 1.0}
    catalogue.check(named)
    assert catalogue.rate(named) == 16000 and catalogue.is_fetched(named)
    settings, out = catalogue.published(named), tmp_path / "receipt.json"
    with serving(Hub({f"openai/whisper-base/{name}": data for name, data in files.items()})) as hub:
        process = {"env": hub.environment(tmp_path / "cache"), "check": True}
        for requests in (3, 0):
            hub.requests.clear()
            stage_jobs.run("encoders.hub", {}, {"receipt": out}, settings, process=process)
            gets = [line for line in hub.requests if line.startswith("GET /openai")]
            assert len(gets) == requests
            assert all(f"/resolve/{settings['revision']}/" in line for line in gets)
    receipt = json.loads(out.read_text())
    assert receipt["sha256"] == hashlib.sha256(files["model.safetensors"]).hexdigest()
    assert receipt["verified"] == "by the hub" and settings["revision"] in receipt["address"]
    clips = noise(11200)
    from_folder = {"family": "transformers", "path": folder, "context_s": 1.0}
    for weights in ({"weights": "pretrained"}, {"weights": "random", "seed": 3}):
        fetched = load(named | weights | {"receipt": str(out)})
        local = load(from_folder | (weights if "seed" in weights else {}))
        theirs = pool(local, clips).means
        for readout, ours in pool(fetched, clips).means.items():
            assert np.array_equal(ours, theirs[readout])
        assert fetched.provenance["weights"] == weights["weights"]


def test_a_missing_network_is_reported(tmp_path):
    nobody = Hub(address="http://127.0.0.1:9")
    receipt, printed = fetch(nobody, tmp_path)
    assert receipt is None and "no network: no answer from http://127.0.0.1:9" in printed
    assert f"weights: path/to/{FILE}" in printed


def test_a_proxy_is_used_where_one_is_named(hub, tmp_path):
    """A proxy that nobody serves: the request goes there, not to the hub itself."""
    hub.address = hub.address.replace("127.0.0.1", "stratavox.invalid")
    receipt, printed = fetch(hub, tmp_path, HTTP_PROXY="http://127.0.0.1:9")
    assert receipt is None and "could not be fetched" in printed and hub.requests == []
