"""One task's estimates as the figures and the page read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from stratavox.encoders.sites import branches
from stratavox.errors import StratavoxError
from stratavox.inference import ANSWERS
from stratavox.report import style
from stratavox.report.style import count
from stratavox.tables import read_json, read_table

METRIC, PROBE = "balanced_accuracy", "linear"

# What the table's word for an interval means, as a reader must be told.
INTERVALS = {
    "t over groups": "95 % t interval over groups",
    "BCa over groups": "95 % BCa bootstrap interval over groups",
    "range over groups": "range over groups, lowest to highest (too few groups for an interval)",
    "none": "no interval",
    "permutations": "95 % range over permutations",
    "draws": "95 % range over draws of labels",
}


@dataclass(frozen=True)
class Results:
    """The answers to one task.

    ``estimates`` are the balanced accuracies; ``explained_variance``, ``layer_weights``,
    ``contrasts``, ``depths`` and ``claims`` the tables of that name; ``facts`` the JSON beside
    them. ``encoders`` maps what is compared, in the run's order, to its ``encoder.json``: random
    draws of one encoder stand together under their shared name, with that of the first draw.
    ``source`` is the config's.
    """

    dataset: str
    task: str
    source: str
    estimates: pd.DataFrame
    explained_variance: pd.DataFrame
    layer_weights: pd.DataFrame
    contrasts: pd.DataFrame
    depths: pd.DataFrame
    claims: pd.DataFrame
    facts: dict
    encoders: dict[str, dict]

    @property
    def regime(self) -> str:
        """The strictest regime, which the figures are about."""
        return self.facts["regimes"][0]

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
        draws = len(self.facts["draws"].get(encoder, []))
        return style.encoder_label(encoder, self.encoders[encoder]["weights"], draws)

    def rows(
        self, encoder: str, control: str = "none", regime: str | None = None, probe: str = PROBE
    ) -> pd.DataFrame:
        """One encoder's estimates under a control, a regime (default: `regime`) and a probe."""
        table = self.estimates
        return table[
            (table["encoder"] == encoder)
            & (table["control"] == control)
            & (table["regime"] == (regime or self.regime))
            & (table["probe"] == probe)
        ]

    def curve(self, encoder: str, control: str = "none", regime: str | None = None) -> pd.DataFrame:
        """The rows that have a depth, in its order."""
        rows = self.rows(encoder, control, regime)
        return rows[rows["depth"].notna()].sort_values("depth")

    def branches(self, encoder: str) -> dict[str, pd.DataFrame]:
        """The rows of readouts inside the blocks by site; ``depth`` is that of their block."""
        rows = self.rows(encoder)
        found = {}
        for site, names in branches(self.encoders[encoder]["readouts"]).items():
            depths = {name: 1.0 + place for place, name in enumerate(names)}
            own = rows[rows["readout"].isin(names)]
            found[site] = own.assign(depth=own["readout"].map(depths)).sort_values("depth")
        return found

    def one(
        self, encoder: str, readout: str, control: str = "none", regime: str | None = None
    ) -> pd.Series | None:
        """The row of one readout, or None where the table has none."""
        rows = self.rows(encoder, control, regime)
        rows = rows[rows["readout"] == readout]
        return None if rows.empty else rows.iloc[0]

    def compared(self, encoder: str) -> list[str]:
        """The readouts to compare: last block, nested, fusions; or the only one of a baseline."""
        blocks = self.encoders[encoder]["blocks"]
        fusions = ["nested", "concat", "concat_pca", "mean", "weighted", "concat_avex"]
        wanted = [blocks[-1], *fusions] if blocks else self.encoders[encoder]["readouts"]
        return [readout for readout in wanted if self.one(encoder, readout) is not None]

    def spoken_for(self, encoder: str) -> tuple[str, str]:
        """The readout that stands for an encoder, and why: chosen most often, or the last block."""
        made, counts = self.encoders[encoder], self.facts["nested"].get(encoder)
        if counts:
            readout = max(sorted(counts), key=counts.get)
            return readout, f"{style.readout_label(readout)} (chosen most often in training folds)"
        if made["blocks"]:
            return made["blocks"][-1], f"{style.readout_label(made['blocks'][-1])} (last)"
        return made["readouts"][0], style.readout_label(made["readouts"][0])

    def group_line(self) -> str:
        """What was held out; a task without groups is called so."""
        if self.regime == "grouped":
            group = self.facts["group"]
            return f"Grouped by {group}: no {group} is in training and test at once."
        held = " (recordings are held out)" if self.regime == "recording" else ""
        return (
            f"GROUP UNKNOWN{held}: clips of one animal or recording may lie in training and test "
            "alike, so scores may be optimistic."
        )

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
        """Clips (and of how many they were drawn), groups, classes, chance, folds and repeats."""
        facts = self.facts
        groups = "groups unknown" if self.n_groups is None else count(self.n_groups, "group")
        clips = count(self.n_clips, "clip")
        if whole := facts["drawn_from"]:
            clips = f"{self.n_clips:,} of {whole['clips']:,} clips, drawn by class"
            groups += "" if whole["groups"] is None else f" of {whole['groups']}"
        return (
            f"{clips}, {groups}, {count(self.n_classes, 'class')}, chance "
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
        return (
            f"Permuted labels: mean and 95 % range over {self.facts['permutations']} permutations."
        )

    def draws_line(self, drawn: str) -> list[str]:
        """How random draws are drawn; nothing where there are none."""
        return [
            f"{drawn}: mean and range over {len(members)} random draws of {name}."
            for name, members in self.facts["draws"].items()
            if name in self.encoders
        ]


def load(dataset: str, task: str, source: str, answers: Path, encoders: dict[str, str]) -> Results:
    """Read the folder of one task's answers; ``encoders`` maps names to embeddings folders."""
    told = {name: read_table(answers / f"{name}.parquet").to_pandas() for name in ANSWERS}
    facts = read_json(answers / "summary.json")
    estimates = told["estimates"]
    told["estimates"] = estimates[estimates["metric"] == METRIC]
    unknown = sorted(set(estimates["interval"]) - set(INTERVALS))
    if unknown:
        raise StratavoxError(
            f"{answers}/estimates.parquet: interval {unknown}; known are {sorted(INTERVALS)}"
        )
    made = units(encoders, facts["draws"])
    if set(estimates["encoder"]) != set(made):
        raise StratavoxError(
            f"{answers}/estimates.parquet: has the encoders {sorted(set(estimates['encoder']))}, "
            f"asked for are {sorted(made)}; delete the folder and run again"
        )
    return Results(dataset, task, source, facts=facts, encoders=made, **told)


def units(encoders: dict[str, str], draws: dict[str, list[str]]) -> dict[str, dict]:
    """The encoder.json of what is compared: of several random draws, the first's."""
    shared = {member: name for name, members in draws.items() for member in members}
    found: dict[str, dict] = {}
    for name, folder in encoders.items():
        unit = shared.get(name, name)
        if unit not in found:
            found[unit] = read_json(Path(folder) / "encoder.json")
    return found
