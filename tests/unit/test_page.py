"""The page in a browser: what a reader sees first, and what answers to the mouse and the keyboard.

Debian's Chromium is driven by playwright. The figures are drawn from the small tables of
`report_tables`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

import report_tables as fake
from stratavox.report import draw, figures, gather, summary
from stratavox.report.results import load
from stratavox.tables import write_table, write_text

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)"
)
FIRST = {"width": 1280, "height": 800}
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    """The page of a task with the figures of the card, of the curves and of the geometry."""
    root = tmp_path_factory.mktemp("page")
    index = fake.write(root)
    zoo = index["datasets"]["zoo"]
    task = zoo["tasks"]["call"]
    task["stems"] = {name: task["stems"][name] for name in ("card", "layers")}
    task["umap"], zoo["stems"] = {}, {}
    zoo["tasks"]["caller"] = task | {"answers": str(better(Path(task["answers"])))}
    results = load("zoo", "call", "folder", Path(task["answers"]), fake.folders(index))
    for name, stem in task["stems"].items():
        figure = figures.build(name, results, {}, {"dataset": "zoo", "task": "call"})
        draw.save(figure, Path(stem), {}, root / "plotly.min.js")
    out = root / "results/report"
    write_text(
        summary.render(gather.content(index), {}, out, root / "tables"), out / "summary.html"
    )
    return (out / "summary.html").as_uri()


def better(answers: Path) -> Path:
    """A copy of a task's answers in which ``deep`` scores higher."""
    copy = answers.with_name("caller")
    shutil.copytree(answers, copy)
    rows = fake.estimates()
    rows.loc[rows["encoder"] == "deep", "value"] += 0.3
    write_table(pa.Table.from_pandas(rows, preserve_index=False), copy / "estimates.parquet", {})
    return copy


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as play:
        # a container's root may not make a sandbox; the page is our own
        started = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser, address):
    """Open the page at a size, in light or dark; at the end nothing was fetched or went wrong."""
    contexts, wrong = [], []

    def open_page(size=FIRST, wait=True, **more) -> Page:
        context = browser.new_context(viewport=size, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url) if fetched(request) else None)
        page.goto(address)
        if wait:
            page.wait_for_selector(".card .plot .main-svg")
        return page

    def fetched(request) -> bool:
        return request.url != address and not request.url.startswith(("data:", "blob:"))

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.mark.parametrize(
    ("width", "height", "scheme"), [(360, 740, "dark"), (1280, 800, "light"), (2560, 1440, "dark")]
)
def test_the_first_card_stands_on_the_first_screen_at_every_size(opened, width, height, scheme):
    page = opened({"width": width, "height": height}, color_scheme=scheme)
    curve = page.locator(".card .plot").first.bounding_box()
    assert curve["y"] < height / 2 and curve["width"] > 250
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width > 360:
        use = page.locator(".card .use").first.bounding_box()
        assert use["y"] + use["height"] <= height


def test_a_point_tells_encoder_readout_interval_and_n(opened):
    page = opened()
    page.evaluate(
        """() => {
            const plot = document.querySelector(".card .plot");
            const curveNumber = plot.data.findIndex((trace) => trace.meta === "curve deep");
            Plotly.Fx.hover(plot, [{ curveNumber, pointNumber: 1 }]);
        }"""
    )
    text = page.locator(".card .hoverlayer").first.text_content()
    rows = fake.estimates().set_index(["encoder", "readout", "control", "regime", "metric"])
    row = rows.loc[("deep", "block_00", "none", "grouped", "balanced_accuracy")]
    for part in ("deep", "block 0", f"{row['low']:.2f} to {row['high']:.2f}", "40 clips, 8 groups"):
        assert part in text, text


def test_the_legend_hides_an_encoder_in_all_figures(opened):
    page = opened()
    page.get_by_text("Curves over depth").first.click()
    page.wait_for_selector("details .plot .main-svg")
    button = page.locator(".legend").get_by_role("button", name="deep", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    states = """() => [...document.querySelectorAll(".plot")].map((plot) =>
        plot.data.filter((one) => one.legendgroup === "deep").map((one) => one.visible))"""
    hidden = page.evaluate(states)
    assert len(hidden) == 3 and all(set(figure) == {"legendonly"} for figure in hidden)
    button.click()
    assert all(set(figure) == {True} for figure in page.evaluate(states))


def test_a_click_on_a_head_sorts_the_tasks_by_an_encoders_score(opened):
    page = opened()
    first = page.locator(".sortable tbody th").first
    head = page.locator(".sortable thead th", has_text="deep")
    for state, task in (("descending", "zoo: caller"), ("ascending", "zoo: call")):
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == state and first.text_content() == task


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_obstacle_for_people_who_need_assistance(opened, scheme):
    page = opened(color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
    page.locator("details figure").first.scroll_into_view_if_needed()
    page.wait_for_selector("details .plot .main-svg")
    violations = Axe().run(page).response["violations"]
    serious = [(v["id"], v["nodes"][0]["html"]) for v in violations if v["impact"] in SERIOUS]
    assert serious == []


def test_without_a_script_the_pictures_stand(opened):
    page = opened(wait=False, java_script_enabled=False)
    picture = page.locator(".card img").first
    assert picture.is_visible() and picture.bounding_box()["width"] > 300


def test_print_shows_the_pictures_and_no_closed_fold(opened):
    page = opened()
    page.emulate_media(media="print")
    assert page.locator(".card img").first.is_visible()
    assert not page.locator(".card .plot").first.is_visible()
    assert not page.get_by_text("Curves over depth").first.is_visible()


def test_a_link_to_details_opens_the_folds_around_it(opened):
    page = opened()
    page.locator(".card a").first.click()
    assert page.locator("#d1t1").is_visible()
