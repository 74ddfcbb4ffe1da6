"""`apply` on a finished run: which probe, when it is fitted again, and what is refused."""

import csv
import os
import shutil
import subprocess
import sys

import pyarrow as pa
import pytest
import soundfile

from stratavox import tables
from stratavox.apply import trained
from stratavox.tables import embedding_matrix, read_provenance, read_table

RECOMMENDATION = "results/answers/wood/kind/recommendation.parquet"


def recommend(study, encoder="tiny", recommended=True):
    """Write the recommendation of the finished run by hand: block_02 of tiny, or log-mel."""
    shared = {"value": 0.8, "low": 0.6, "high": 0.9, "interval": "t over groups"}
    rows = [
        {"encoder": name, "readout": readout, "sentence": sentence, **shared}
        | {"recommended": recommended and name == encoder}
        for name, readout, sentence in (
            ("tiny", "block_02", "Too few birds."),
            ("logmel", "features", ""),
        )
    ]
    beside = study.here / RECOMMENDATION.replace("recommendation", "estimates")
    key = read_provenance(beside)
    tables.write_table(pa.Table.from_pylist(rows), study.here / RECOMMENDATION, key)


def apply(study, folder="data/wood", *options, ok=True, dataset="wood", task="kind"):
    """What the command prints."""
    line = [sys.executable, "-m", "stratavox", "apply", "--configfile", "mine.yaml"]
    line += [*(["--dataset", dataset] if dataset else []), "--task", task, str(folder), *options]
    done = subprocess.run(
        line,
        cwd=study.here,
        env=os.environ | {"PYTHONPATH": str(study.project / "workflow")},
        text=True,
        capture_output=True,
    )
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_a_finished_run_predicts_recordings_and_its_probe_is_fitted_once(study):
    recommend(study)
    new = study.here / "new"
    shutil.copytree(study.here / "data/field/audio", new)
    (new / "broken.wav").write_text("no audio")
    printed = apply(study, "new", "--out", "first")
    assert "readout (recommended): tiny, block_02, balanced accuracy 0.80 [0.60 to 0.90" in printed
    assert "fitted on 36 clips of 3 classes in 6 groups" in printed
    assert "1 files or segments are left out" in printed and "broken.wav: not audio" in printed
    rows = read_table(study.here / "first.parquet").to_pylist()
    assert len(rows) == 36 and {row["predicted"] for row in rows} <= {f"kind {k}" for k in range(3)}
    for row in rows:
        p = [row[f"p: kind {k}"] for k in range(3)]
        assert sum(p) == pytest.approx(1) and max(p) == pytest.approx(row["probability"])
    assert (study.here / "first_raven/bird0_0_0.wav.Table.1.selections.txt").exists()
    path = study.here / "results/apply/wood.kind.safetensors"
    about = read_provenance(study.here / "first.parquet")["probe"]
    assert about["encoder"]["name"] == "tiny" and len(about["encoder"]["weights_sha256"]) == 64
    before = path.stat().st_mtime_ns
    # labels in a table are compared with what is predicted; the probe is as it was
    with open(study.here / "data/field/calls.csv") as file:
        assert {row["kind"] for row in csv.DictReader(file)} == {f"kind {k}" for k in range(3)}
    printed = apply(study, "data/field", "--table", "data/field/calls.csv", "--out", "second")
    assert "36 of them have a label in column 'kind': balanced accuracy" in printed
    assert path.stat().st_mtime_ns == before
    # another encoder, another probe
    printed = apply(study, "new", "--encoder", "logmel", "--out", "third")
    assert "readout (not recommended, given with --encoder): logmel, features" in printed
    assert path.stat().st_mtime_ns != before
    assert "--force" in apply(study, "new", "--out", "third", ok=False)


def test_training_clips_given_as_files_get_the_embeddings_of_the_run(study):
    """By the distance: a clip that is in the training set is at no distance to one of them."""
    recommend(study)
    apply(study, "data/wood", "--out", "again")
    path = study.here / "results/apply/wood.kind.safetensors"
    key = read_provenance(study.here / "again.parquet")["probe"]["key"]
    probe = trained.load(path, key)
    embedded = read_table(study.here / "results/embeddings/tiny/wood/block_02.parquet")
    x = embedding_matrix(embedded["embedding"])
    log_p, distances = probe.log_probabilities(x), probe.neighbours.distances(x)
    rows = {row["file"]: row for row in read_table(study.here / "again.parquet").to_pylist()}
    for place, clip in enumerate(embedded["clip_id"].to_pylist()):
        assert rows[clip]["probability"] == pytest.approx(
            2.718281828 ** log_p[place].max(), abs=1e-4
        )
        assert rows[clip]["distance"] == pytest.approx(distances[place], abs=1e-3)


def test_windows_of_a_long_recording(study):
    recommend(study, "logmel")
    parts = [soundfile.read(path)[0] for path in sorted((study.here / "data/wood/audio").iterdir())]
    (study.here / "long").mkdir()
    soundfile.write(study.here / "long/day.wav", [v for part in parts for v in part], 16000)
    printed = apply(study, "long", "--windows", "0.3")
    assert "36 clips of 1 recordings" in printed
    rows = read_table(study.here / "long_kind.parquet").to_pylist()
    assert [row["start_s"] for row in rows] == pytest.approx([0.3 * k for k in range(36)])
    assert "found 0; allowed: 0.01 s" in apply(study, "long", "--windows", "0", "--force", ok=False)


def test_what_is_not_finished_fresh_or_recommended_is_refused_in_one_message(study):
    path = study.here / RECOMMENDATION
    if path.exists():
        path.unlink()
    printed = apply(study, ok=False)
    assert "recommendation.parquet: not there" in printed
    assert "snakemake" in printed and "--configfile mine.yaml" in printed
    recommend(study, recommended=False)
    printed = apply(study, ok=False)
    assert "no readout is recommended for the task 'kind'. Too few birds." in printed
    assert "logmel: features, balanced accuracy 0.80 [0.60 to 0.90" in printed
    assert "--encoder" in printed
    recommend(study)
    assert "was not measured" in apply(study, "data/wood", "--encoder", "none", ok=False)
    assert "say with --dataset" in apply(study, dataset=None, ok=False)
    assert "its datasets are: wood, field" in apply(study, dataset="water", ok=False)
    assert "give one of: kind" in apply(study, task="sort", ok=False)
    assert "no such folder" in apply(study, "nowhere", ok=False)
    config = study.config
    config["datasets"]["wood"]["probes"] = {"folds": 2}
    study.config = config
    printed = apply(study, ok=False)
    assert "stale: config, data or code changed" in printed and "snakemake" in printed
    assert not (study.here / "results/apply").exists()
