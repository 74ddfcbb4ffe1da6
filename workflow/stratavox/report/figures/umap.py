"""UMAP panels of one encoder on one dataset: a panel per readout, coloured by a task's target.

Clips that the task leaves out are pale grey.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from stratavox import words
from stratavox.errors import StratavoxError
from stratavox.report import style
from stratavox.report.figure import UNKNOWN, Axis, Figure, Panel, Points
from stratavox.tables import read_json, read_provenance, read_table

FACTS = {
    "order": 100,
    "topic": "maps",
    "title": "UMAP panels",
    "caption": "UMAP panels of {encoder} on {dataset}, coloured by {task}. An illustration: "
    "distances, gaps and cluster sizes are no evidence. Each panel's title gives its "
    "trustworthiness.",
    "scopes": ("map",),
    "needs": ("umap",),
    "alt": "{title} of {heading}; an illustration, no evidence.",
}
CAUTION = (
    "An illustration: distances, gaps and cluster sizes in a UMAP are no evidence; use the probes."
)


@dataclass(frozen=True)
class Labels:
    """The clips of a task: ``table`` has the columns clip_id, target and group.

    ``group`` names the groups, None where unknown; ``drawn`` says whether the task is probed on a
    sample, whose clips alone are in the table; ``heading`` is dataset and encoder.
    """

    heading: str
    task: str
    group: str | None
    table: pd.DataFrame
    drawn: bool

    @property
    def outside(self) -> str:
        """The name of the clips without a target."""
        return "outside the task or its sample" if self.drawn else "outside the task"


def labels(heading: str, task: str, folds: Path, folds_json: Path) -> Labels:
    """Read the labels of a task's clips from its folds."""
    table = read_table(folds, ["clip_id", "target", "group"]).to_pandas()
    facts = read_json(folds_json)
    drawn = facts["drawn_from"] is not None
    return Labels(heading, task, facts["group"], table.drop_duplicates("clip_id"), drawn)


def read_map(path: Path, clips: Labels) -> tuple[pd.DataFrame, dict]:
    """The table readout, clip_id, x, y, target, group, and what is known of the map.

    Target and group are empty outside the task. A map of all clips that lacks one of ``clips`` is
    an error.
    """
    points, provenance = read_table(path).to_pandas(), read_provenance(path)
    facts = provenance["settings"] | provenance["umap"]
    lacking = sorted(set(clips.table["clip_id"]) - set(points["clip_id"]))
    if lacking and facts["clips"] == facts["whole"]:
        raise StratavoxError(
            f"{path}: has no coordinates of {len(lacking)} clips of {clips.task} (such as "
            f"{lacking[0]!r}); delete it and run the workflow again"
        )
    return points.merge(clips.table, on="clip_id", how="left", validate="many_to_one"), facts


def classes(targets: pd.Series) -> tuple[list[str], list[str]]:
    """The classes with a colour and marker of their own, and the others, in alphabetical order.

    With more than 40 classes, the 40 with most clips have their own.
    """
    counts = targets.value_counts()
    ranked = sorted(counts.index, key=lambda name: (-counts[name], name))
    return sorted(ranked[: style.MAX_CLASSES]), sorted(ranked[style.MAX_CLASSES :])


def notes(clips: Labels, points: pd.DataFrame, facts: dict) -> list[str]:
    """Notes for reading the panels."""
    one = points[points["readout"] == points["readout"].iloc[0]]
    outside, rest = int(one["target"].isna().sum()), classes(one["target"])[1]
    of = "" if facts["clips"] == facts["whole"] else f" of {facts['whole']:,}, drawn at random"
    return [
        *(
            [f"{UNKNOWN}: clips may be close only because they are of one animal."]
            * (not clips.group)
        ),
        f"{words.count(facts['clips'], 'clip')}{of}, coloured by {clips.task}; {outside:,} "
        f"{clips.outside} in pale grey. Standardised readouts, {facts['n_neighbors']} "
        f"neighbours, min_dist {facts['min_dist']}, seed {facts['seed']}.",
        f"Trustworthiness (1: all neighbours are true; about 0.5: chance) at "
        f"{facts['n_neighbors']} neighbours on {facts['trustworthiness_clips']:,} clips.",
        CAUTION,
        *([f"The {len(rest)} classes with fewest clips share one grey."] if rest else []),
        *(f"{statement}." for statement in facts["statements"]),
    ]


def figure(clips: Labels, drawn: tuple[pd.DataFrame, dict]) -> Figure:
    """A panel per readout, in the order of the table; ``drawn`` is from `read_map`."""
    points, facts = drawn
    size = 4 if facts["clips"] <= 200 else 3 if facts["clips"] <= 1000 else 2
    bare = Axis(ticks={})
    panels = []
    for readout, here in points.groupby("readout", sort=False):
        trust = words.number(facts["trustworthiness"][readout], 2)
        title = f"{words.readout(readout)}, trustworthiness {trust}"
        series = [_class(name, look, some, size) for name, look, some in _layers(clips, here)]
        panels.append(Panel(series, (2.38, 2.2), bare, bare, title))
    return Figure(panels, notes(clips, points, facts), columns=3)


def _layers(clips: Labels, points: pd.DataFrame) -> list[tuple[str, style.Look, pd.DataFrame]]:
    """(legend entry, look, clips), pale clips first, so that no class is hidden by them."""
    kept, rest = classes(points["target"])
    looks = style.class_looks(kept)
    layers = [
        (clips.outside, style.Look(style.PALE, "o"), points[points["target"].isna()]),
        (
            f"{len(rest)} other classes",
            style.Look(style.GREY, "o"),
            points[points["target"].isin(rest)],
        ),
        *((name, looks[name], points[points["target"] == name]) for name in kept),
    ]
    return [layer for layer in layers if not layer[2].empty]


def _class(name: str, look: style.Look, points: pd.DataFrame, size: float) -> Points:
    hover = [
        f"{row.clip_id}\nclass: {_known(row.target)}\ngroup: {_known(row.group)}"
        for row in points.itertuples()
    ]
    mark = {"marker": look.marker, "size": size, "cloud": True}
    about = {"name": f"class {name}", "legend": name, "hover": hover, "ids": points["clip_id"]}
    return Points(points["x"], points["y"], look.colour, **mark, **about)


def _known(value) -> str:
    return "unknown" if words.missing(value) else value
