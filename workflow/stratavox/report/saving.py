"""Writing a figure: SVG, PDF and PNG by matplotlib, a page that needs no network by plotly.

The same table gives the same bytes: no dates, no random ids.
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib
import plotly.graph_objects as go
from matplotlib.figure import Figure
from plotly.offline import get_plotlyjs

from stratavox.report.templating import environment
from stratavox.tables import atomic_path, write_text

matplotlib.use("agg")
RC = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    # names come from users: a dollar sign is a dollar sign
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "stratavox",
    "pdf.fonttype": 42,
}


def save_figure(figure, given: list, stem: Path, title: str, provenance: dict) -> None:
    """Write a figure in every format; ``figure`` is a module with static, interactive and notes."""
    save_static(figure.static(*given), stem, provenance)
    notes = figure.notes(*given)
    save_interactive(figure.interactive(*given), stem, title, notes, provenance)


def save_static(figure: Figure, stem: Path, provenance: dict) -> None:
    """Write STEM.svg (text as text), STEM.pdf and STEM.png (200 dpi) with the provenance inside."""
    said = json.dumps(provenance, sort_keys=True)
    metadata = {
        "svg": {"Date": None, "Description": said},
        "pdf": {"CreationDate": None, "Subject": said},
        "png": {"Software": None, "Description": said},
    }
    for kind, facts in metadata.items():
        with matplotlib.rc_context(RC), atomic_path(f"{stem}.{kind}") as temporary:
            figure.savefig(temporary, dpi=200, metadata=facts, bbox_inches="tight", pad_inches=0.08)


def save_interactive(
    figure: go.Figure, stem: Path, title: str, notes: list[str], provenance: dict
) -> None:
    """Write STEM.html: plotly and the data inside it, the notes as text below the figure."""
    page = environment().get_template("interactive.html.j2")
    body = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id="figure",
        config={
            "displaylogo": False,
            "responsive": True,
            # uploads the figure's data to a server
            "modeBarButtonsToRemove": ["sendChartToCloud"],
        },
    )
    text = page.render(
        title=title,
        plotlyjs=get_plotlyjs(),
        body=body,
        notes=notes,
        provenance=json.dumps(provenance, sort_keys=True),
    )
    write_text(text, f"{stem}.html")
