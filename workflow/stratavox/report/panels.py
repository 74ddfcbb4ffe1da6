"""UMAP panels of one encoder on one dataset: one panel a readout, coloured by a task's target.

Clips that the task leaves out stand in pale grey. Run as ``python -m stratavox.report.panels``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib
import pandas as pd
import plotly.graph_objects as go
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from plotly.subplots import make_subplots

from stratavox.errors import StratavoxError
from stratavox.report import style
from stratavox.report.saving import RC, save_interactive, save_static
from stratavox.report.screen import plain
from stratavox.report.static import legend_and_notes
from stratavox.stage import Job
from stratavox.tables import read_json, read_provenance, read_table

COLUMNS, WIDTH_IN = 3, 7.5
# Past this many clips, dots are drawn as pixels: thousands of shapes make a page slow.
VECTOR_CLIPS = 1000
CAUTION = (
    "A map for looking: distances, gaps and cluster sizes in a UMAP are no evidence; probes are."
)


@dataclass(frozen=True)
class Panels:
    """Coordinates with labels.

    ``points`` has the columns readout, clip_id, x, y, target, group (null where the task leaves the
    clip out or has no group); ``facts`` is what `stratavox.geometry.umap` said of the map;
    ``drawn`` says whether the task is probed on a sample, whose clips alone have a target here.
    """

    title: str
    task: str
    group: str | None
    points: pd.DataFrame
    facts: dict
    settings: dict
    drawn: bool

    @property
    def outside(self) -> str:
        """What the clips without a target are."""
        return "outside the task or its sample" if self.drawn else "outside the task"

    @property
    def readouts(self) -> list[str]:
        """In the table's order, which is that of the config."""
        return list(self.points["readout"].drop_duplicates())

    def panel_title(self, readout: str) -> str:
        """A panel's readout and trustworthiness."""
        trust = self.facts["trustworthiness"][readout]
        return f"{style.readout_label(readout)}, trustworthiness {style.fraction(trust)}"

    def classes(self) -> tuple[list[str], list[str]]:
        """Classes with a look of their own, in alphabetical order, and those too many for one.

        Where there are more than 40, the 40 with most clips have one.
        """
        one = self.points[self.points["readout"] == self.readouts[0]]
        counts = one["target"].value_counts()
        kept = sorted(
            sorted(counts.index, key=lambda name: (-counts[name], name))[: style.MAX_CLASSES]
        )
        return kept, sorted(set(counts.index) - set(kept))

    def notes(self) -> list[str]:
        """What must be known to read the panels; printed on them."""
        facts, settings = self.facts, self.settings
        outside = int(self.points["target"].isna().sum()) // len(self.readouts)
        of = "" if facts["clips"] == facts["whole"] else f" of {facts['whole']:,}, drawn at random"
        said = [
            f"{style.count(facts['clips'], 'clip')}{of}, coloured by {self.task}; {outside:,} "
            f"{self.outside} in pale grey. Standardised readouts, {facts['n_neighbors']} "
            f"neighbours, min_dist {settings['min_dist']}, seed {settings['seed']}.",
            f"Trustworthiness (1: no made-up neighbours; about 0.5: chance) at "
            f"{facts['n_neighbors']} neighbours on {facts['trustworthiness_clips']:,} clips.",
            CAUTION,
        ]
        rest = self.classes()[1]
        if rest:
            said.append(f"The {len(rest)} classes with fewest clips share one grey.")
        if "statement" in facts:
            said.append(f"{facts['statement']}.")
        if self.group is None:
            said.insert(0, "GROUP UNKNOWN: clips of one animal may lie together for that alone.")
        return said


def load(umap: Path, folds: Path, folds_json: Path, title: str, task: str) -> Panels:
    """Join the coordinates with the labels; a map of all clips that lacks one is an error."""
    points = read_table(umap).to_pandas()
    provenance = read_provenance(umap)
    labels = read_table(folds, ["clip_id", "target", "group"]).to_pandas()
    labels = labels.drop_duplicates("clip_id")
    lacking = sorted(set(labels["clip_id"]) - set(points["clip_id"]))
    if lacking and provenance["umap"]["clips"] == provenance["umap"]["whole"]:
        raise StratavoxError(
            f"{umap}: has no coordinates of {len(lacking)} clips of {folds} (such as "
            f"{lacking[0]!r}); delete it and run the workflow again"
        )
    points = points.merge(labels, on="clip_id", how="left", validate="many_to_one")
    summary = read_json(folds_json)
    drawn = summary["drawn_from"] is not None
    about = provenance["umap"], provenance["settings"]
    return Panels(title, task, summary["group"], points, *about, drawn)


def layers_of(panels: Panels) -> list[tuple[str, style.Look, pd.DataFrame, int]]:
    """What is drawn over what: (legend name, look, points, size); pale clips first."""
    points, (kept, rest) = panels.points, panels.classes()
    outside = style.Look(style.PALE, "o", "circle")
    drawn = [(panels.outside, outside, points[points["target"].isna()])]
    grey = style.Look(style.GREY, "o", "circle")
    drawn.append((f"{len(rest)} other classes", grey, points[points["target"].isin(rest)]))
    looks = style.class_looks(kept)
    drawn += [(name, looks[name], points[points["target"] == name]) for name in kept]
    return [layer for layer in drawn if not layer[2].empty]


def static(panels: Panels) -> Figure:
    """The panels for paper."""
    columns = min(COLUMNS, len(panels.readouts))
    rows = -(-len(panels.readouts) // columns)
    size = (WIDTH_IN / COLUMNS * columns, 2.5 * rows + 0.5)
    clips = panels.facts["clips"]
    dot = 16 if clips <= 200 else 9 if clips <= VECTOR_CLIPS else 4
    with matplotlib.rc_context(RC):
        figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False)
        figure.subplots_adjust(
            left=0.0, right=1, bottom=0.02, top=1 - 0.5 / size[1], wspace=0.06, hspace=0.2
        )
        figure.suptitle(panels.title, x=0, ha="left", y=1 - 0.05 / size[1], va="top", fontsize=9.5)
        handles = {}
        for axes, readout in zip(grid.flat, panels.readouts, strict=False):
            for name, look, points in layers_of(panels):
                here = points[points["readout"] == readout]
                handles[name] = axes.scatter(
                    here["x"],
                    here["y"],
                    s=dot,
                    c=look.colour,
                    marker=look.marker,
                    edgecolors=style.INK,
                    linewidths=0.15,
                    rasterized=clips > VECTOR_CLIPS,
                    gid=f"class {name}",
                )
            axes.set_title(panels.panel_title(readout), fontsize=8)
            axes.set(xticks=[], yticks=[])
            for spine in axes.spines.values():
                spine.set(visible=True, color=style.PALE)
        for axes in list(grid.flat)[len(panels.readouts) :]:
            axes.remove()
        scale = 1.6 if clips > VECTOR_CLIPS else 1.2
        legend_and_notes(
            figure,
            list(handles.values()),
            list(handles),
            panels.notes(),
            wide=WIDTH_IN / size[0],
            markerscale=scale,
        )
    return figure


def interactive(panels: Panels) -> go.Figure:
    """The panels for the screen: each clip's id, class and group under the pointer."""
    readouts = panels.readouts
    columns = min(COLUMNS, len(readouts))
    rows = -(-len(readouts) // columns)
    titles = [plain(panels.panel_title(readout)) for readout in readouts]
    figure = make_subplots(
        rows, columns, subplot_titles=titles, horizontal_spacing=0.02, vertical_spacing=0.12 / rows
    )
    for name, look, points in layers_of(panels):
        for number, readout in enumerate(readouts):
            here = points[points["readout"] == readout]
            hover = here[["clip_id", "target", "group"]].astype(object)
            hover = hover.where(hover.notna(), "unknown").map(plain)
            figure.add_trace(
                go.Scattergl(
                    x=here["x"].tolist(),
                    y=here["y"].tolist(),
                    mode="markers",
                    marker={
                        "color": look.colour,
                        "symbol": look.symbol,
                        "size": 7,
                        "line": {"width": 0.4, "color": style.INK},
                    },
                    name=plain(name),
                    legendgroup=plain(name),
                    showlegend=number == 0,
                    customdata=hover.to_numpy().tolist(),
                    hovertemplate=(
                        "%{customdata[0]}<br>class: %{customdata[1]}"
                        "<br>group: %{customdata[2]}<extra></extra>"
                    ),
                ),
                row=number // columns + 1,
                col=number % columns + 1,
            )
    figure.update_xaxes(showticklabels=False, zeroline=False)
    figure.update_yaxes(showticklabels=False, zeroline=False)
    figure.update_layout(
        template="plotly_white",
        height=420 * rows + 160,
        legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0},
        margin={"t": 70, "l": 10, "r": 10},
    )
    return figure


def run(job: Job) -> None:
    wildcards = job.wildcards
    weights = read_json(job.input.encoder)["weights"]
    encoder = style.encoder_label(wildcards.encoder, weights)
    dataset = style.dataset_label(wildcards.dataset, job.settings["source"])
    title = f"{dataset}, {encoder}: UMAP by {wildcards.task}"
    panels = load(job.input.umap, job.input.folds, job.input.summary, title, wildcards.task)
    stem = job.output.umap.with_suffix("")
    save_static(static(panels), stem, job.provenance)
    save_interactive(interactive(panels), stem, title, panels.notes(), job.provenance)
