"""What a careful user writes by hand over the notebook's .npy files: nested, grouped grid search.

Scikit-learn's own classes alone: GridSearchCV over a standardised logistic regression inside
cross_val_score, groups held out in both, balanced accuracy.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import warnings
from pathlib import Path

import numpy as np
from sklearn import set_config
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.peer_notebook import draw, layers

# As many as Stratavox's defaults, though its own repeats, controls and fusions are not made here.
FOLDS, INNER_FOLDS = 5, 3
C_GRID = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, required=True, help="folder with clips.csv")
    parser.add_argument("--npy", type=Path, required=True, help="the notebook's")
    parser.add_argument("--out", type=Path, required=True, help="the curve, .png")
    options = parser.parse_args()
    with open(options.clips / "clips.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    target, group = (np.array([row[name] for row in rows]) for name in ("label", "group"))
    # told to processes of their own, which the filter of this one does not reach
    os.environ["PYTHONWARNINGS"] = "ignore"
    warnings.simplefilter("ignore")
    paths = [Path(row["file"]) for row in rows]
    curve = [probe(x, target, group) for x in layers(options.npy, paths)]
    draw([scores.mean() for scores in curve], options.out)
    print(json.dumps({"layers": len(curve), "last": curve[-1].mean()}))


def probe(x: np.ndarray, target: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Balanced accuracy of each outer fold."""
    set_config(enable_metadata_routing=True)  # so that the inner split learns the groups
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        {"logisticregression__C": C_GRID},
        cv=StratifiedGroupKFold(INNER_FOLDS, shuffle=True, random_state=0),
        scoring="neg_log_loss",
    )
    outer = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    return cross_val_score(
        search,
        x,
        target,
        cv=outer,
        scoring="balanced_accuracy",
        n_jobs=-1,
        params={"groups": group},
    )


if __name__ == "__main__":
    main()
