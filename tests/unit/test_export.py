"""Figures for papers: the data behind them, captions, and files in a journal's widths."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from PIL import Image

import report_tables as fake
from stratavox.report import export, figures, journal, layout, paper
from stratavox.report.figure import Band, Figure, Heat, Label, Panel, Points, Rule
from stratavox.report.results import load

TEXT = "{http://www.w3.org/2000/svg}text"
TABLES = {
    kind: {encoder: fake.beside(kind, encoder) for encoder in fake.ENCODERS}
    for kind in ("neighbours", "notebook")
}
LONG = "a name with many words that somebody gave to an encoder, 日本語, W" * 2


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> dict:
    """Every figure of a task, by name."""
    index = fake.write(tmp_path_factory.mktemp("task"))
    answers = Path(index["datasets"]["zoo"]["tasks"]["call"]["answers"])
    task = load("zoo", "call", "folder", answers, fake.folders(index))
    return {name: figures.build(name, task, TABLES, fake.PLACES) for name in figures.of("target")}


@pytest.mark.parametrize("name", figures.of("target"))
def test_the_csv_holds_all_that_a_figure_shows(drawn, name, tmp_path):
    export.save(drawn[name], tmp_path / name)
    with open(tmp_path / f"{name}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    series = [one for panel in drawn[name].panels for one in panel.series]
    count = {Points: 0, Band: 0, Rule: 0, Heat: 0, Label: 0}
    for one in series:
        count[type(one)] += (
            len(one.values) * len(one.values[0])
            if isinstance(one, Heat)
            else len(one.x)
            if isinstance(one, Points | Band)
            else 1
        )
    kinds = {"point": Points, "band": Band, "line": Rule, "cell": Heat, "text": Label}
    for kind, of in kinds.items():
        assert sum(row["kind"] == kind for row in rows) == count[of]
    for number, panel in enumerate(drawn[name].panels, start=1):
        for one in panel.series:
            if not isinstance(one, Points) or not one.name or not len(one.x):
                continue
            own = [
                row
                for row in rows
                if row["panel"] == str(panel.title or number) and row["series"] == one.name
            ]
            have = [(_number(row["x"]), _number(row["y"])) for row in own]
            for x, y in zip(one.x, one.y, strict=True):
                assert any(np.allclose((x, y), each, equal_nan=True) for each in have), one.name


def _number(text: str) -> float:
    return float(text or "nan")


def test_a_caption_can_be_pasted(drawn):
    text = export.caption(drawn["layers"])
    assert text.startswith("Layer by layer: call of zoo. Balanced accuracy of the linear probe")
    for part in ("40 clips, 8 groups, 4 classes, chance 0.25", "95 % t interval over groups"):
        assert part in text
    assert "{" not in text and text.count("\n") == 1


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("width", [85, 180, None])
def test_nothing_stands_outside_the_page(drawn, width):
    """Also where names are long and in another script."""
    page = journal.page(width) if width else layout.REPORT
    for name, figure in drawn.items():
        for shown in (figure, _renamed(figure)):
            fitted = journal.fitted(shown, page) if width else shown
            sheet = paper.draw(fitted, page)
            wide, tall = sheet.get_size_inches()
            ends = sheet.get_tightbbox()
            room = (ends.x0, ends.y0, wide - ends.x1, tall - ends.y1)
            assert min(room) > -0.01, (name, room)


def _renamed(figure):
    """The figure with long names in its legend and long titles."""
    panels = [
        replace(
            panel,
            title=panel.title and LONG,
            series=[
                replace(one, legend=LONG + one.legend) if getattr(one, "legend", "") else one
                for one in panel.series
            ],
        )
        for panel in figure.panels
    ]
    return replace(figure, panels=panels, title=LONG, notes=[*figure.notes, LONG])


@pytest.mark.parametrize("width", [85, 180])
def test_a_journal_gets_its_width(drawn, tmp_path, width):
    page = journal.page(width)
    figure = journal.fitted(drawn["layers"], page)
    paper.save_vectors(figure, tmp_path / "layers", {"key": "k"}, page)
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", (tmp_path / "layers.pdf").read_bytes())
    assert float(box[1]) / 72 * 25.4 == pytest.approx(width, abs=0.1)
    tree = ElementTree.parse(tmp_path / "layers.svg")
    assert float(tree.getroot().get("width")[:-2]) / 72 * 25.4 == pytest.approx(width, abs=0.1)
    texts = [one for one in tree.iter() if one.tag.endswith("}text")]
    sizes = {re.search(r"([\d.]+)px", one.get("style"))[1] for one in texts}
    assert sizes == {"8"}
    printed = " ".join("".join(one.itertext()) for one in texts)
    assert drawn["layers"].title not in printed and "groups, 4 classes" not in printed


def test_narrow_figures_have_one_panel_a_row(drawn):
    page = journal.page(85)
    figure = journal.fitted(drawn["neighbours"], page)
    assert len(layout.rows(figure, page)) == len(figure.panels) == 5


def test_a_png_has_few_colours_and_a_white_page(drawn, tmp_path):
    paper.save(drawn["layers"], tmp_path / "layers", {"key": "kept"})
    picture = Image.open(tmp_path / "layers.png")
    assert picture.mode == "P" and "kept" in picture.info["Description"]
    assert picture.convert("RGB").getpixel((1, 1)) == (255, 255, 255)


def test_a_slim_svg_says_and_places_the_same():
    named = "<b x=\"1.23456\"> font-family: 'DejaVu Sans'"
    rows = Points([1.23456, 2], [0.1, 0.2], "#0072B2", name="curve deep", marker="o", legend=named)
    figure = Figure([Panel([rows], (3, 2))], [named], named)
    written = io.StringIO()
    with matplotlib.rc_context(paper.RC):
        paper.draw(figure).savefig(written, format="svg", metadata={"Date": None})
    whole, slim = (
        ElementTree.fromstring(text)
        for text in (written.getvalue(), paper.slim(written.getvalue()))
    )
    texts = [["".join(one.itertext()) for one in tree.iter(TEXT)] for tree in (whole, slim)]
    assert texts[0] == texts[1] and named in texts[1]
    assert [one.get("id") for one in slim.iter() if one.get("id") == "curve deep"]
    places = [
        [float(one.get("x")) for one in tree.iter() if one.get("x")] for tree in (whole, slim)
    ]
    assert len(places[0]) > 5 and np.allclose(*places, atol=0.01)
    assert len(paper.slim(written.getvalue())) < 0.9 * len(written.getvalue())
