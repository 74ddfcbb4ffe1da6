"""What the probes of one task measured, by encoder, readout, probe, control and regime."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from stratavox import words
from stratavox.inference.groups import Bounds, Groups, Interval, interval
from stratavox.inference.measures import Balanced, Explained, Predicted
from stratavox.probe import kinds

PERMUTED = "permutation"


class Key(NamedTuple):
    """Where a measure was taken; ``encoder`` may be the name that several random draws share."""

    encoder: str
    readout: str
    probe: str = "linear"
    control: str = "none"
    regime: str = "grouped"


class Place(NamedTuple):
    """Which acoustic target was predicted from which readout."""

    encoder: str
    target: str
    readout: str


@dataclass
class Encoder:
    """An encoder of the run, or the random draws of one taken together.

    ``description`` is its encoder.json (of the first draw); ``members`` the encoders it stands for.
    """

    name: str
    description: dict
    members: list[str]

    @property
    def blocks(self) -> list[str]:
        return self.description["blocks"]

    @property
    def untrained(self) -> bool:
        """Whether nothing has trained its weights."""
        return self.description["weights"] in words.UNTRAINED

    def twin_of(self, other: Encoder) -> bool:
        """Whether it is ``other`` without what training gave it.

        Permuted weights must be those of the other's file.
        """
        own, trained = self.description, other.description
        return (
            self.untrained
            and not other.untrained
            and self.architecture == other.architecture
            and (own["weights"] != "permuted" or own["weights_sha256"] == trained["weights_sha256"])
        )

    @property
    def compared(self) -> str:
        """The readout that stands for it: the block chosen in training, or its only one."""
        return "nested" if self.blocks else self.description["readouts"][0]

    @property
    def curve(self) -> list[str]:
        """The readouts that have a depth, in order of depth."""
        return [name for name in ("input", *self.blocks) if name in self.description["readouts"]]

    @property
    def architecture(self) -> tuple:
        """Family, kind of model, rate and the blocks' widths.

        Without ``model``, which may name weights, and without readouts inside blocks.
        """
        about = self.description
        widths = {block: about["widths"][block] for block in self.blocks}
        return about["family"], about["kind"], about["rate"], widths


@dataclass
class Study:
    """All measures of one task.

    ``task`` is the JSON of its folds, ``settings`` those of the stage; ``groups`` is None where
    they are unknown. ``scores``, ``atlases``, ``layer_weights``, ``block_weights`` (of probes on
    tokens) and ``samples`` are tables of the probes, all but the first by encoder. ``correct`` are
    the measures of the kind's metric, such as balanced accuracy, and ``bits`` those of classes
    alone; ``seeded`` has the parts of a score by seed and fold (`_of_seeds`); ``tested`` are the
    scored clips, by encoder, repeat and fold (`Encoder.compared`, in the strictest regime);
    ``erased`` are the columns of probe.erasure; ``answers`` are the rows of the tables of answers
    computed so far.
    """

    task: dict
    encoders: list[Encoder]
    settings: dict
    scores: pd.DataFrame | None = None
    atlases: dict[str, pd.DataFrame] = field(default_factory=dict)
    layer_weights: dict[str, pd.DataFrame] = field(default_factory=dict)
    block_weights: dict[str, pd.DataFrame] = field(default_factory=dict)
    samples: dict[str, pd.DataFrame] = field(default_factory=dict)
    tested: dict[str, pd.DataFrame] = field(default_factory=dict)
    correct: dict[Key, Balanced | Predicted] = field(default_factory=dict)
    bits: dict[Key, Balanced] = field(default_factory=dict)
    seeded: dict[Key, np.ndarray] = field(default_factory=dict)
    explained: dict[Place, Explained] = field(default_factory=dict)
    groups: Groups | None = None
    group_names: list[str] = field(default_factory=list)
    erased: list[dict] = field(default_factory=list)
    answers: dict[str, list[dict]] = field(default_factory=dict)

    @property
    def regime(self) -> str:
        """The strictest regime, which the answers are about."""
        return self.task["regimes"][0]

    @property
    def kind(self) -> kinds.Kind:
        return kinds.of(self.task)

    @property
    def bounds(self) -> Bounds:
        """How the score of this kind of task is bounded."""
        return self.kind.module("inference").BOUNDS

    @property
    def metric(self) -> str:
        """The metric that the answers are about, in words."""
        return words.METRICS[self.kind.metric]

    @property
    def chance(self) -> float:
        return self.task["chance"]

    def named(self, encoder: str) -> Encoder:
        """The encoder, or the draws taken together, of this name."""
        return next(one for one in self.encoders if one.name == encoder)

    def add(self, encoder: str, predictions: pd.DataFrame) -> None:
        """Count one encoder's out-of-fold predictions; a clip's repeats are averaged."""
        own, known = self.kind.module("inference"), predictions["group"].notna().all()
        group = predictions["group"] if known else predictions["clip_id"]
        scored = own.scored(predictions.assign(group=group))
        self._keep_folds(encoder, scored, own.COLUMNS)
        parts = ["readout", "probe", "control", "regime"]
        for cell, part in own.clips(scored, parts).groupby(level=parts, sort=False):
            key = Key(encoder, *cell)
            for name, measure in own.measures(part).items():
                getattr(self, name)[key] = measure
            if "seed" in scored:
                self.seeded[key] = _of_seeds(scored, parts, cell)
            if known and self.groups is None:
                self.groups = Groups.of(self.correct[key].clips)
                self.group_names = sorted(set(part["group"]))

    def _keep_folds(self, encoder: str, scored: pd.DataFrame, columns: tuple[str, ...]) -> None:
        unit = next(one for one in self.encoders if encoder in one.members)
        own = scored[
            (scored["readout"] == unit.compared)
            & (scored["probe"] == "linear")
            & (scored["control"] == "none")
            & (scored["regime"] == self.regime)
        ]
        if len(own):
            kept = ["repeat", "fold", "clip_id", "target", "group", *columns]
            self.tested[encoder] = own[kept]

    def add_atlas(self, encoder: str, atlas: pd.DataFrame) -> None:
        """Count one encoder's atlas: its squared errors by group, in the order of the groups.

        Needs the groups, which `add` takes from the predictions.
        """
        self.atlases[encoder] = atlas
        cells, names = atlas.groupby(["target", "readout"], sort=False), self.group_names or [""]
        group = pd.Index(names).get_indexer(atlas["group"].fillna(""))
        errors = np.zeros((len(cells), len(names) + 1, 2))  # the last: in no group of these
        np.add.at(errors, (cells.ngroup(), group), atlas[["sse", "sst"]].to_numpy())
        for cell, (sse, sst) in zip(cells.size().index, errors[:, :-1].swapaxes(1, 2), strict=True):
            self.explained[Place(encoder, *cell)] = Explained(sse, sst)

    def pool_draws(self) -> None:
        """Add the mean over the random draws of each encoder that has several."""
        for encoder in self.encoders:
            if len(encoder.members) < 2:
                continue
            for measures in (self.correct, self.bits, self.explained):
                for key in [key for key in measures if key.encoder == encoder.members[0]]:
                    drawn = [measures[key._replace(encoder=name)] for name in encoder.members]
                    measures[key._replace(encoder=encoder.name)] = type(drawn[0]).mean(drawn)
            for key in [key for key in self.seeded if key.encoder == encoder.members[0]]:
                drawn = [self.seeded[key._replace(encoder=name)] for name in encoder.members]
                self.seeded[key._replace(encoder=encoder.name)] = np.hstack(drawn) / len(drawn)

    def beside_seeds(self, estimate: Interval, a: Key, b: Key | None = None) -> Interval:
        """The score of ``a``, or its difference to ``b``, with the error of a mean over few seeds.

        Seeds are a random factor beside the groups. The probes of two folds have seeds of their
        own, so the variance of the mean is the sum of those of the folds' parts of the score, each
        with one degree of freedom fewer than there are seeds (Satterthwaite 1946, as in `Interval`,
        for the sum). Some of it is in the groups' error too, so the interval is rather too wide.
        """
        if a not in self.seeded:
            return estimate
        parts = self.seeded[a] - self.seeded[b] if b in self.seeded else self.seeded[a]
        variance = parts.var(axis=0, ddof=1) / len(parts)
        if not variance.any():
            return estimate
        freedom = (len(parts) - 1) * variance.sum() ** 2 / np.square(variance).sum()
        wider = estimate.beside(float(np.sqrt(variance.sum())), float(freedom))
        if b is None:
            wider = replace(wider, low=max(0.0, wider.low), high=min(1.0, wider.high))
        return wider

    def score(self, measure: Balanced | Predicted) -> Interval:
        """A score in the strictest regime, with bounds where groups are known."""
        if self.groups is None or self.regime == "random":
            return Interval(measure.value)
        return interval(measure, self.groups, self.bounds)

    def chosen(self, encoders: list[str], control: str = "none") -> pd.DataFrame:
        """The block chosen in training (readout) in each fold of each of ``encoders``.

        ``regime``, ``repeat`` and ``fold`` are the other columns; the regime is the strictest.
        """
        rows = self.scores
        rows = rows[
            rows["encoder"].isin(encoders)
            & (rows["chosen"] == True)  # noqa: E712
            & (rows["control"] == control)
            & (rows["regime"] == self.regime)
            & (rows["metric"] == self.kind.metric)
        ]
        return rows[["readout", "regime", "repeat", "fold"]]

    def null(self, encoder: Encoder) -> Interval:
        """The score without information: the mean under permuted labels, and its error.

        A permutation's score is its mean over readouts and random draws, as all of them get the
        same labels. Chance, without an error, where no labels were permuted.
        """
        rows = self.scores
        rows = rows[
            rows["encoder"].isin(encoder.members)
            & (rows["control"] == PERMUTED)
            & (rows["metric"] == self.kind.metric)
        ]
        each = rows.groupby("repeat")["value"].mean()
        if each.empty:
            return Interval(self.chance, kind=words.CHANCE, error=0.0, freedom=1.0)
        least = self.kind.module("inference").LEAST_NULL
        error = float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else 0.0
        freedom = float(max(1, len(each) - 1))
        return Interval(
            max(float(each.mean()), least),
            kind=words.CONTROLS[PERMUTED],
            error=error,
            freedom=freedom,
        )

    def chosen_block(self, encoder: Encoder) -> str | None:
        """The block that training chose in every fold of the strictest regime; None if several."""
        names = self.chosen(encoder.members)["readout"].unique()
        return names[0] if len(names) == 1 else None

    def fold_differences(self, a: Key, b: Key) -> np.ndarray:
        """Score of ``a`` minus that of ``b`` (repeats x folds,), draws averaged."""
        return (self.of_folds(a, "value") - self.of_folds(b, "value")).dropna().to_numpy()

    def of_folds(self, key: Key, column: str) -> pd.Series:
        """A column of the scores by repeat and fold, draws averaged."""
        encoder = self.named(key.encoder)
        rows = self.scores
        rows = rows[
            rows["encoder"].isin(encoder.members)
            & (rows["readout"] == key.readout)
            & (rows["probe"] == key.probe)
            & (rows["control"] == key.control)
            & (rows["regime"] == key.regime)
            & (rows["metric"] == self.kind.metric)
            & rows["fold"].notna()
        ]
        return rows.groupby(["repeat", "fold"])[column].mean()


def _of_seeds(scored: pd.DataFrame, parts: list[str], cell: tuple) -> np.ndarray:
    """Each fold's part of the balanced accuracy of each seed of a probe (seeds, folds).

    The parts of a seed add up to its score. Folds of all repeats are side by side.
    """
    own = scored[(scored[parts] == list(cell)).all(axis=1)]
    once = own.drop_duplicates("clip_id")["target"].value_counts()
    share = own["correct"] / own["target"].map(once) / len(once) / own["repeat"].nunique()
    return share.groupby([own["seed"], own["repeat"], own["fold"]]).sum().unstack([1, 2]).to_numpy()
