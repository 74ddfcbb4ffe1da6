"""What a finished run leaves: the documented tables, sound provenance, the merged config."""

import json
import re

import pyarrow.parquet as pq
import pytest
import yaml

from stratavox import tables
from tiny_study import ROOT

SCHEMAS = yaml.safe_load((ROOT / "workflow/schemas/tables.yaml").read_text())


@pytest.mark.parametrize("pattern", SCHEMAS)
def test_columns_are_the_documented_ones(finished, pattern):
    results = finished.here / "results"
    paths = list(results.glob(re.sub(r"\{\w+\}", "*", pattern)))
    paths = [path for path in paths if path.name != "windows.parquet"]
    assert paths
    wanted = {name: kind for name, (kind, _) in SCHEMAS[pattern].items()}
    for path in paths:
        schema = pq.read_schema(path)
        columns = {field.name: re.sub(r"<.*", "", str(field.type)) for field in schema}
        columns = {
            name: columns[name] for name in columns if name in wanted or "parts/" not in pattern
        }
        assert columns == {name: re.sub(r"<.*", "", kind) for name, kind in wanted.items()}, path


def test_readouts_say_what_made_them(finished):
    folder = finished.here / "results/embeddings/tiny/wood"
    encoder = json.loads((folder / "encoder.json").read_text())
    assert encoder["blocks"] == ["block_00", "block_01", "block_02"]
    assert encoder["clips"] == 36 and encoder["weights"] == "file"
    for readout in encoder["readouts"]:
        provenance = tables.read_provenance(folder / f"{readout}.parquet")
        assert {"key", "code", "versions", "encoder"} <= set(provenance)
        assert len(provenance["encoder"]["weights_sha256"]) == 64
        assert provenance["encoder"]["precision"] == "fp32"
        assert provenance["encoder"]["context_s"] == 1.0


def test_the_merged_config_stands_beside_the_report(finished):
    merged = yaml.safe_load((finished.here / "results/report/config.yaml").read_text())
    assert merged["run"] == finished.config["run"]
    assert merged["probes"]["folds"] == 3  # the run's own
    assert merged["probes"]["c_grid"][0] == 0.00001  # the default's


def test_every_encoder_met_the_same_folds(finished):
    predictions = [
        tables.read_table(
            finished.here / f"results/predictions/{encoder}/wood/kind.parquet",
            ["regime", "repeat", "fold", "clip_id", "readout"],
        ).to_pandas()
        for encoder in ("tiny", "logmel")
    ]
    shared = tables.read_table(finished.here / "results/folds/wood/kind.parquet").to_pandas()
    keys = ["regime", "repeat", "clip_id"]
    wanted = shared.set_index(keys)["fold"].sort_index()
    for table in predictions:
        for _, part in table.groupby("readout"):
            assert part.set_index(keys)["fold"].sort_index().equals(wanted)


def test_snakemakes_own_report_can_be_made(finished, tmp_path):
    finished.snakemake("--report", str(tmp_path / "report.zip"))
    assert (tmp_path / "report.zip").stat().st_size > 100_000


def test_a_run_without_downloads_asks_no_network(finished):
    """Nothing that any process of the run looked up or spoke to (tests/unit/test_security.py)."""
    assert (finished.project / "workflow/sitecustomize.py").exists()
    assert not (finished.project / "workflow/network_asked.txt").exists()
