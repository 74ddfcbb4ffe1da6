"""A further table of answers is one module and its columns: `infer` and the rules use both."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from answers_data import BLOCKS, SETTINGS, clips, encoder, predicted, scored
from stage_jobs import copied_package, python
from stratavox import tables

MODULE = '''"""How many clips of each encoder are predicted right."""


def rows(study):
    return [
        {
            "encoder": encoder.name,
            "right": float(study.correct[key].total.sum()),
            "sentence": f"{encoder.name}: {study.correct[key].value:.2f}",
        }
        for encoder in study.encoders
        for key in study.correct
        if key.encoder == encoder.name and key.readout == "nested"
    ]
'''
COLUMNS = """
answers/{dataset}/{task}/right.parquet:
  encoder: [string, ""]
  right: [double, clips predicted right]
  sentence: [string, ""]
"""


def inputs(folder: Path) -> dict:
    """The files that `infer` reads, of one encoder."""
    deep, generator = encoder("deep"), np.random.default_rng(0)
    readouts = deep.description["readouts"]
    table = predicted(clips(8), "nested", 0.8, generator)
    table = pd.concat([table, *(predicted(clips(8), name, 0.6, generator) for name in readouts)])
    scores = scored(table).assign(at_edge=False, converged=True)
    scores["chosen"] = (scores["readout"] == BLOCKS[2]) & scores["fold"].notna()
    weights = [("grouped", 0, 0, name, 1 / len(BLOCKS)) for name in BLOCKS]
    columns = ["regime", "repeat", "fold", "readout", "weight"]
    frames = {
        "scores": scores,
        "predictions": table,
        "layer_weights": pd.DataFrame(weights, columns=columns),
    }
    paths = {name: folder / name / "deep/data/task.parquet" for name in frames}
    for name, frame in frames.items():
        tables.write_table(pa.Table.from_pandas(frame, preserve_index=False), paths[name], {})
    tables.write_json(deep.description, folder / "encoder.json")
    task = {"chance": 1 / 3, "regimes": ["grouped"], "clips": len(clips(8)), "group": "bird"}
    tables.write_json(task, folder / "folds.json")
    files = {name: [str(path)] for name, path in paths.items()}
    optional = ("atlas", "conditional", "erasure", "erased", "samples")
    optional += ("token_scores", "token_predictions")
    optional += tuple(f"all_blocks_{kind}" for kind in ("scores", "predictions", "weights"))
    none = dict.fromkeys(optional, [])
    single = {"summary": str(folder / "folds.json"), "encoders": [str(folder / "encoder.json")]}
    return files | none | single


def test_a_module_and_its_columns_are_a_further_table(tmp_path):
    package = copied_package(tmp_path)
    (package / "stratavox/inference/answers/right.py").write_text(MODULE)
    with open(package / "schemas/tables.yaml", "a") as declared:
        declared.write(COLUMNS)
    listing = "from stratavox.inference import ANSWERS; print(*ANSWERS)"
    listed = python(package, "-c", listing).split()
    assert listed[-1] == "right"
    job = {
        "input": inputs(tmp_path),
        "output": {name: str(tmp_path / f"{name}.parquet") for name in listed},
        "settings": SETTINGS
        | {"inner_folds": 3, "repeats": 1, "permutations": 0, "control_tasks": 0, "draws": {}},
    }
    job["output"]["summary"] = str(tmp_path / "summary.json")
    python(package, "-m", "stratavox", "stage", "inference.infer", "--job", json.dumps(job))
    right = tables.read_table(tmp_path / "right.parquet")
    assert right.schema.names == ["encoder", "right", "sentence"]
    assert right["encoder"].to_pylist() == ["deep"] and right["right"][0].as_py() > 60
    assert all((tmp_path / f"{name}.parquet").exists() for name in listed)
