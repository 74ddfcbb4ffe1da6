"""A regression and a multilabel task in the tiny run, with one of its two encoders."""

import json

from stratavox.tables import read_json, read_table


def test_a_number_and_label_sets_are_answered_beside_classes(study):
    rows = study.rows("wood")
    for number, row in enumerate(rows):
        row["pitch"] = str(1500 + 150 * int(row["bird"][-1]) + number % 5)
        kind = int(row["kind"][-1])
        row["heard"] = ["wren|tit", "tit", ""][kind]
    study.write_rows("wood", rows)
    config, one = study.config, {"group": "day", "encoders": ["logmel"]}
    config["datasets"]["wood"]["tasks"] |= {
        "pitch": {"kind": "regression", "target": "pitch"} | one,
        "heard": {"kind": "multilabel", "target": "heard", "separator": "|", "negative": ""} | one,
    }
    study.config = config
    stale = study.stale()
    assert "linear logmel wood pitch" in stale and "atlas logmel wood heard" in stale
    assert not [job for job in stale if "tiny" in job or "field" in job or "wood kind" in job]
    study.snakemake()
    results = study.here / "results"
    answers = results / "answers/wood"
    estimates = read_table(answers / "pitch/estimates.parquet").to_pandas()
    score = estimates[(estimates["metric"] == "r2") & (estimates["regime"] == "grouped")]
    assert set(estimates["encoder"]) == {"logmel"} and score["value"].max() > 0.3
    predicted = read_table(answers / "pitch/predicted.parquet").to_pandas()
    assert len(predicted) == predicted["clip_id"].nunique() == len(rows)
    assert predicted["rho"].iloc[0] > 0.5 and set(predicted["group"]) == {r["day"] for r in rows}
    classes = read_table(answers / "heard/classes.parquet").to_pandas().set_index("class")
    assert classes["n_clips"].to_dict() == {"tit": 24, "wren": 12}
    assert read_json(results / "folds/wood/heard.json")["negatives"] == 12
    figures = results / "figures/wood"
    assert (figures / "regression/pitch/predicted.svg").exists()
    assert (figures / "multilabel/heard/classes.svg").exists()
    page = json.loads((results / "report/summary.json").read_text())
    (wood,) = (dataset for dataset in page["datasets"] if dataset["name"] == "wood")
    metrics = {task["name"]: task["metric"] for task in wood["tasks"]}
    assert metrics["pitch"] == "Variance explained (R²)"
    assert metrics["heard"] == "Mean average precision (mAP)"
    card = {one["task"]: json.dumps(one) for one in page["cards"]}
    assert not [name for name in ("pitch", "heard") if "balanced accuracy" in card[name].lower()]
    assert study.stale() == set()
