"""What the figures and the page read: one task's answers, or one dataset's encoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from stratavox import words
from stratavox.encoders.sites import branches
from stratavox.errors import StratavoxError
from stratavox.inference.units import members
from stratavox.probe import kinds
from stratavox.report import style
from stratavox.report.figure import UNKNOWN
from stratavox.tables import read_json, read_table
from stratavox.words import count

PROBE = "linear"


@dataclass(frozen=True)
class Results:
    """The answers to one task.

    ``estimates`` are those of the kind's metric (`metric`); the other tables have the names of
    their files, and ``others`` holds any further tables; ``facts`` is the JSON. ``encoders`` maps
    the units that are compared, in the run's order, to their ``encoder.json``: random draws of one
    encoder are one unit under their shared name, with the encoder.json of the first draw.
    ``source`` is that of the config; ``run`` are the names of the run's encoders, of which a task
    may have some alone (the same, where it is empty).
    """

    dataset: str
    task: str
    source: str
    estimates: pd.DataFrame
    explained_variance: pd.DataFrame
    layer_weights: pd.DataFrame
    contrasts: pd.DataFrame
    trends: pd.DataFrame
    depths: pd.DataFrame
    robustness: pd.DataFrame
    claims: pd.DataFrame
    recommendation: pd.DataFrame
    facts: dict
    encoders: dict[str, dict]
    others: dict[str, pd.DataFrame] = field(default_factory=dict)
    run: Sequence[str] = ()

    @property
    def looks(self) -> dict[str, style.Look]:
        """Colour and marker of each encoder, the same in all figures of the run."""
        return style.encoder_looks(list(self.encoders), self.run)

    @property
    def kind(self) -> kinds.Kind:
        return kinds.of(self.facts)

    @property
    def metric(self) -> str:
        """The metric that the answers are about, in words: the title of an axis."""
        return words.METRICS[self.kind.metric]

    @property
    def regime(self) -> str:
        """The strictest regime, which the figures are about."""
        return self.facts["regimes"][0]

    @property
    def title(self) -> str:
        """Dataset and task, synthetic data marked."""
        return f"{words.dataset(self.dataset, self.source)}: {self.task}"

    @property
    def heading(self) -> str:
        """The title of a figure: `title`, marked where groups are unknown."""
        return f"{self.title} (group unknown)" if self.facts["group"] is None else self.title

    @property
    def transfer(self) -> dict | None:
        """What trained and what was tested; None where that is not two sets of clips."""
        return self.facts.get("transfer")

    @property
    def layered(self) -> list[str]:
        """The encoders that have blocks."""
        return [name for name, encoder in self.encoders.items() if encoder["blocks"]]

    @property
    def baselines(self) -> list[str]:
        """The encoders that have a single readout and no depth."""
        return [name for name, encoder in self.encoders.items() if not encoder["blocks"]]

    @property
    def listed(self) -> list[str]:
        """All encoders, those with blocks first."""
        return [*self.layered, *self.baselines]

    def label(self, encoder: str) -> str:
        """The encoder's name, with "random weights" or "baseline" where it applies."""
        draws = len(self.facts["draws"].get(encoder, []))
        return words.encoder(encoder, self.encoders[encoder]["weights"], draws)

    def rows(
        self, encoder: str, control: str = "none", regime: str | None = None, probe: str = PROBE
    ) -> pd.DataFrame:
        """One encoder's estimates under a control, a regime (default: `regime`) and a probe."""
        key = encoder, control, regime or self.regime, probe
        places = self._places.get(key, [])
        return self.estimates.iloc[places]

    @cached_property
    def _places(self) -> dict[tuple, np.ndarray]:
        """Where in the estimates the rows of each encoder, control, regime and probe are."""
        return self.estimates.groupby(["encoder", "control", "regime", "probe"]).indices

    def own(self, encoder: str, *where) -> pd.DataFrame:
        """`rows` of the encoder's own readouts: no fusions, none with acoustic descriptors."""
        rows = self.rows(encoder, *where)
        return rows[rows["readout"].isin(self.encoders[encoder]["readouts"])]

    def curve(self, encoder: str, *where, **named) -> pd.DataFrame:
        """`rows` that have a depth, in its order."""
        rows = self.rows(encoder, *where, **named)
        return rows[rows["depth"].notna()].sort_values("depth")

    def branches(self, encoder: str) -> dict[str, pd.DataFrame]:
        """The rows of readouts inside the blocks by site; ``depth`` is that of their block."""
        rows, sites = self.rows(encoder), {}
        for site, names in branches(self.encoders[encoder]["readouts"]).items():
            depths = {name: 1.0 + place for place, name in enumerate(names)}
            own = rows[rows["readout"].isin(names)]
            sites[site] = own.assign(depth=own["readout"].map(depths)).sort_values("depth")
        return sites

    def after(self, encoder: str) -> pd.DataFrame:
        """The rows of readouts that follow the last block, such as an embedding, in their order."""
        facts, rows = self.encoders[encoder], self.own(encoder)
        inside = {name for names in branches(facts["readouts"]).values() for name in names}
        later = facts["readouts"][facts["readouts"].index(facts["blocks"][-1]) + 1 :]
        names = [name for name in later if name not in inside]
        rows = rows[rows["readout"].isin(names)]
        return rows.sort_values("readout", key=lambda column: column.map(names.index))

    def beside(
        self, tables: dict[str, pd.DataFrame], encoder: str, column: str, measure: str | None = None
    ) -> pd.DataFrame:
        """readout, value, low, high and depth of ``column`` in tables that are no answers.

        Random draws give mean and range; ``measure`` selects the rows of a long table.
        """
        names = self.facts["draws"].get(encoder, [encoder])
        table = pd.concat([tables[name] for name in names])
        if measure:
            table = table[table["measure"] == measure]
        rows = table.groupby("readout", sort=False)[column].agg(["mean", "min", "max"])
        rows = rows.reset_index().set_axis(["readout", "value", "low", "high"], axis=1)
        depths = self.curve(encoder).set_index("readout")["depth"]
        return rows.assign(depth=rows["readout"].map(depths))

    def one(self, encoder: str, readout: str, *where, **named) -> pd.Series | None:
        """The row of one readout among `rows`, or None where there is none."""
        rows = self.rows(encoder, *where, **named)
        rows = rows[rows["readout"] == readout]
        return None if rows.empty else rows.iloc[0]

    def compared(self, encoder: str) -> list[str]:
        """The readouts to compare: last block, nested, fusions; or the only one of a baseline."""
        blocks = self.encoders[encoder]["blocks"]
        fusions = ["nested", "concat", "concat_pca", "mean", "weighted", "concat_avex"]
        wanted = [blocks[-1], *fusions] if blocks else self.encoders[encoder]["readouts"]
        return [readout for readout in wanted if self.one(encoder, readout) is not None]

    def place(self, encoder: str, readout: str) -> str:
        """A readout in words; the last block is marked."""
        blocks, label = self.encoders[encoder]["blocks"], words.readout(readout)
        return f"last block ({label})" if blocks and readout == blocks[-1] else label

    def selectivity(self) -> list[str]:
        """Random-split score minus that of labels drawn at random per recording, by encoder.

        Every class occurs in every draw, so both have the same chance, and the difference is that
        of the two scores above chance. The readout is the block chosen most often in training,
        otherwise the last block. Empty where there is no control task (`no_selectivity`).
        """
        sentences = []
        for encoder in self.listed:
            readout, why = self._representative(encoder)
            real = self.one(encoder, readout, regime="random")
            drawn = self.one(encoder, readout, control="control_task", regime="random")
            if real is not None and drawn is not None:
                scores = f"{words.number(real['value'])} minus {words.number(drawn['value'])}"
                sentences.append(
                    f"{self.label(encoder)}, {words.readout(readout)}{why}: "
                    f"{words.difference(real['value'] - drawn['value'])} ({scores})"
                )
        return sentences

    def no_selectivity(self) -> str:
        """Why there is no control task, as a sentence."""
        if not self.kind.has("control_task"):
            return f"No selectivity: {words.NOT_COMPUTED} for {words.KINDS[self.kind.name]}."
        facts, classes = self.facts, len(self.facts["classes"])
        if facts["recordings"] is not None:
            units = count(facts["recordings"], "recording")
        elif facts["groups"] is not None:
            units = f"{count(facts['groups'], 'group')} ({facts['group']}; recordings unknown)"
        else:
            return "No selectivity: neither recordings nor groups are known."
        return (
            f"No selectivity: with {units} and {count(classes, 'class')}, not every class can get "
            "one."
        )

    def of_run(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of this task in a table of the whole run."""
        return table[(table["dataset"] == self.dataset) & (table["task"] == self.task)]

    def chosen_most(self, encoder: str) -> str | None:
        """The block that training folds chose most often; None where none was chosen."""
        counts = self.facts["nested"].get(encoder)
        return max(sorted(counts), key=counts.get) if counts else None

    def _representative(self, encoder: str) -> tuple[str, str]:
        """The readout that represents an encoder, and why."""
        facts, block = self.encoders[encoder], self.chosen_most(encoder)
        if block:
            return block, " (chosen most often in training folds)"
        return (facts["blocks"][-1], " (last)") if facts["blocks"] else (facts["readouts"][0], "")

    def group_line(self) -> str:
        """What was held out, or that groups are unknown."""
        if self.regime == "grouped":
            group = self.facts["group"]
            each = [group] if isinstance(group, str) else group
            apart = f"no {' and no '.join(each)} is in both training and test data."
            if not self.transfer:
                return f"Grouped by {words.grouping(group)}: {apart}"
            trained = count(self.transfer["clips"], "clip")
            trained += f", {count(self.transfer['groups'], 'group')}"
            train, test = (words.side(self.transfer, name) for name in ("train", "test"))
            return f"Trained on {train}, tested on {test} (training: {trained}); {apart}"
        held = " (recordings are held out)" if self.regime == "recording" else ""
        return (
            f"{UNKNOWN}{held}: clips of one animal or recording may be in both training and test, "
            "so scores may be optimistic."
        )

    def split(self, regime: str) -> str:
        """A regime in words."""
        if self.transfer and regime == "grouped":
            return words.TRANSFER
        group = self.facts["group"]
        return words.REGIMES[regime].format(group=group and words.grouping(group))

    def not_computed(self) -> list[str]:
        """What this kind of task does not have, as a sentence; empty for classes."""
        lacking = [text for part, text in words.OF_CLASSES.items() if not self.kind.has(part)]
        if not lacking:
            return []
        kind = words.KINDS[self.kind.name]
        return [f"{words.sentence(words.NOT_COMPUTED)} for {kind}: {', '.join(lacking)}."]

    def _labels(self) -> str:
        """The classes in numbers, or the range of a regression's target."""
        values = self.facts.get("values")
        if values is None:
            negatives = self.facts.get("negatives")
            without = f", {count(negatives, 'clip')} without any" if negatives else ""
            return count(len(self.facts["classes"]), "class") + without
        return f"{self.facts['target']} {values['min']:.4g} to {values['max']:.4g}"

    def counts_line(self) -> str:
        """Clips (and of how many they were drawn), groups, classes, chance, folds and repeats."""
        facts = self.facts
        clips = count(facts["clips"], "clip")
        groups = "groups unknown" if facts["groups"] is None else count(facts["groups"], "group")
        if whole := facts["drawn_from"]:
            by = "class" if facts["classes"] else "quantiles"
            clips = f"{facts['clips']:,} of {whole['clips']:,} clips, drawn by {by}"
            groups += "" if whole["groups"] is None else f" of {whole['groups']}"
        splits = f"{count(facts['folds'], 'fold')} × {count(facts['repeats'], 'repeat')}"
        return (
            f"{clips}, {groups}, {self._labels()}, chance "
            f"{words.number(facts['chance'], 2)}; {'one split' if self.transfer else splits}."
        )

    @property
    def about(self) -> list[str]:
        """The first two notes of a figure: counts and groups."""
        return [self.counts_line(), self.group_line()]

    def interval_line(self, drawn: str) -> str:
        """The kinds of intervals in the main regime."""
        rows = self.estimates
        rows = rows[(rows["control"] == "none") & (rows["regime"] == self.regime)]
        kinds = "; ".join(words.INTERVALS[kind] for kind in rows["interval"].drop_duplicates())
        return f"{drawn}: {kinds}."

    def random_line(self, drawn: str) -> list[str]:
        """How the random split is drawn; empty where it is the only regime."""
        if self.regime == "random":
            return []
        split = "random split"
        if self.transfer:
            split += f" of {words.side(self.transfer, 'test')} alone"
        return [f"{drawn}: {split}, optimistic where training and test share recordings."]

    def control_line(self) -> str:
        """How many label permutations the control has."""
        return (
            f"Permuted labels: mean and 95 % range over {self.facts['permutations']} permutations."
        )

    def draws_line(self, drawn: str) -> list[str]:
        """How random draws are drawn; empty where there are none."""
        return [
            f"{drawn}: mean and range over {len(members)} random draws of {name}."
            for name, members in self.facts["draws"].items()
            if name in self.encoders
        ]


@dataclass(frozen=True)
class Overview:
    """What the figures of one dataset have in common.

    ``heading`` is the dataset's label; ``encoders`` maps every encoder's name, in the run's order,
    to its ``encoder.json``; ``draws`` maps the name that random draws share to their names; ``run``
    is as in `Results`.
    """

    heading: str
    encoders: dict[str, dict]
    draws: dict[str, list[str]]
    run: Sequence[str] = ()

    @property
    def looks(self) -> dict[str, style.Look]:
        """Colour and marker of each unit, the same in all figures of the run."""
        return style.encoder_looks(list(self.units), self.run)

    @property
    def units(self) -> dict[str, list[str]]:
        """The units that are drawn, in the run's order -> their encoders."""
        return members(self.encoders, self.draws)

    def label(self, unit: str) -> str:
        """The unit's name with "random weights", its draws or "baseline" where it applies."""
        names = self.units[unit]
        return words.encoder(unit, self.encoders[names[0]]["weights"], len(names))


def load(
    dataset: str,
    task: str,
    source: str,
    answers: Path,
    encoders: dict[str, str],
    run: Sequence[str] = (),
) -> Results:
    """Read the folder of one task's answers; ``encoders`` maps names to embeddings folders."""
    # annotations are strings in this module
    sections = [entry.name for entry in fields(Results) if entry.type == "pd.DataFrame"]
    paths = {name: answers / f"{name}.parquet" for name in sections} | answer_tables(answers)
    tables = {name: read_table(path).to_pandas() for name, path in paths.items()}
    facts = read_json(answers / "summary.json")
    estimates = tables["estimates"]
    tables["estimates"] = estimates[estimates["metric"] == kinds.of(facts).metric]
    unknown = sorted(set(estimates["interval"]) - set(words.INTERVALS))
    if unknown:
        raise StratavoxError(
            f"{answers}/estimates.parquet: interval {unknown}; known are {sorted(words.INTERVALS)}"
        )
    compared = {
        unit: read_json(Path(encoders[names[0]]) / "encoder.json")
        for unit, names in members(encoders, facts["draws"]).items()
    }
    if set(estimates["encoder"]) != set(compared):
        raise StratavoxError(
            f"{answers}/estimates.parquet: has the encoders {sorted(set(estimates['encoder']))}, "
            f"requested are {sorted(compared)}; delete the folder and run again"
        )
    own = {name: tables.pop(name) for name in sections}
    about = {"facts": facts, "encoders": compared, "others": tables, "run": run}
    return Results(dataset, task, source, **about, **own)


def answer_tables(answers: Path) -> dict[str, Path]:
    """Name -> file of each table in a task's folder of answers."""
    return {path.stem: path for path in sorted(Path(answers).glob("*.parquet"))}
