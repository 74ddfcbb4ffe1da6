"""The benchmark of scale puts real stages to work: its data and its stub are what they claim."""

from __future__ import annotations

import numpy as np
import soundfile
import yaml
from benchmarks import many_clips

from stratavox.embed.part import load
from stratavox.embed.pooling import pool
from stratavox.plan import plan_of


def test_the_dataset_passes_the_check_and_the_stub_separates_its_clips(tmp_path):
    many_clips.make(tmp_path, 40)
    text = (tmp_path / "mine.yaml").read_text(encoding="utf-8")
    plan = plan_of(text, tmp_path)
    assert plan.clip_count("many") == 40 and plan.shards("many") == ["000"]
    encoder = load(yaml.safe_load(text)["encoders"]["stub"])
    assert list(encoder.widths.values()) == [768] * 13
    files = sorted((tmp_path / "recordings").rglob("*.wav"))
    waves = [soundfile.read(file, dtype="float32")[0] for file in files]
    for name, values in pool(encoder, waves).means.items():
        assert len(np.unique(values, axis=0)) == 40, name
        # the same call type, 8 clips on, sounds more alike than the next one
        alike = np.linalg.norm(values[8:] - values[:-8], axis=1)
        other = np.linalg.norm(values[4:] - values[:-4], axis=1)
        assert np.median(alike) < np.median(other), name
