"""Small results of the contract's shape, for the tests of the figures and of the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pyarrow as pa
from matplotlib.lines import Line2D
from matplotlib.text import Text

from stratavox.columns import schema
from stratavox.inference import verdicts
from stratavox.inference.answers.trends import ACOUSTICS
from stratavox.report import figures, paper, screen
from stratavox.tables import write_json, write_table

# the values of the wildcards of a job
PLACES = {"dataset": "zoo", "task": "call", "encoder": "deep"}
NASTY = "<script>alert(1)</script>"
UMLAUT = 'Grünes "Ö" & <b>Täubchen</b>'
CLASSES = [NASTY, UMLAUT, "_hidden", "$x^2$"]
ENCODERS = {
    "deep": {"blocks": ["block_00", "block_01", "block_02"], "weights": "file"},
    "noise": {"blocks": ["block_00"], "weights": "random"},
    "logmel": {"blocks": [], "weights": "none"},
}
FILLED = [
    *("encoder", "readout", "depth", "probe", "control", "regime", "metric"),
    *("value", "low", "high", "interval", "n_clips", "n_groups"),
]
NEIGHBOURS = (
    *("retrieval_roc_auc", "retrieval_roc_auc_apart", "clustering_nmi", "clustering_ami"),
    *("clustering_ari", "silhouette", "knn_balanced_accuracy"),
)
BESIDE = {
    "notebook": [
        *("readout", "accuracy", "n_train", "n_test", "classes", "chance", "max_iter_reached")
    ],
    "neighbours": ["readout", "measure", "value", "excluded", "n_clips", "n_classes"],
    "shape": ["readout", "measure", "value", "low", "high", "null", "n_clips", "n_drawn"],
}
HYGIENE = {
    "rows": 44,
    "clips": 40,
    "rejected": [{"row": 7, "file": f"{UMLAUT}.wav", "reason": "not audio"}],
    "duplicate_rows": 3,
    "identical_audio": {"sets": 2, "clips": 4, "differing": {"call": 1}, "first": []},
    "missing": {"call": {"NA": 4}},
    "shared_files": [],
    "silent": [],
    "clipped": 2,
    "longer_than_header": {"files": 0, "first": []},
    "time_expansion": {},
    "sample_rates": {"44100": 40},
    "channels": {"1": 40},
    "duration_s": {"min": 0.1, "median": 0.5, "max": 2.0, "total": 60.0},
    "share_above_8khz": {"median": 0.0123, "max": 0.41},
    "channel_policy": "mean",
    "channels_differ": 0,
    "cut_at_file_end": [],
    "trimmed": None,
    "join": None,
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
            values = [(main, "none", value, *ends, kind)]
            if grouped:
                values.append(("random", "none", value + 0.1, None, None, "none"))
            if readout != "nested":
                low, high = 0.2 + step / 1000, 0.3 + step / 1000
                values.append((main, "permutation", 0.25 + step / 1000, low, high, "permutations"))
            for regime, control, *numbers in values:
                for metric in ("balanced_accuracy", "accuracy"):
                    shift = 0 if metric == "balanced_accuracy" else 0.3
                    shifted = [n if n is None else n + shift for n in numbers[:3]]
                    rows.append(
                        (encoder, readout, depth, "linear", control, regime, metric)
                        + (*shifted, numbers[3], 40, 8 if grouped else None)
                    )
    table = pd.DataFrame(rows, columns=FILLED)
    along = table["depth"].notna() & (table["control"] == "none") & (table["regime"] == main)
    table["band_low"] = (table["low"] - 0.02).where(along)
    table["band_high"] = (table["high"] + 0.02).where(along)
    return table.assign(draws_low=np.nan, draws_high=np.nan)


def contrasts(grouped: bool = True) -> pd.DataFrame:
    """Four contrasts: resolved, not resolved (one beside a name that is markup), not tested."""
    t = "t over groups"
    values = [
        ("above chance", "deep", "nested", None, "chance", 0.21, 0.11, 0.31, t)
        + (0.0001, 0.0002, True, "deep is above chance: 0.461."),
        ("above chance", "noise", "nested", None, "chance", 0.02, -0.1, 0.14, t)
        + (0.5, 0.6, False, "noise and chance: not resolved."),
        ("trained or random weights", "deep", "nested", "noise", "nested", 0.07, -0.1, 0.24, t)
        + (0.2, 0.3, False, f"deep and noise {NASTY}: not resolved."),
        ("above chance", "logmel", "features", None, "chance", 0.2, 0.1, 0.3, "range over groups")
        + (None, None, None, "not tested: too few."),
    ]
    columns = [
        *("question", "a_encoder", "a_readout", "b_encoder", "b_readout"),
        *("difference", "low", "high", "interval", "p_value", "p_holm", "resolved", "sentence"),
    ]
    table = pd.DataFrame(values if grouped else [], columns=columns)
    shared = {"a_regime": "grouped", "b_regime": "grouped", "a_control": "none"}
    shared |= {"b_control": "none", "metric": "balanced_accuracy", "n_groups": 8, "n_clips": 40}
    shared |= {"a_probe": "linear", "b_probe": "linear", "equivalent": False, "margin": 0.02}
    shared |= {"identical": False, "draws": 1, "freedom": 7.0, "p_equivalent": None}
    return table.assign(**shared, detectable=0.131)


def claims(grouped: bool = True) -> pd.DataFrame:
    """One claim of each verdict, decided by each kind of p, and one that needs no test."""
    values = [
        ("call is linearly decodable from deep", "deep", 0.314, 0.205, 0.423, 0.0003, "Holm", 0.151)
        + ("supported",),
        (f"call is linearly decodable from {NASTY}", "noise", -0.112, -0.213, -0.011, 0.033)
        + ("equivalence", 0.141, "refuted"),
        ("call is decodable from logmel", "logmel", 0.021, -0.101, 0.143, 0.6)
        + ("Holm", 0.161, "undetermined"),
        ("the last block of deep is as good", "deep", 0.0, -0.1, 0.1, None)
        + ("identity", None, "supported"),
    ]
    columns = [
        *("claim", "encoder", "value", "low", "high", "p_value", "p_kind", "detectable"),
        "verdict",
    ]
    table = pd.DataFrame(values if grouped else [], columns=columns)
    shared = {"evidence": "contrasts: above chance", "quantity": "balanced accuracy"}
    return table.assign(**shared, interval="t over groups", n_clips=40, n_groups=8)


def atlas() -> pd.DataFrame:
    """Variance explained of two targets by every readout of ``deep``."""
    rows = [
        ("deep", target, readout, float(place), 0.9 - 0.1 * place - shift, 0.1, 0.95)
        for target, shift in (("f0", 0.0), ("duration", 0.3))
        for place, readout in enumerate(readouts("deep"))
    ]
    columns = ["encoder", "target", "readout", "depth", "value", "low", "high"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(interval="t over groups", n_clips=40, n_groups=8)


def trends(grouped: bool = True) -> pd.DataFrame:
    """The task rises for ``deep`` and is not decodable for ``noise``; the acoustics of deep fall.

    As 4 readouts have a third of one readout, a trend is the last readout minus the first.
    """
    rows = [
        ("deep", "call", "task", 0.41, 0.44, 0.012, 0.048, "rises"),
        ("deep", "f0", "acoustic", 0.9, 0.6, -0.415, -0.185, "falls"),
        ("deep", ACOUSTICS, "acoustic", 0.9, 0.6, -0.425, -0.175, "falls"),
        ("deep", "duration", "nuisance", 0.6, 0.3, -0.61, 0.01, "undetermined"),
        ("noise", "call", "task", 0.47, 0.48, -0.03, 0.05, "not decodable"),
    ]
    columns = ["encoder", "target", "kind", "early", "late", "low", "high", "direction"]
    table = pd.DataFrame(rows if grouped else [], columns=columns)
    table = table.assign(value=table["late"] - table["early"], interval="t over groups")
    table = table.assign(random_weights=table["encoder"] == "noise", p_value=0.01, p_level=0.9)
    shared = {"readouts_each": 1, "error": 0.05, "freedom": 7.0, "varies": True, "margin": 0.02}
    return table.assign(**shared, n_clips=40, n_groups=8)


def depths(grouped: bool = True) -> pd.DataFrame:
    """Onset of ``deep``, and its blocks that may be best."""
    rows = [
        ("deep", "onset", "block_01", -0.004, -0.015, 0.007, "t over groups"),
        ("deep", "confidence set", "block_01, block_02", None, None, None, "none"),
    ]
    columns = ["encoder", "measure", "readouts", "value", "low", "high", "interval"]
    table = pd.DataFrame(rows if grouped else [], columns=columns)
    return table.assign(margin=0.02, n_groups=8)


def robustness(grouped: bool = True) -> pd.DataFrame:
    """What two other definitions of depth say of ``deep``: one agrees, one is undefined."""
    rows = [
        ("deep", "centre of gravity", 0.71, 0.34, 0.37, 0.221, 0.512, "supported"),
        ("deep", "rank correlation", 0.8, None, None, None, None, "undetermined"),
    ]
    columns = [
        *("encoder", "definition", "task", "acoustics", "difference", "low", "high", "verdict")
    ]
    table = pd.DataFrame(rows if grouped else [], columns=columns)
    return table.assign(n_targets=1, n_groups=8)


def recommendation(grouped: bool = True) -> pd.DataFrame:
    """Block 1 of ``deep`` is recommended, with two warnings."""
    ends = (0.409, 0.522) if grouped else (None, None)
    row = {
        **{"encoder": "deep", "readout": "block_01", "folds_chosen": 7, "folds": 10},
        **{"value": 0.46, "low": ends[0], "high": ends[1]},
        "interval": "t over groups" if grouped else "none",
        **{"last_readout": "block_02", "last_value": 0.44, "last_low": ends[0]},
        **{"last_high": ends[1], "clips_a_class": 4, "clips_value": 0.45, "n_clips": 40},
        "n_groups": 8 if grouped else None,
        **{"recommended": True, "sentence": f"Use block 1 of deep for {NASTY}: 0.46."},
        "beware": "Only 8 groups.\nlogmel was not shown to be worse.",
    }
    other = row | {"encoder": "logmel", "readout": "features", "recommended": False}
    return pd.DataFrame([row, other | {"sentence": None, "beware": ""}])


def erasure() -> pd.DataFrame:
    """One column erased from ``deep``, and one that could not be."""
    numbers = ("value", "low", "high", "against_value", "difference")
    rows = [
        ("deep", readout, place, UMLAUT, against)
        + (0.41 + place / 100, 0.31, 0.52, (0.5 if against == "nothing erased" else 0.45), -0.09)
        for place, readout in enumerate(readouts("deep"))
        for against in ("nothing erased", "shuffled within classes")
    ]
    rows.append((None, None, None, NASTY, None, *[None] * len(numbers)))
    columns = ["encoder", "readout", "depth", "column", "against", *numbers]
    table = pd.DataFrame(rows, columns=columns)
    why = f"{NASTY} was not erased for call."
    sentences = np.where(table["encoder"].isna(), why, None)
    return table.assign(interval="t over groups", sentence=sentences, n_clips=40, n_groups=8)


def weights() -> pd.DataFrame:
    """Learned weights of the blocks of ``deep``."""
    rows = [
        ("deep", "linear", f"block_0{n}", w, w - 0.1, w + 0.1, 0.4, -0.512, 10)
        for n, w in enumerate((0.213, 0.287, 0.5))
    ]
    columns = ["encoder", "probe", "readout", "weight", "low", "high", "score"]
    columns += ["rank_correlation", "n_fits"]
    return pd.DataFrame(rows, columns=columns)


def samples(grouped: bool = True) -> pd.DataFrame:
    """Every readout with 1, 2 and 4 clips of each class."""
    rows = []
    for encoder, facts in ENCODERS.items():
        own = readouts(encoder)
        for place, readout in enumerate([*own, *(["nested"] if facts["blocks"] else [])]):
            depth = float(place) if facts["blocks"] and readout in own else None
            for size in (1, 2, 4):
                value = 0.3 + size / 50 + place / 200
                rows.append((encoder, readout, depth, size, value, value - 0.03, value + 0.04))
    columns = ["encoder", "readout", "depth", "clips_a_class", "value", "low", "high"]
    table = pd.DataFrame(rows, columns=columns).assign(draws=5, n_clips=40, sentence=None)
    if grouped:
        return table.assign(interval="t over groups", n_groups=8)
    return table.assign(interval="none", n_groups=None, low=np.nan, high=np.nan)


def beside(kind: str, encoder: str) -> pd.DataFrame:
    """One encoder's table of the notebook's protocol, of neighbours or of shape."""
    step = list(ENCODERS).index(encoder) / 100
    rows = []
    for place, readout in enumerate(readouts(encoder)):
        value = 0.31 + step + place / 1000
        if kind == "notebook":
            rows.append((readout, value, 32, 8, 4, 0.25, place == 0))
        elif kind == "neighbours":
            rows += [
                (readout, measure, value + n / 50, "recording" if n == 1 else "none", 40, 4)
                for n, measure in enumerate(NEIGHBOURS)
            ]
        else:
            rows += [
                (readout, measure, value + n, value + n - 0.1, value + n + 0.1, value + 2, 40, 30)
                for n, measure in enumerate(
                    ("effective_rank", "participation_ratio", "mean_cosine")
                )
            ]
    return pd.DataFrame(rows, columns=BESIDE[kind])


def similarity() -> pd.DataFrame:
    """Likeness of every two readouts of all encoders."""
    every = [(encoder, readout) for encoder in ENCODERS for readout in readouts(encoder)]
    rows = [(*a, *b, 1.0 if a == b else 0.4, 40) for a in every for b in every]
    columns = ["a_encoder", "a_readout", "b_encoder", "b_readout", "cka", "n_clips"]
    return pd.DataFrame(rows, columns=columns)


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
        described = {
            **{"encoder": name, "family": "beats", "rate": 16000, "readouts": readouts(name)},
            **{"blocks": facts["blocks"], "weights": facts["weights"], "context_s": None},
            **{"weights_sha256": None if facts["weights"] == "none" else "ab12" * 16},
            **{"precision": "fp32", "device": "cpu", "versions": {"torch": "2.12.1"}},
            **{"clips": 40, "padded": 5, "windowed": 0, "audio_s": 60.0, "seconds": 93.4},
        }
        write_json(described, folder / "encoder.json")
        table = pa.table({"clip_id": ["a"]})
        write_table(table, folder / f"{readouts(name)[0]}.parquet", {"code": f"code-{name}"})
        encoders[name] = {"dirs": {dataset: str(folder)}}
    group = "bird" if grouped else None
    regimes = ["grouped", "random"] if grouped else ["random"]
    counts = {"clips": 10, "groups": 8 if grouped else None}
    folds = {
        **{"target": "label", "group": group, "clips": 40, "groups": counts["groups"]},
        **{"classes": dict.fromkeys(CLASSES, counts), "empty_labels": 4, "chance": 0.25},
        **{"recordings": None, "regimes": regimes, "regimes_left_out": {}},
        "left_out": [{"label": "rare <i>", "clips": 1, "groups": 1, "why": "fewer than 10 clips"}],
        "near_duplicates": [["Hiss", "hiss "]],
        "identical_across_groups": [],
        "identical_across_labels": [],
        "near_duplicate_groups": [],
        "drawn_from": None,
    }
    facts = folds | {
        **{"folds": 5, "repeats": 2, "permutations": 10, "control_tasks": 5, "margin": 0.02},
        **{"at_edge": dict.fromkeys(ENCODERS, 3), "not_converged": dict.fromkeys(ENCODERS, 1)},
        **{"outer_fits": dict.fromkeys(ENCODERS, 50), "nested": {"deep": {"block_01": 7}}},
        "draws": {},
    }
    answers_by_name = {
        "estimates": estimates(grouped) if estimate_rows is None else estimate_rows,
        "contrasts": contrasts(grouped) if contrast_rows is None else contrast_rows,
        **{"claims": claims(grouped), "explained_variance": atlas(), "trends": trends(grouped)},
        **{"depths": depths(grouped), "robustness": robustness(grouped)},
        **{"layer_weights": weights(), "erasure": erasure(), "samples": samples(grouped)},
        "recommendation": recommendation(grouped),
    }
    answers = results / "answers" / dataset / "call"
    provenance = {
        "stage": "inference.infer",
        "code": "c0de",
        "key": "k",
        "versions": {"scipy": "1"},
    }
    for name, table in answers_by_name.items():
        path = answers / f"{name}.parquet"
        write_table(pa.Table.from_pandas(table, preserve_index=False), path, provenance)
    write_json(facts, answers / "summary.json")
    names = {"dataset": dataset, "task": "call"}
    rows = verdicts.of_task(answers_by_name["trends"], answers_by_name["depths"])
    rows = verdicts.over_run([names | row for row in rows])
    over_run = results / verdicts.TABLE
    write_table(pa.Table.from_pylist(rows, schema(verdicts.TABLE)), over_run, provenance)
    folds_json = results / "folds" / dataset / "call.json"
    write_json(folds, folds_json)
    hygiene = results / "corpus" / dataset / "hygiene.json"
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
    write_table(pa.table(columns), folds_json.with_suffix(".parquet"), {})
    further: dict[str, dict[str, str]] = {}
    for kind in BESIDE:
        for name in ENCODERS:
            path = results / kind / name / dataset / "table.parquet"
            table = pa.Table.from_pandas(beside(kind, name), preserve_index=False)
            write_table(table, path, provenance)
            further.setdefault(kind, {})[name] = str(path)
    alike = results / "similarity" / f"{dataset}.parquet"
    write_table(pa.Table.from_pandas(similarity(), preserve_index=False), alike, provenance)
    folder = results / "figures" / dataset
    return {
        "datasets": {
            dataset: {
                "source": source,
                "chorus": {"confounded": False} if source == "chorus" else None,
                "archive": None,
                "instead": None,
                "clips": None,
                "hygiene": str(hygiene),
                "similarity": str(alike),
                "shape": further["shape"],
                "stems": {name: str(folder / name) for name in figures.of("dataset")},
                "tasks": {
                    "call": {
                        "role": "target",
                        "answers": str(answers),
                        "folds_json": str(folds_json),
                        "confounds": None,
                        "notebook": further["notebook"],
                        "neighbours": further["neighbours"],
                        "stems": {
                            name: str(folder / "call" / name) for name in figures.of("target")
                        },
                        "umap": {"deep": str(folder / "deep" / "umap_call")},
                    }
                },
            }
        },
        "encoders": encoders,
        "verdicts": str(over_run),
        "unfinished": None,
        "config": {"run": {"datasets": [dataset]}, "title": UMLAUT},
    }


def folders(index: dict, dataset: str = "zoo") -> dict[str, str]:
    return {name: entry["dirs"][dataset] for name, entry in index["encoders"].items()}


def build(module, data, *tables):
    """The figure of a module of `stratavox.report.figures` as data."""
    name = module.__name__.rpartition(".")[2]
    needs = figures.facts()[name].needs
    return figures.build(name, data, dict(zip(needs, tables, strict=True)), PLACES)


def on_paper(module, data, *tables):
    """The figure as matplotlib draws it."""
    return paper.draw(build(module, data, *tables))


def on_screen(module, data, *tables):
    """The figure as plotly draws it; refuses what plotly does not know."""
    return go.Figure(screen.draw(build(module, data, *tables)))


def words(figure) -> str:
    """All text of a figure on paper, lines joined."""
    return " ".join(" ".join(text.get_text() for text in figure.findobj(Text)).split())


def by_gid(figure, gid: str) -> Line2D:
    """The first line of a figure on paper that has this id."""
    return next(line for line in figure.findobj(Line2D) if line.get_gid() == gid)
