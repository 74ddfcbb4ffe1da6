"""`apply` on a finished run: which probe, when it is fitted again, and what is refused."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from stratavox import tables
from stratavox.apply import trained
from stratavox.apply.command import Question, start
from stratavox.apply.recordings import Request
from stratavox.errors import StratavoxError
from stratavox.tables import embedding_matrix, read_provenance, read_table

RECOMMENDATION = "results/answers/wood/kind/recommendation.parquet"


def recommend(study, encoder="tiny", recommended=True):
    """Write the recommendation of the finished run by hand: block_02 of tiny, or log-mel."""
    shared = {"value": 0.8, "low": 0.6, "high": 0.9, "interval": "t over groups"}
    rows = [
        {"encoder": name, "readout": readout, "sentence": sentence, "beware": beware, **shared}
        | {"recommended": recommended and name == encoder}
        for name, readout, sentence, beware in (
            ("tiny", "block_02", "Too few birds.", "Few groups.\nA leak."),
            ("logmel", "features", "", ""),
        )
    ]
    beside = study.here / RECOMMENDATION.replace("recommendation", "estimates")
    key = read_provenance(beside)
    tables.write_table(pa.Table.from_pylist(rows), study.here / RECOMMENDATION, key)


@pytest.fixture
def apply(study, capsys):
    """Predict recordings with the study's run, in this process; what was printed."""
    recommend(study)

    def call(folder, out, dataset="wood", task="kind", encoder=None, **request):
        question = Question(Path("mine.yaml"), task, dataset, encoder)
        with contextlib.chdir(study.here):
            start(question, Request(Path(folder), **request), Path(out), force=False)
        return capsys.readouterr().out

    return call


def test_a_finished_run_predicts_recordings_by_one_command(study):
    recommend(study)
    new = study.here / "new"
    shutil.copytree(study.here / "data/field/audio", new)
    (new / "broken.wav").write_text("no audio")
    line = [sys.executable, "-m", "stratavox", "apply", "--configfile", "mine.yaml"]
    done = subprocess.run(
        [*line, "--dataset", "wood", "--task", "kind", "new"],
        cwd=study.here,
        env=os.environ | {"PYTHONPATH": str(study.project / "workflow")},
        text=True,
        capture_output=True,
    )
    printed = done.stdout
    assert done.returncode == 0, printed + done.stderr
    assert (
        "readout (recommended): tiny, block_02, balanced accuracy 0.80 [0.60 to 0.90, 95" in printed
    )
    assert "beware: Few groups.\n  beware: A leak.\n" in printed
    assert "fitted on 36 clips of 3 classes in 6 groups" in printed
    assert "1 files or segments are left out" in printed and "broken.wav: not audio" in printed
    assert "apply: 36/36 clips" in done.stderr
    rows = read_table(study.here / "new_kind.parquet").to_pylist()
    assert len(rows) == 36 and {row["predicted"] for row in rows} <= {f"kind {k}" for k in range(3)}
    for row in rows:
        p = [row[f"p: kind {k}"] for k in range(3)]
        assert sum(p) == pytest.approx(1) and max(p) == pytest.approx(row["probability"])
    assert (study.here / "new_kind_raven/bird0_0_0.wav.Table.1.selections.txt").exists()
    about = read_provenance(study.here / "new_kind.parquet")["probe"]
    assert about["encoder"]["name"] == "tiny" and len(about["encoder"]["weights_sha256"]) == 64


def test_training_clips_get_the_runs_embeddings_and_the_probe_is_fitted_once(study, apply):
    """A clip of the training set is at no distance to one of its clips: itself."""
    # labels in a table are compared with what is predicted
    printed = apply("data/wood", "first", table=Path("data/wood/calls.csv"))
    assert "36 of them have a label in column 'kind': balanced accuracy" in printed
    path = study.here / "results/apply/wood.kind.safetensors"
    made = path.stat().st_mtime_ns
    key = read_provenance(study.here / "first.parquet")["probe"]["key"]
    probe = trained.load(path, key)
    embedded = read_table(study.here / "results/embeddings/tiny/wood/block_02.parquet")
    x = embedding_matrix(embedded["embedding"])
    p, distances = np.exp(probe.log_probabilities(x)), probe.neighbours.distances(x)
    rows = {row["file"]: row for row in read_table(study.here / "first.parquet").to_pylist()}
    for place, clip in enumerate(embedded["clip_id"].to_pylist()):
        assert rows[clip]["probability"] == pytest.approx(p[place].max(), abs=1e-4)
        assert rows[clip]["distance"] == pytest.approx(distances[place], abs=1e-3)
    # windows of all calls in a row are the calls
    calls = [
        soundfile.read(study.here / "data/wood" / row["name"])[0] for row in study.rows("wood")
    ]
    (study.here / "long").mkdir()
    soundfile.write(study.here / "long/day.wav", np.concatenate(calls), 16000)
    assert "36 clips of 1 recordings" in apply("long", "second", windows=0.3)
    assert path.stat().st_mtime_ns == made
    windows = read_table(study.here / "second.parquet").to_pylist()
    for row, window in zip(study.rows("wood"), windows, strict=True):
        assert window["predicted"] == rows[row["name"]]["predicted"]
        assert window["probability"] == pytest.approx(rows[row["name"]]["probability"], abs=0.01)
    # another encoder, another probe
    printed = apply("data/wood", "third", encoder="logmel")
    assert "readout (not recommended, given with --encoder): logmel, features" in printed
    assert path.stat().st_mtime_ns != made


def test_what_is_not_finished_fresh_or_recommended_is_refused(study, apply):
    def refused(message, folder="data/wood", **request):
        with pytest.raises(StratavoxError, match=message):
            apply(folder, "out", **request)

    refused("say with --dataset", dataset=None)
    refused("its datasets are: wood, field", dataset="water")
    refused("give one of: kind", task="sort")
    refused("was not measured .* measured were: tiny, logmel", encoder="none")
    refused("no such folder", folder="nowhere")
    refused("--windows: found 0; allowed: 0.01 s", windows=0.0)
    folder = study.here / "results/embeddings/tiny/wood"
    (folder / "block_02.parquet").rename(folder / "away")
    refused(r"(?s)block_02.parquet: not there: the run is not finished.*snakemake .*mine.yaml")
    (folder / "away").rename(folder / "block_02.parquet")
    recommend(study, recommended=False)
    refused(r"(?s)recommended for the task 'kind'. Too few birds.*logmel: features.*--encoder")
    recommend(study)
    (study.here / "out.csv").touch()
    refused("out.csv: exists already.*--force")
    refused("out.csv: is the table that is read", table=Path("out.csv"))
    (study.here / "out.csv").unlink()
    config = study.config
    config["datasets"]["wood"]["probes"] = {"folds": 2}
    study.config = config
    refused(r"(?s)stale: config, data or code changed.*snakemake")
    assert not (study.here / "results/apply").exists()
