"""Tables themselves show whether they are stale, when Snakemake's own records are gone."""

import os
import re
import shutil
import subprocess
import sys

from damage import flip_a_bit
from stratavox.inference import ANSWERS


def verify(study) -> tuple[int, dict[str, list[str]], str]:
    """Exit status of `stratavox verify`, the tables that it lists by state, and its output."""
    done = subprocess.run(
        [sys.executable, "-m", "stratavox", "verify", "--configfile", "mine.yaml"],
        cwd=study.here,
        env=os.environ | {"PYTHONPATH": str(study.project / "workflow")},
        text=True,
        capture_output=True,
    )
    parts = re.split(r"\d+ of \d+ tables (.*)\n", done.stdout)
    listed = {state: paths.split() for state, paths in zip(parts[1::2], parts[2::2], strict=True)}
    return done.returncode, listed, done.stdout + done.stderr


def test_a_finished_run_is_fresh(study):
    status, listed, printed = verify(study)
    tables = [p for p in (study.here / "results").rglob("*.parquet") if p.name != "scan.parquet"]
    assert status == 0 and f"{len(tables)} of {len(tables)} tables fresh" in printed
    assert not any(listed.values())


def test_stale_and_broken_tables_are_named_without_snakemakes_records(study):
    shutil.rmtree(study.here / ".snakemake")
    config = study.config
    config["datasets"]["wood"]["probes"] = {"permutations": 3}
    del config["encoders"]["tiny"]["context_s"]
    config["run"]["encoders"] = ["logmel"]
    config["datasets"]["field"].pop("probes")
    study.config = config
    part = study.here / "results/parts/logmel/field/part-000.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    flip_a_bit(study.here / "results/acoustics/wood/part-001.parquet")
    (study.here / "results/scores/gone/wood").mkdir(parents=True)
    shutil.copy(
        study.here / "results/folds/wood/kind.parquet", study.here / "results/scores/gone/wood"
    )
    status, listed, printed = verify(study)
    assert status == 1 and "run the workflow again" in printed and "Traceback" not in printed
    broken = ["acoustics/wood/part-001.parquet", "parts/logmel/field/part-000.parquet"]
    assert listed["broken"] == broken
    scores = {
        f"{kind}/logmel/wood/kind.parquet" for kind in ("scores", "predictions", "layer_weights")
    }
    stale = {path for path in listed["stale"] if "/field/" not in path}
    answers = {path for path in stale if path.startswith("answers/wood/kind/")}
    over_run = {"answers/verdicts.parquet"}
    over_run |= {f"similarity/{dataset}.parquet" for dataset in ("wood", "field")}
    assert stale == scores | answers | over_run
    assert len(answers) == len(ANSWERS)
    other = set(listed["of no run of this config"])
    assert "scores/gone/wood/kind.parquet" in other
    assert "notebook/logmel/field/kind.parquet" in other  # the protocol is not asked for any more
    others = {path.split("/")[1] for path in other if not path.startswith("notebook/")}
    assert others == {"gone", "tiny", "clips"}  # without maps, no clips beside the page
    # and the same command makes anew what verify named, and no clip
    planned = study.stale()
    again = {
        "acoustics wood 001",
        "part logmel field 000",
        "linear logmel wood kind",
        "infer wood kind",
        "verdicts",
    }
    assert again | {"similarity wood", "similarity field"} <= planned
    assert not {job for job in planned if job.split()[0] in ("inspect", "clips", "folds")}
    assert not {job for job in planned if job.startswith("part logmel wood")}
