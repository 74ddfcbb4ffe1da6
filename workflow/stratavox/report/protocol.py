"""The seed notebook's protocol beside the sound one, on the same embeddings: a panel an encoder.

What differs is the method alone: unscaled, C = 1, one random split and accuracy, against
standardised, C chosen in training, held-out groups and balanced accuracy.
"""

from __future__ import annotations

import matplotlib
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from stratavox.report import style
from stratavox.report.leakage import (
    baseline_handles,
    dress,
    ends,
    finish_screen,
    finish_static,
    once_in_legend,
    panels,
    places,
    screens,
    small_multiples,
    whiskers,
)
from stratavox.report.results import Results
from stratavox.report.saving import RC
from stratavox.report.screen import band, hover_data, line, plain
from stratavox.report.static import fill_between

TITLE = "the notebook's protocol beside the sound one"
Y_TITLE = "(balanced) accuracy"
SOUND, NOTEBOOK = ("sound protocol", style.BLUE), ("notebook's protocol", style.VERMILION)


def of_notebook(results: Results, notebook: dict[str, pd.DataFrame], encoder: str) -> pd.DataFrame:
    """readout, value, low and high: accuracies, of random draws their mean and range."""
    names = results.facts["draws"].get(encoder, [encoder])
    told = pd.concat([notebook[name] for name in names])
    found = told.groupby("readout", sort=False)["accuracy"].agg(["mean", "min", "max"])
    found = found.reset_index().set_axis(["readout", "value", "low", "high"], axis=1)
    depths = results.curve(encoder).set_index("readout")["depth"]
    return found.assign(depth=found["readout"].map(depths))


def notes(results: Results, notebook: dict[str, pd.DataFrame]) -> list[str]:
    """What must be known to read the figure; printed on it."""
    told = pd.concat(notebook.values())
    stopped = int(told["max_iter_reached"].sum())
    tests = " or ".join(f"{number:,}" for number in sorted(set(told["n_test"])))
    return [
        results.counts_line(),
        results.group_line(),
        f"Notebook's protocol: logistic regression without scaling, C = 1, one random split of 80 "
        f"to 20 % (seed 42), accuracy on {tests} clips, no interval. {stopped} of {len(told)} fits "
        "stopped before they converged.",
        results.interval_line("Sound protocol, balanced accuracy; bands and whiskers"),
        *results.draws_line("Random weights"),
    ]


def static(results: Results, notebook: dict[str, pd.DataFrame]) -> Figure:
    """The figure for paper."""
    looks = style.encoder_looks(list(results.encoders))
    shown = panels(results)
    with matplotlib.rc_context(RC):
        figure, grid = small_multiples(len(shown))
        for axes, encoder in zip(grid, shown, strict=True):
            if encoder is not None:
                rows = results.curve(encoder)
                fill_between(axes, rows["depth"], rows["low"], rows["high"], SOUND[1], None)
                axes.plot(
                    rows["depth"], rows["value"], color=SOUND[1], lw=1.5, gid=f"sound {encoder}"
                )
                told = of_notebook(results, notebook, encoder).dropna(subset="depth")
                axes.vlines(told["depth"], told["low"], told["high"], color=NOTEBOOK[1], lw=0.7)
                axes.plot(
                    told["depth"],
                    told["value"],
                    color=NOTEBOOK[1],
                    ls="--",
                    marker="o",
                    mfc="none",
                    ms=3.5,
                    lw=1,
                    gid=f"notebook {encoder}",
                )
            _draw_baselines(axes, results, notebook, encoder, looks)
            axes.axhline(results.facts["chance"], color=style.INK, lw=0.7, zorder=1)
            dress(results, axes, encoder)
        if grid:
            grid[0].set_ylabel(Y_TITLE)
        handles = [
            Line2D([], [], color=SOUND[1], lw=1.5, label=SOUND[0]),
            Line2D(
                [],
                [],
                color=NOTEBOOK[1],
                ls="--",
                marker="o",
                mfc="none",
                ms=3.5,
                lw=1,
                label=NOTEBOOK[0],
            ),
            Line2D([], [], color=style.INK, lw=0.7, label="chance"),
            *baseline_handles(results, looks),
        ]
        said = notes(results, notebook)
        finish_static(figure, f"{results.heading}, {TITLE}", handles, said)
    return figure


def _draw_baselines(axes, results: Results, notebook, encoder: str | None, looks) -> None:
    start, end = ends(results, encoder)
    for baseline, x in places(results, start, end).items():
        mark = looks[baseline].marker
        for row in results.rows(baseline).itertuples():
            if not style.missing(row.low):
                axes.vlines(x, row.low, row.high, color=SOUND[1], lw=0.8)
            axes.plot([x], [row.value], mark, color=SOUND[1], ms=3.5)
        for row in of_notebook(results, notebook, baseline).itertuples():
            axes.plot(
                [x],
                [row.value],
                mark,
                mfc="none",
                mec=NOTEBOOK[1],
                ms=4.5,
                gid=f"notebook {baseline} in {encoder}",
            )


def interactive(results: Results, notebook: dict[str, pd.DataFrame]) -> go.Figure:
    """The figure for the screen."""
    figure, grid = screens(results)
    for axes, encoder in zip(grid, panels(results), strict=True):
        before = len(figure.data)
        start, end = ends(results, encoder)
        stands = places(results, start, end)
        last = max(stands.values(), default=end)
        chance = line(figure, [start, last], [results.facts["chance"]] * 2, style.INK, "solid", "")
        chance.update(name="chance", legendgroup="chance", line_width=0.8)
        if encoder is not None:
            rows = results.curve(encoder)
            band(figure, rows["depth"], rows["low"], rows["high"], SOUND[1], group=SOUND[0])
            trace = line(figure, rows["depth"], rows["value"], SOUND[1], "solid", *[SOUND[0]] * 2)
            trace.update(mode="lines+markers", hoverinfo=None, customdata=hover_data(rows))
            trace.update(
                hovertemplate="%{customdata[1]}: %{customdata[2]} (%{customdata[3]})"
                "<extra>sound</extra>",
                meta=f"sound {plain(encoder)}",
            )
            told = of_notebook(results, notebook, encoder).dropna(subset="depth")
            _add(figure, told["depth"], told, encoder)
        for baseline, x in stands.items():
            told = of_notebook(results, notebook, baseline)
            _add(figure, [x] * len(told), told, baseline)
            rows = results.rows(baseline)
            figure.add_scatter(
                x=[x] * len(rows),
                y=rows["value"],
                mode="markers",
                marker={"color": SOUND[1], "size": 8},
                error_y=whiskers(rows["value"], rows["low"], rows["high"]),
                legendgroup=SOUND[0],
                customdata=hover_data(rows),
                hovertemplate="%{customdata[0]}: %{customdata[2]} (%{customdata[3]})"
                "<extra>sound</extra>",
                meta=f"sound {plain(baseline)}",
            )
        for trace in figure.data[before:]:
            trace.update(**axes)
    once_in_legend(figure)
    finish_screen(figure, results)
    figure.update_yaxes(title=Y_TITLE, col=1)
    return figure


def _add(figure: go.Figure, x, told: pd.DataFrame, encoder: str) -> None:
    trace = line(figure, x, told["value"], NOTEBOOK[1], "dash", *[NOTEBOOK[0]] * 2)
    trace.update(mode="lines+markers", marker_symbol="circle-open", marker_size=7, hoverinfo=None)
    trace.update(customdata=[plain(encoder)] * len(told))
    trace.update(error_y=whiskers(told["value"], told["low"], told["high"]))
    trace.update(hovertemplate="%{customdata}: %{y:.3f}<extra>notebook</extra>")
    trace.update(meta=f"notebook {plain(encoder)}")
