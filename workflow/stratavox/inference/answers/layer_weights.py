"""The learned weights of the fusions ``weighted``, with the score of each block alone.

A weight does not measure importance: blocks that hold the same information can share it in any
way. The rank correlation with the scores of single blocks shows how far weights and scores differ.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from stratavox.inference.study import Key, Study


def rows(study: Study) -> list[dict]:
    """Mean weight of each block over the fits of the strictest regime, and how far fits differ.

    ``low`` and ``high`` are the range over all fits, ``over_folds`` the standard deviation over
    folds of the mean over seeds, ``over_seeds`` that over the seeds of a fold. ``score`` is the
    balanced accuracy of the block's linear probe. ``rank_correlation`` (Spearman) of weights and
    scores is the same in all rows of an encoder and a probe.
    """
    rows = []
    for encoder in study.encoders:
        # a random draw is one more fold
        tables = [
            table.assign(draw=name)
            for source in (study.layer_weights, study.block_weights)
            for name in encoder.members
            if (table := source.get(name)) is not None
        ]
        table = pd.concat(tables)
        table = table[table["regime"] == study.regime]
        if "probe" not in table:
            table = table.assign(probe="linear", seed=0)
        table = table.fillna({"probe": "linear", "seed": 0})
        keys = {block: Key(encoder.name, block, regime=study.regime) for block in encoder.blocks}
        for probe, fits in table.groupby("probe", sort=False):
            # rounded: equal scores may differ in the last bits, and would be ranked
            scores = {block: round(study.correct[key].value, 12) for block, key in keys.items()}
            rows += _of_probe(encoder.name, probe, fits, scores)
    return rows


def _of_probe(encoder: str, probe: str, fits: pd.DataFrame, scores: dict[str, float]) -> list[dict]:
    means = fits.groupby("readout")["weight"].mean()
    rank = np.nan
    if len(set(scores.values())) > 1:
        rank = spearmanr([means[block] for block in scores], list(scores.values())).statistic
    rows = []
    for block, score in scores.items():
        own = fits[fits["readout"] == block]
        folds = own.groupby(["draw", "repeat", "fold"])["weight"]
        over_seeds = np.sqrt(folds.var(ddof=1).mean())
        spread = {"over_folds": folds.mean().std(ddof=1), "over_seeds": over_seeds}
        rows.append(
            {
                "encoder": encoder,
                "probe": probe,
                "readout": block,
                "weight": means[block],
                "low": own["weight"].min(),
                "high": own["weight"].max(),
                **{name: float(sd) if np.isfinite(sd) else None for name, sd in spread.items()},
                "score": score,
                "rank_correlation": float(rank) if np.isfinite(rank) else None,
                "n_fits": len(own),
            }
        )
    return rows
