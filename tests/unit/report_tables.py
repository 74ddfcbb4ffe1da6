"""Small results of the contract's shape, for the tests of the figures and of the page."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from stratavox.tables import write_json, write_table

NASTY = "<script>alert(1)</script>"
UMLAUT = 'Grünes "Ö" & <b>Täubchen</b>'
CLASSES = [NASTY, UMLAUT, "_hidden", "$x^2$"]
ENCODERS = {
    "deep": {"blocks": ["block_00", "block_01", "block_02"], "weights": "file"},
    "noise": {"blocks": ["block_00"], "weights": "random"},
    "logmel": {"blocks": [], "weights": "none"},
}
ESTIMATES = [
    *("encoder", "readout", "depth", "probe", "control", "regime", "metric"),
    *("value", "low", "high", "interval", "n_clips", "n_groups"),
]
HYGIENE = {
    "rows": 44,
    "clips": 40,
    "rejected": [{"row": 7, "file": f"{UMLAUT}.wav", "reason": "not audio"}],
    "duplicate_rows": 3,
    "shared_files": [],
    "silent": [],
    "clipped": 2,
    "sample_rates": {"44100": 40},
    "channels": {"1": 40},
    "duration_s": {"min": 0.1, "median": 0.5, "max": 2.0, "total": 60.0},
    "share_above_8khz": {"median": 0.0123, "max": 0.41},
    "channel_policy": "mean",
    "channels_differ": 0,
}


def readouts(encoder: str) -> list[str]:
    blocks = ENCODERS[encoder]["blocks"]
    return ["input", *blocks] if blocks else ["features"]


def estimates(grouped: bool = True, interval: str = "t over groups") -> pd.DataFrame:
    """Every readout of `ENCODERS` under every control; no two values are alike."""
    main = "grouped" if grouped else "random"
    rows, step = [], 0
    for encoder, facts in ENCODERS.items():
        fusions = ["concat", "nested"] if facts["blocks"] else []
        for readout in [*readouts(encoder), *fusions]:
            own = readouts(encoder)
            depth = float(own.index(readout)) if facts["blocks"] and readout in own else None
            step += 1
            value = 0.4 + step / 100
            kind = interval if grouped else "none"
            ends = (None, None) if kind == "none" else (value - 0.051, value + 0.062)
            told = [(main, "none", value, *ends, kind)]
            if grouped:
                told.append(("random", "none", value + 0.1, None, None, "none"))
            if readout != "nested":
                low, high = 0.2 + step / 1000, 0.3 + step / 1000
                told.append((main, "permutation", 0.25 + step / 1000, low, high, "permutations"))
            for regime, control, *numbers in told:
                for metric in ("balanced_accuracy", "accuracy"):
                    shift = 0 if metric == "balanced_accuracy" else 0.3
                    shifted = [n if n is None else n + shift for n in numbers[:3]]
                    rows.append(
                        (encoder, readout, depth, "linear", control, regime, metric)
                        + (*shifted, numbers[3], 40, 8 if grouped else None)
                    )
    return pd.DataFrame(rows, columns=ESTIMATES)


def contrasts(grouped: bool = True) -> pd.DataFrame:
    columns = [
        *("question", "a_encoder", "a_readout", "b_encoder", "b_readout", "regime", "metric"),
        *("difference", "low", "high", "interval", "p_value", "p_holm", "resolved", "n_groups"),
        "sentence",
    ]
    tail = ("grouped", "balanced_accuracy")
    t = "t over groups"
    rows = [
        ("above chance", "deep", "nested", None, "chance", *tail)
        + (0.21, 0.11, 0.31, t, 0.0001, 0.0002, True, 8, "deep is above chance: 0.461."),
        ("above chance", "noise", "nested", None, "chance", *tail)
        + (0.02, -0.1, 0.14, t, 0.5, 0.6, False, 8, "noise and chance: not resolved."),
        ("trained or random weights", "deep", "nested", "noise", "nested", *tail)
        + (0.07, -0.1, 0.24, t, 0.2, 0.3, False, 8, f"deep and noise {NASTY}: not resolved."),
        ("above chance", "logmel", "features", None, "chance", *tail)
        + (0.2, 0.1, 0.3, "range over groups", None, None, None, 8, "not tested: too few."),
    ]
    return pd.DataFrame(rows if grouped else [], columns=columns)


def write(
    root: Path,
    grouped: bool = True,
    estimate_rows: pd.DataFrame | None = None,
    contrast_rows: pd.DataFrame | None = None,
    dataset: str = "zoo",
    source: str = "folder",
) -> dict:
    """Write a dataset's tables under ``root`` / results; return the index for the summary."""
    results = root / "results"
    encoders = {}
    for name, facts in ENCODERS.items():
        folder = results / "embeddings" / name / dataset
        made = {
            **{"encoder": name, "family": "beats", "rate": 16000, "readouts": readouts(name)},
            **{"blocks": facts["blocks"], "weights": facts["weights"], "context_s": None},
            **{"weights_sha256": None if facts["weights"] == "none" else "ab12" * 16},
            **{"precision": "fp32", "device": "cpu", "versions": {"torch": "2.12.1"}},
            **{"clips": 40, "padded": 5, "windowed": 0, "audio_s": 60.0, "seconds": 93.4},
        }
        write_json(made, folder / "encoder.json")
        table = pa.table({"clip_id": ["a"]})
        write_table(table, folder / f"{readouts(name)[0]}.parquet", {"code": f"code-{name}"})
        encoders[name] = {"dirs": {dataset: str(folder)}}
    table = estimates(grouped) if estimate_rows is None else estimate_rows
    told = contrasts(grouped) if contrast_rows is None else contrast_rows
    group = "bird" if grouped else None
    facts = {
        **{"chance": 0.25, "group": group, "folds": 5, "repeats": 2, "permutations": 10},
        **{"at_edge": dict.fromkeys(ENCODERS, 3), "not_converged": dict.fromkeys(ENCODERS, 1)},
        **{"outer_fits": dict.fromkeys(ENCODERS, 50), "nested": {"deep": {"block_01": 7}}},
    }
    counts = {"clips": 10, "groups": 8 if grouped else None}
    folds = {
        **{"target": "label", "group": group, "clips": 40, "groups": counts["groups"]},
        **{"classes": dict.fromkeys(CLASSES, counts), "empty_labels": 4, "chance": 0.25},
        "left_out": [{"label": "rare <i>", "clips": 1, "groups": 1, "why": "fewer than 10 clips"}],
        "near_duplicates": [["Hiss", "hiss "]],
        "identical_across_groups": [],
    }
    paths = {
        "estimates": results / "estimates" / dataset / "call.parquet",
        "estimates_json": results / "estimates" / dataset / "call.json",
        "contrasts": results / "contrasts" / dataset / "call.parquet",
        "folds_json": results / "folds" / dataset / "call.json",
        "layers_stem": results / "figures" / dataset / "call" / "layers",
        "comparison_stem": results / "figures" / dataset / "call" / "comparison",
    }
    hygiene = results / "corpus" / dataset / "hygiene.json"
    provenance = {"stage": "probe.infer", "code": "c0de", "key": "k", "versions": {"scipy": "1"}}
    write_table(pa.Table.from_pandas(table, preserve_index=False), paths["estimates"], provenance)
    write_table(pa.Table.from_pandas(told, preserve_index=False), paths["contrasts"], provenance)
    write_json(facts, paths["estimates_json"])
    write_json(folds, paths["folds_json"])
    write_json(HYGIENE, hygiene)
    clips = [f"clip-{number:03d}" for number in range(40)]
    columns = {
        "regime": ["random"] * 40,
        "repeat": pa.array([0] * 40, pa.int32()),
        "fold": pa.array([number % 5 for number in range(40)], pa.int32()),
        "clip_id": clips,
        "target": [CLASSES[number % 4] for number in range(40)],
        "group": pa.array([f"bird {n % 8}" if grouped else None for n in range(40)], pa.string()),
    }
    write_table(pa.table(columns), paths["folds_json"].with_suffix(".parquet"), {})
    entry = {name: str(path) for name, path in paths.items()}
    umap = results / "figures" / dataset / "deep" / "umap_call"
    return {
        "datasets": {
            dataset: {
                "source": source,
                "hygiene": str(hygiene),
                "tasks": {"call": entry | {"umap": {"deep": str(umap)}}},
            }
        },
        "encoders": encoders,
        "config": {"run": {"datasets": [dataset]}, "title": UMLAUT},
    }


def folders(index: dict, dataset: str = "zoo") -> dict[str, str]:
    return {name: entry["dirs"][dataset] for name, entry in index["encoders"].items()}
