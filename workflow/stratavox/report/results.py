"""One task's estimates as the figures and the page read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from stratavox.errors import StratavoxError
from stratavox.report import style
from stratavox.report.style import count
from stratavox.tables import read_json, read_table

COLUMNS = [
    *("encoder", "readout", "depth", "probe", "control", "regime", "metric"),
    *("value", "low", "high", "interval", "n_clips", "n_groups"),
]
METRIC, PROBE = "balanced_accuracy", "linear"
FACTS = ("chance", "group", "folds", "repeats", "permutations")

# What the table's word for an interval means, as a reader must be told.
INTERVALS = {
    "t over groups": "95 % t interval over groups",
    "range over groups": "range over groups, lowest to highest (too few groups for an interval)",
    "over repeats": "range over repeats of the split (says nothing about new groups)",
    "none": "no interval",
    "permutations": "95 % range over permutations",
}


@dataclass(frozen=True)
class Results:
    """The linear probe's balanced accuracies of one task.

    ``estimates`` has the columns `COLUMNS`; ``facts`` is the JSON beside it; ``encoders`` maps the
    run's encoders, in its order, to their ``encoder.json``; ``source`` is ``folder`` or ``chorus``.
    """

    dataset: str
    task: str
    source: str
    estimates: pd.DataFrame
    facts: dict
    encoders: dict[str, dict]

    @property
    def regime(self) -> str:
        """The regime the figures are about: ``grouped``, or ``random`` where groups are unknown."""
        return "random" if self.facts["group"] is None else "grouped"

    @property
    def title(self) -> str:
        """Dataset and task, synthetic data marked."""
        return f"{style.dataset_label(self.dataset, self.source)}: {self.task}"

    @property
    def heading(self) -> str:
        """The title of a figure: `title`, and that groups are unknown where they are."""
        return f"{self.title} (group unknown)" if self.facts["group"] is None else self.title

    @property
    def layered(self) -> list[str]:
        """The encoders that have blocks."""
        return [name for name, encoder in self.encoders.items() if encoder["blocks"]]

    @property
    def baselines(self) -> list[str]:
        """The encoders that have a single readout and no depth."""
        return [name for name, encoder in self.encoders.items() if not encoder["blocks"]]

    def label(self, encoder: str) -> str:
        """The encoder's name, with "random weights" or "baseline" where it applies."""
        return style.encoder_label(encoder, self.encoders[encoder]["weights"])

    def rows(self, encoder: str, control: str = "none", regime: str | None = None) -> pd.DataFrame:
        """The estimates of one encoder under one control and regime (default: `regime`)."""
        table = self.estimates
        return table[
            (table["encoder"] == encoder)
            & (table["control"] == control)
            & (table["regime"] == (regime or self.regime))
        ]

    def curve(self, encoder: str, control: str = "none", regime: str | None = None) -> pd.DataFrame:
        """The rows that have a depth, in its order."""
        rows = self.rows(encoder, control, regime)
        return rows[rows["depth"].notna()].sort_values("depth")

    def one(
        self, encoder: str, readout: str, control: str = "none", regime: str | None = None
    ) -> pd.Series | None:
        """The row of one readout, or None where the table has none."""
        rows = self.rows(encoder, control, regime)
        rows = rows[rows["readout"] == readout]
        return None if rows.empty else rows.iloc[0]

    def compared(self, encoder: str) -> list[str]:
        """The readouts to compare: last block, nested, concat; or the only one of a baseline."""
        blocks = self.encoders[encoder]["blocks"]
        wanted = [blocks[-1], "nested", "concat"] if blocks else self.encoders[encoder]["readouts"]
        return [readout for readout in wanted if self.one(encoder, readout) is not None]

    def group_line(self) -> str:
        """What was held out; a task without groups is called so."""
        group = self.facts["group"]
        if group is None:
            return (
                "GROUP UNKNOWN: clips of one animal or recording may lie in training and test "
                "alike, so scores may be optimistic."
            )
        return f"Grouped by {group}: no {group} is in training and test at once."

    @property
    def n_clips(self) -> int:
        """Clips that were probed."""
        return int(self.estimates["n_clips"].max())

    @property
    def n_groups(self) -> int | None:
        """Groups among them, None where unknown."""
        known = self.estimates["n_groups"].dropna()
        return None if self.facts["group"] is None else int(known.max())

    @property
    def n_classes(self) -> int:
        """Classes; chance is one over their number."""
        return round(1 / self.facts["chance"])

    def counts_line(self) -> str:
        """Clips, groups, classes, chance, folds and repeats."""
        facts = self.facts
        groups = "groups unknown" if self.n_groups is None else count(self.n_groups, "group")
        return (
            f"{count(self.n_clips, 'clip')}, {groups}, {count(self.n_classes, 'class')}, chance "
            f"{style.fraction(facts['chance'])}; {count(facts['folds'], 'fold')} × "
            f"{count(facts['repeats'], 'repeat')}."
        )

    def interval_line(self, drawn: str) -> str:
        """What the intervals of the main regime are, in the table's terms."""
        rows = self.estimates
        rows = rows[(rows["control"] == "none") & (rows["regime"] == self.regime)]
        kinds = "; ".join(INTERVALS[kind] for kind in rows["interval"].drop_duplicates())
        return f"{drawn}: {kinds}."

    def random_line(self, drawn: str) -> list[str]:
        """How the random split is drawn beside the grouped one; nothing where it stands alone."""
        if self.regime == "random":
            return []
        return [f"{drawn}: random split, optimistic where training and test share recordings."]

    def control_line(self) -> str:
        """How many label permutations the control has."""
        if not self.facts["permutations"]:
            return "No permutation control was run."
        return (
            f"Permuted labels: mean and 95 % range over {self.facts['permutations']} permutations."
        )


def load(
    dataset: str, task: str, source: str, estimates: Path, facts: Path, encoders: dict[str, str]
) -> Results:
    """Read one task's estimates; ``encoders`` maps names to their embeddings directories."""
    table = read_table(estimates).to_pandas()
    absent = [name for name in COLUMNS if name not in table.columns]
    if absent:
        raise StratavoxError(f"{estimates}: no column {absent}; delete it and run again")
    table = table[(table["metric"] == METRIC) & (table["probe"] == PROBE)]
    unknown = sorted(set(table["interval"]) - set(INTERVALS))
    if unknown:
        raise StratavoxError(f"{estimates}: interval {unknown}; known are {sorted(INTERVALS)}")
    if set(table["encoder"]) != set(encoders):
        raise StratavoxError(
            f"{estimates}: has the encoders {sorted(set(table['encoder']))}, "
            f"asked for are {sorted(encoders)}; delete it and run again"
        )
    said = read_json(facts)
    lacking = [key for key in FACTS if key not in said]
    if lacking:
        raise StratavoxError(f"{facts}: no key {lacking}; delete it and run again")
    made = {name: read_json(Path(path) / "encoder.json") for name, path in encoders.items()}
    return Results(dataset, task, source, table[COLUMNS], said, made)
