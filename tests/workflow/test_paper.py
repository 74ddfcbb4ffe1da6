"""The study of config/paper.yaml, from download to report, against servers on loopback."""

import hashlib
import json

import pyarrow.parquet as pq

import paper_study


def test_the_study_runs_from_download_to_report(shared, tmp_path, monkeypatch):
    """Archives and weights as published, in miniature; afterwards no network is needed."""
    few = {"run": {"encoders": ["beats_all", "logmel"]}}
    with paper_study.served(tmp_path, shared, otters=3, each=3, **few) as (
        study,
        server,
        hub,
        environment,
    ):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        study.snakemake()
        assert sorted(name for name, _ in server.requests) == ["11905533.zip", "giant_otters.zip"]
        sha256 = hashlib.sha256(hub.files[paper_study.WEIGHTS]).hexdigest()
    results = study.here / "results"
    receipt = json.loads((results / "downloads/weights/beats_all.json").read_text())
    assert (receipt["sha256"], receipt["verified"]) == (sha256, "as published")
    made = json.loads((results / "embeddings/beats_all/zebra_finch/encoder.json").read_text())
    assert (made["weights"], made["weights_sha256"]) == ("pretrained", sha256)

    counts = json.loads((results / "corpus/giant_otter/archive.json").read_text())["counts"]
    assert (counts["clips"], counts["not_used"]) == (63, 3)
    counts = json.loads((results / "corpus/zebra_finch/archive.json").read_text())["counts"]
    rows = paper_study.finches(shared, 3)
    assert (counts["clips"], counts["merged"]) == (len(rows), 5)
    labels = pq.read_table(results / "corpus/zebra_finch/labels.parquet").to_pylist()
    assert sorted(row["call_type"] for row in labels) == sorted(row["call_type"] for row in rows)

    page = (results / "report/summary.html").read_text()
    for text in ("CC BY 4.0", "A Person (2014) Calls", "group unknown", sha256):
        assert text in page, text
    confounds = json.loads((results / "confounds/zebra_finch/call_type.json").read_text())
    assert confounds and "age" in json.dumps(confounds)
    # the servers are gone
    assert study.stale() == set()
