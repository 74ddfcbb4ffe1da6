"""The learned weights of the fusion ``weighted``, with the score of each block alone.

A weight does not measure importance: blocks that hold the same information can share it in any
way. The rank correlation with the scores of single blocks shows how far weights and scores differ.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from stratavox.inference.study import Key, Study


def rows(study: Study) -> list[dict]:
    """Mean weight of each block over the outer folds of the strictest regime, and their range.

    ``score`` is the block's balanced accuracy. ``rank_correlation`` (Spearman) of weights and
    scores is the same in all rows of an encoder.
    """
    rows = []
    for encoder in study.encoders:
        table = pd.concat([study.layer_weights[name] for name in encoder.members])
        table = table[table["regime"] == study.regime]
        if table.empty:
            continue
        folds = table.groupby("readout")["weight"]
        keys = {block: Key(encoder.name, block, regime=study.regime) for block in encoder.blocks}
        # rounded: equal scores may differ in the last bits, and would be ranked
        scores = {block: round(study.correct[key].value, 12) for block, key in keys.items()}
        means = folds.mean()
        rank = np.nan
        if len(set(scores.values())) > 1:
            rank = spearmanr([means[b] for b in scores], list(scores.values())).statistic
        rows += [
            {
                "encoder": encoder.name,
                "readout": block,
                "weight": means[block],
                "low": folds.min()[block],
                "high": folds.max()[block],
                "score": score,
                "rank_correlation": float(rank) if np.isfinite(rank) else None,
                "n_fits": int(folds.size()[block]),
            }
            for block, score in scores.items()
        ]
    return rows
