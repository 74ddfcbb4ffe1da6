"""The score that a few labelled clips of each class reach, by readout.

A clip's correctness is averaged over the draws and repeats of the stage probe.samples. The readout
``nested`` is in each outer fold the block chosen in training by the linear probe on all training
clips, so it is not picked by the scores that are shown; someone with few clips cannot choose it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from stratavox import words
from stratavox.inference.answers.estimates import depth
from stratavox.inference.measures import Balanced
from stratavox.inference.study import Encoder, Key, Study

# The number of clips a class that the sentence quotes, or the largest there is below it.
QUOTED = 8


def rows(study: Study) -> list[dict]:
    """A row for each encoder, readout and number of clips; none where few clips were not probed.

    ``sentence`` is in one row of each encoder.
    """
    if not study.samples:
        return []
    return [row for encoder in study.encoders for row in _of_encoder(study, encoder)]


def _of_encoder(study: Study, encoder: Encoder) -> Iterator[dict]:
    drawn = [_measures(study, name) for name in encoder.members]
    measures = {key: Balanced.mean([one[key] for one in drawn]) for key in drawn[0]}
    if not measures:
        return
    shown = encoder.compared
    quoted = max(size for readout, size in measures if readout == shown and size <= QUOTED)
    estimates = {key: study.score(measure) for key, measure in measures.items()}
    for (readout, size), estimate in estimates.items():
        yield {
            "encoder": encoder.name,
            "readout": readout,
            "depth": depth(encoder, readout),
            "clips_a_class": size,
            "draws": int(study.samples[encoder.members[0]]["draws"].iloc[0]),
            **estimate.bounds(),
            "n_clips": int(measures[readout, size].clips.sum()),
            "n_groups": study.groups.n if study.groups is not None else None,
            "sentence": _sentence(study, encoder, readout, quoted, estimates)
            if (readout, size) == (shown, quoted)
            else None,
        }


def _measures(study: Study, name: str) -> dict[tuple[str, int], Balanced]:
    """Class-balanced correctness of one encoder by readout and clips a class, in that order."""
    table = study.samples[name]
    nested = table.merge(study.chosen([name])).assign(readout="nested")
    table = pd.concat([table, nested])
    names, classes = study.group_names or [""], sorted(table["target"].unique())
    cells = table.groupby(["readout", "clips_a_class"], sort=False)
    group = pd.Index(names).get_indexer(table["group"].fillna(""))
    target = pd.Index(classes).get_indexer(table["target"])
    sums = np.zeros((len(cells), len(names) + 1, len(classes), 2))  # the last: in no group of these
    np.add.at(sums, (cells.ngroup(), group, target), table[["correct", "n_clips"]].to_numpy())
    repeats = cells["repeat"].nunique()
    of_groups = sums[:, :-1] / repeats.to_numpy()[:, None, None, None]
    return {
        key: Balanced(each[..., 0], each[..., 1])
        for key, each in zip(repeats.index, of_groups, strict=True)
    }


def _sentence(study: Study, encoder: Encoder, readout: str, quoted: int, estimates: dict) -> str:
    named, whole = encoder.name, study.correct[Key(encoder.name, readout, regime=study.regime)]
    if encoder.blocks:
        often = words.most_often(study.chosen(encoder.members)["readout"])
        named += f", {words.READOUTS[readout]} ({often})"
    scores = {
        f"{words.count(size, 'clip')} of each class": estimates[readout, size]
        for size in sorted({1, quoted})
    }
    scores["all training clips"] = study.score(whole)
    parts = [f"{words.estimate(estimate)} with {clips}" for clips, estimate in scores.items()]
    kind = words.INTERVALS_SHORT[estimates[readout, quoted].kind]
    return (
        f"{named}: balanced accuracy {', '.join(parts)} ({kind}); chance "
        f"{words.number(study.chance)}."
    )
