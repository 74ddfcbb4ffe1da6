"""A planted set of soundscapes, cut into windows, from Raven's tables to the report."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.metrics import average_precision_score

import tiny_study

RATE, SECONDS, SITES, NIGHTS = 16000, 60, 6, 2
HEARD = {"whistle": (2000, 900), "buzz": (5000, 0)}
# boxes of it are drawn where nothing sounds
SILENT = "ghost"


def call(generator, name: str) -> np.ndarray:
    hz, sweep = HEARD[name]
    t = np.arange(RATE * 3 // 10) / RATE
    tone = np.sin(2 * np.pi * (hz * (1 + 0.05 * generator.standard_normal()) + sweep * t) * t)
    return tone * (np.sign(np.sin(2 * np.pi * 60 * t)) if name == "buzz" else 1)


def put_recording(folder, generator, site: int, night: int) -> list[tuple[float, float, str]]:
    """Noise of the site's own level with calls in it; its table, and the boxes in it."""
    level = 0.01 * (1 + site)
    x = level * generator.standard_normal(RATE * SECONDS)
    boxes = []
    for name in (*HEARD, SILENT):
        for _ in range(generator.integers(2, 5)):
            start = round(float(generator.uniform(0, SECONDS - 1)), 3)
            if name in HEARD:
                sound = call(generator, name)
                at = int(start * RATE)
                x[at : at + len(sound)] += 8 * level * sound
            boxes.append((start, start + 0.3, name))
    stem = f"S{site}_2024060{night + 1}_220000"
    soundfile.write(folder / f"{stem}.wav", x / 2, RATE)
    lines = ["Selection\tBegin Time (s)\tEnd Time (s)\tSpecies"]
    lines += [f"{n}\t{a:.3f}\t{b:.3f}\t{name}" for n, (a, b, name) in enumerate(boxes, start=1)]
    (folder / f"{stem}.Table.1.selections.txt").write_text("\n".join(lines) + "\n")
    return boxes


@pytest.fixture(scope="module")
def marsh(tmp_path_factory):
    study = tiny_study.bare(tmp_path_factory.mktemp("soundscapes"))
    folder, generator = study.here / "marsh", np.random.default_rng(5)
    folder.mkdir()
    boxes = [
        put_recording(folder, generator, site, night)
        for site in range(SITES)
        for night in range(NIGHTS)
    ]
    sides = [f"{site},{'test' if site > 3 else 'train'}" for site in range(SITES)]
    (study.here / "sites.csv").write_text("\n".join(["site,split", *sides]) + "\n")
    task = {"kind": "multilabel", "target": "Species", "group": "site", "split": "split"}
    study.config = {
        "run": {"datasets": ["marsh"], "encoders": ["logmel", "duration_level"]},
        "datasets": {
            "marsh": {
                **{"source": "folder", "path": "marsh", "shards": 2, "windows": "birdset"},
                "annotations": {"format": "raven", "label": "Species"},
                "name": "S{site}_{date}_{time}",
                "join": {"table": "sites.csv", "by": "site"},
                "tasks": {"birds": task},
            }
        },
        "probes": {"folds": 3, "inner_folds": 2, "repeats": 1, "permutations": 4},
    }
    study.snakemake()
    return study.here / "results", boxes


def scored(results, encoder: str, **where) -> pd.DataFrame:
    rows = pd.read_parquet(results / "answers/marsh/birds/estimates.parquet")
    where = {"encoder": encoder, "metric": "map", "control": "none"} | where
    return rows[np.logical_and.reduce([rows[name] == value for name, value in where.items()])]


def test_what_sounds_is_found_at_other_sites_and_what_does_not_is_at_prevalence(marsh):
    results, _ = marsh
    classes = pd.read_parquet(results / "answers/marsh/birds/classes.parquet")
    of = classes[classes["encoder"] == "logmel"].set_index("class")
    for name in HEARD:
        assert of.loc[name, "value"] > of.loc[name, "chance"] + 0.4
        assert of.loc[name, "low"] > of.loc[name, "chance"]
    ghost = of.loc[SILENT]
    assert abs(ghost["value"] - ghost["chance"]) < 0.12
    assert abs(ghost["auroc"] - 0.5) < 0.2
    # duration and level of a window tell nothing of what is in it
    level = float(scored(results, "duration_level", regime="grouped")["value"].iloc[0])
    assert level < float(scored(results, "logmel", regime="grouped")["value"].iloc[0]) - 0.2


def test_windows_without_a_box_are_negatives_and_are_counted(marsh):
    results, boxes = marsh
    windows = SITES * NIGHTS * SECONDS // 5
    held = sum(
        any(start < 5 * n + 5 and end > 5 * n for start, end, _ in own)
        for own in boxes
        for n in range(SECONDS // 5)
    )
    facts = json.loads((results / "folds/marsh/birds.json").read_text())
    assert (facts["clips"], facts["negatives"]) == (windows, windows - held)
    page = (results / "report/summary.html").read_text()
    assert f"{windows - held} clips without any" in page
    assert f"{held} with a box, {windows - held} without any" in page


def test_map_is_that_of_scikit_learn_in_every_regime(marsh):
    results, _ = marsh
    for encoder in ("logmel", "duration_level"):
        predictions = pd.read_parquet(results / f"predictions/{encoder}/marsh/birds.parquet")
        regimes = []
        for regime, part in predictions.groupby("regime"):
            present, odds = (np.array(part[name].tolist()) for name in ("present", "log_odds"))
            (value,) = scored(results, encoder, regime=regime)["value"]
            own = average_precision_score(present, odds, average="macro")
            assert value == pytest.approx(own)
            regimes.append(regime)
        assert regimes == ["grouped", "official", "random"]


def test_the_official_split_and_the_random_one_stand_beside_the_sites(marsh):
    results, _ = marsh
    caption = (results / "figures/marsh/multilabel/birds/leakage.txt").read_text()
    rows = pd.read_parquet(results / "answers/marsh/birds/official_split.parquet")
    assert rows["groups"].tolist() == [2, 2] and rows["groups_on_both"].tolist() == [0, 0]
    drawn = (results / "figures/marsh/multilabel/birds/leakage.svg").read_text()
    page = (results / "report/summary.html").read_text()
    for sentence in rows["sentence"]:
        assert "on the official split" in sentence and sentence in page
    assert "Leakage" in caption and "official" in drawn
