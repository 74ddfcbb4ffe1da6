"""What jobs ask a cluster for follows from the work in hand."""

import re

from tiny_study import bare


def asked(study, rule: str, renditions: int) -> tuple[int, int]:
    """MB and minutes of the first job of ``rule``, for a chorus of 48 calls a rendition."""
    task = {"target": "call_type", "kind": "classification", "group": "individual"}
    chorus = {"source": "chorus", "shards": 2, "chorus": {"renditions": renditions}}
    study.config = {
        "run": {"datasets": ["chorus"], "encoders": ["logmel"]},
        "datasets": {"chorus": chorus | {"tasks": {"call_type": task}}},
    }
    (job,) = re.findall(rf"\nrule {rule}:\n.*?\n\n", study.snakemake("--dry-run") + "\n\n", re.S)[
        :1
    ]
    return tuple(int(re.search(rf"{name}=(\d+)", job)[1]) for name in ("mem_mb", "runtime"))


def test_more_clips_ask_for_more(tmp_path):
    """By clip of the dataset where a job reads all, by clip of the shard where it reads one."""
    study = bare(tmp_path)
    few, many = ({r: asked(study, r, n) for r in ("linear", "part")} for n in (6, 600))
    more = 48 * (600 - 6)
    # probes take a sample of max_clips
    assert many["linear"][0] - few["linear"][0] == round(0.25 * (10000 - 48 * 6))
    assert many["part"][1] - few["part"][1] == round(0.05 * more / 2)
    assert many["part"][0] == few["part"][0]
