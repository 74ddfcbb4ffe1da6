"""Which encoder training chooses, fold by fold, and what its choices score on held-out clips.

In each outer fold (and repeat) the candidate with the least inner loss is taken; its inner
folds are the same for all. The best of several scores would be too high (Cawley & Talbot 2010, J.
Machine Learning Research 11:2079-2107, section 5; Varma & Simon 2006, BMC Bioinformatics 7:91).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from stratavox.inference.measures import Balanced, Predicted
from stratavox.inference.study import Encoder, Key, Study


@dataclass(frozen=True)
class Choice:
    """The candidate that training chose in each fold, and the one chosen in most (``encoder``).

    ``winners``: its name by repeat and fold. ``measure``: that of the choice on the clips that were
    held out.
    """

    encoder: Encoder
    winners: pd.Series
    measure: Balanced | Predicted

    @classmethod
    def of(cls, study: Study, candidates: list[Encoder]) -> Choice:
        losses = pd.DataFrame(
            {
                one.name: study.of_folds(key(study, one, one.compared), "inner_log_loss")
                for one in candidates
            }
        )
        winners, loss = losses.idxmin(axis="columns").rename("encoder"), losses.mean()
        most = max(candidates, key=lambda one: ((winners == one.name).sum(), -loss[one.name]))
        return cls(most, winners, _of_winners(study, winners))

    @property
    def folds(self) -> int:
        return len(self.winners)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Candidate -> folds in which training chose it, most first."""
        return self.winners.value_counts().to_dict()


def key(study: Study, encoder: Encoder, readout: str) -> Key:
    """Where a readout's linear probe was scored in the strictest regime."""
    return Key(encoder.name, readout, regime=study.regime)


def _of_winners(study: Study, winners: pd.Series) -> Balanced | Predicted:
    """Each held-out clip as its fold's winner has it, averaged over repeats as in `Study.add`."""
    names = winners.unique()
    tested = pd.concat([study.tested[name].assign(encoder=name) for name in names])
    own = tested.merge(winners.reset_index(), on=["repeat", "fold", "encoder"])
    scoring = study.kind.module("inference")
    return scoring.measures(scoring.clips(own, []))["correct"]
