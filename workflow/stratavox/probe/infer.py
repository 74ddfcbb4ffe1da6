"""Estimates with intervals over groups, and planned contrasts, from the probes of one task.

Reads the scores, predictions and encoder.json of every encoder of the run on one task; writes
estimates (one row an encoder, readout, control, regime and metric), contrasts (what was planned to
be compared, before any score was seen) and a JSON of counts.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa

from stratavox import stage, stats, tables
from stratavox.errors import run
from stratavox.probe.contrasts import CONTRASTS, planned

ESTIMATES = pa.schema(
    [
        ("encoder", pa.string()),
        ("readout", pa.string()),
        ("depth", pa.float64()),
        ("probe", pa.string()),
        ("control", pa.string()),
        ("regime", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("interval", pa.string()),
        ("n_clips", pa.int32()),
        ("n_groups", pa.int32()),
    ]
)


def main() -> None:
    parser = stage.parser(__doc__)
    parser.add_argument("--folds-summary", required=True, help="folds.json of the task")
    parser.add_argument("--scores", required=True, nargs="+", help="one file an encoder")
    parser.add_argument("--predictions", required=True, nargs="+", help="in the same order")
    parser.add_argument("--encoders", required=True, nargs="+", help="each one's encoder.json")
    parser.add_argument("--out-estimates", required=True)
    parser.add_argument("--out-contrasts", required=True)
    parser.add_argument("--out-summary", required=True)
    options = parser.parse_args()
    task = tables.read_json(options.folds_summary)
    encoders = [tables.read_json(path) for path in options.encoders]
    rows: list[dict] = []
    recalls: dict[tuple[str, str], stats.Recall] = {}
    summary = task | {
        key: options.settings[key] for key in ("folds", "inner_folds", "repeats", "permutations")
    }
    summary |= {"at_edge": {}, "not_converged": {}, "outer_fits": {}, "nested": {}}
    for encoder, score_path, prediction_path in zip(
        encoders, options.scores, options.predictions, strict=True
    ):
        name = encoder["encoder"]
        scores = tables.read_table(score_path).to_pandas()
        predictions = tables.read_table(prediction_path).to_pandas()
        rows += [
            {"encoder": name, "depth": depth(encoder, row["readout"]), **row}
            for row in estimates(scores, predictions, recalls, name)
        ]
        _count_fits(summary, name, scores, encoder["blocks"])
    contrasts = planned(encoders, recalls, task["chance"])
    frame = pd.DataFrame(rows)
    tables.write_table(
        pa.Table.from_pandas(frame, schema=ESTIMATES, preserve_index=False),
        options.out_estimates,
        options.provenance,
    )
    tables.write_table(
        pa.Table.from_pylist(contrasts, schema=CONTRASTS), options.out_contrasts, options.provenance
    )
    tables.write_json(summary, options.out_summary)


def depth(encoder: dict, readout: str) -> float | None:
    """0 for what enters the first block, 1 for that block's output; None for any other readout."""
    if readout in encoder["blocks"]:
        return 1.0 + encoder["blocks"].index(readout)
    return 0.0 if readout == "input" and encoder["blocks"] else None


def estimates(
    scores: pd.DataFrame,
    predictions: pd.DataFrame,
    recalls: dict[tuple[str, str], stats.Recall],
    encoder: str,
) -> list[dict]:
    """One row a readout, control, regime and metric; fills ``recalls`` for the grouped regime."""
    pooled = scores[scores["fold"].isna()]
    rows = []
    keys = ["readout", "probe", "control", "regime", "metric"]
    for key, part in pooled.groupby(keys, sort=False):
        row = dict(zip(keys, key, strict=True))
        told = predictions[
            (predictions["readout"] == row["readout"]) & (predictions["regime"] == row["regime"])
        ]
        row |= {"n_clips": told["clip_id"].nunique(), "n_groups": None}
        value = float(part["value"].mean())
        found = stats.Interval(value, None, None, "none")
        if row["control"] == "permutation":
            low, high = np.quantile(part["value"], [0.025, 0.975])
            found = stats.Interval(value, float(low), float(high), "permutations")
        elif row["regime"] == "grouped":
            row["n_groups"] = told["group"].nunique()
            if row["metric"] == "balanced_accuracy":
                recall = _recall(told)
                recalls[encoder, row["readout"]] = recall
                found = stats.interval(recall)
        row |= {
            "value": found.value,
            "low": found.low,
            "high": found.high,
            "interval": found.kind,
        }
        rows.append(row)
    return rows


def _recall(predictions: pd.DataFrame) -> stats.Recall:
    """Counts over clips, each clip's correctness averaged over the repeats."""
    correct = predictions.assign(correct=predictions["predicted"] == predictions["target"])
    clips = correct.groupby("clip_id", sort=True).agg(
        correct=("correct", "mean"), target=("target", "first"), group=("group", "first")
    )
    return stats.Recall.of(
        clips["correct"].to_numpy(float),
        clips["target"].to_numpy(str),
        clips["group"].to_numpy(str),
    )


def _count_fits(summary: dict, encoder: str, scores: pd.DataFrame, blocks: list[str]) -> None:
    fits = scores[
        scores["fold"].notna()
        & (scores["metric"] == "balanced_accuracy")
        & (scores["readout"] != "nested")
    ]
    summary["outer_fits"][encoder] = len(fits)
    summary["at_edge"][encoder] = int(fits["at_edge"].astype(bool).sum())
    summary["not_converged"][encoder] = int((~fits["converged"].astype(bool)).sum())
    if blocks:
        strict = "grouped" if "grouped" in set(scores["regime"]) else "random"
        fits = fits[fits["readout"].isin(blocks) & (fits["regime"] == strict)]
        best = fits.loc[fits.groupby(["repeat", "fold"])["inner_log_loss"].idxmin(), "readout"]
        summary["nested"][encoder] = dict(Counter(best).most_common())


if __name__ == "__main__":
    run(main)
