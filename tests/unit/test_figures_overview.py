"""Figures of a dataset: what is drawn is the tables', random draws stand for one encoder."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh

import report_tables as fake
from report_tables import by_gid, words
from stratavox.report import style
from stratavox.report.figures import shape, similarity
from stratavox.report.results import Overview
from stratavox.report.screen import plain

NASTY = "<script>alert(1)</script>$x^2$"


def encoder(weights: str, blocks: int) -> dict:
    names = [f"block_{number:02d}" for number in range(blocks)]
    return {
        "weights": weights,
        "blocks": names,
        "readouts": ["input", *names] if blocks else ["features"],
    }


ENCODERS = {
    "deep": encoder("file", 3),
    "r_seed0": encoder("random", 2),
    "r_seed1": encoder("random", 2),
    NASTY: encoder("none", 0),
}
DRAWS = {"r": ["r_seed0", "r_seed1"]}
READOUTS = [(name, readout) for name, facts in ENCODERS.items() for readout in facts["readouts"]]


def cka(a: int, b: int) -> float:
    """Symmetric, 1 on the diagonal, no other two pairs alike."""
    return 1.0 if a == b else (100 * min(a, b) + max(a, b)) / 1000


ZOO = Overview("zoo", ENCODERS, DRAWS)


def alike(undefined: int | None = None) -> pd.DataFrame:
    rows = [
        (*READOUTS[a], *READOUTS[b], np.nan if undefined in (a, b) else cka(a, b), 321)
        for a in range(len(READOUTS))
        for b in range(len(READOUTS))
    ]
    columns = ["a_encoder", "a_readout", "b_encoder", "b_readout", "cka", "n_clips"]
    # the order of a table's rows is no one's promise
    return pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=0)


def shapes() -> dict[str, pd.DataFrame]:
    tables, step = {}, 0
    for name, facts in ENCODERS.items():
        rows = []
        for readout in facts["readouts"]:
            step += 1
            for measure, scale in (("effective_rank", 10.0), ("participation_ratio", 3.0)):
                value = scale + step
                rows.append((readout, measure, value, value - 0.5, value + 0.5, value + 20))
            rows.append((readout, "mean_cosine", step / 20, step / 20, step / 20, np.nan))
        columns = ["readout", "measure", "value", "low", "high", "null"]
        table = pd.DataFrame(rows, columns=columns).assign(n_clips=1234, n_drawn=80)
        # written in any order, drawn by depth
        tables[name] = table.iloc[::-1]
    return tables


def of(
    data: dict[str, pd.DataFrame], name: str, measure: str, column: str = "value"
) -> list[float]:
    rows = data[name]
    rows = rows[rows["measure"] == measure].set_index("readout")[column]
    return rows.loc[ENCODERS[name]["readouts"]].tolist()


def meshes(figure) -> list[QuadMesh]:
    return [mesh for mesh in figure.axes[0].collections if isinstance(mesh, QuadMesh)]


# ---- similarity ----


def test_cells_are_the_tables_in_the_runs_order_with_the_first_draw_only():
    data = alike()
    rows = [place for place, (name, _) in enumerate(READOUTS) if name != "r_seed1"]
    truth = [[cka(a, b) for b in rows] for a in rows]
    (cells,) = meshes(fake.on_paper(similarity, ZOO, data))
    assert np.array_equal(cells.get_array(), truth)
    heat = fake.on_screen(similarity, ZOO, data).data[0]
    assert np.array_equal(heat.z, truth)
    assert heat.customdata[0][1] == "deep, input<br>deep, block 0<br>0.00"
    ticks = [
        tick.get_text() for tick in fake.on_paper(similarity, ZOO, data).axes[0].get_yticklabels()
    ]
    assert ticks == ["input", "0", "1", "2", "input", "0", "1", "features"]


def test_similarity_of_draws_compares_the_same_readout_of_different_draws():
    pairs = [cka(4, 7), cka(5, 8), cka(6, 9)]
    printed = words(fake.on_paper(similarity, ZOO, alike()))
    assert "r: the first of 2 random draws" in printed
    wanted = f"mean {np.mean(pairs):.2f}, range {min(pairs):.2f} to {max(pairs):.2f}"
    assert wanted in printed
    assert (
        "r (random weights, 2 draws)" in printed
        and "321 clips" in printed
        and "Grey" not in printed
    )


def test_an_undefined_cell_stays_empty_and_is_explained():
    data = alike(undefined=1)
    figure, screen = fake.on_paper(similarity, ZOO, data), fake.on_screen(similarity, ZOO, data)
    (cells,) = meshes(figure)
    empty = np.ma.getmaskarray(cells.get_array())
    assert empty[1].all() and empty[:, 1].all() and empty.sum() == 2 * len(empty) - 1
    assert "Grey or blank: not defined" in words(figure)
    assert screen.data[0].customdata[1][0].endswith("not defined")


# ---- shape ----


def test_curves_are_the_tables_values_and_draws_their_mean():
    data = shapes()
    figure, screen = fake.on_paper(shape, ZOO, data), fake.on_screen(shape, ZOO, data)
    for measure in shape.PANELS:
        wanted = {
            "deep": of(data, "deep", measure),
            "r": np.mean([of(data, name, measure) for name in DRAWS["r"]], axis=0).tolist(),
            NASTY: of(data, NASTY, measure),
        }
        traces = {trace.meta: trace for trace in screen.data}
        for unit, values in wanted.items():
            trace = traces[plain(f"{measure} {unit}")]
            line = by_gid(figure, f"{measure} {unit}")
            assert list(line.get_ydata()) == pytest.approx(values)
            assert list(trace.y) == pytest.approx(values)
        assert list(by_gid(figure, f"{measure} deep").get_xdata()) == [0, 1, 2, 3]
        assert list(by_gid(figure, f"{measure} r").get_xdata()) == [0, 1, 2]
        assert by_gid(figure, f"{measure} {NASTY}").get_xdata()[0] > 3
    null = by_gid(figure, "null effective_rank deep")
    assert list(null.get_ydata()) == of(data, "deep", "effective_rank", "null")
    assert not [t for t in screen.data if t.meta.startswith("null mean_cosine")]


def test_the_band_of_random_draws_spans_them_all():
    data = shapes()
    rows = shape.table(ZOO, data, "r", "effective_rank").set_index("readout")
    for readout, place in (("input", 0), ("block_01", 2)):
        low = of(data, "r_seed0", "effective_rank", "low")[place]
        high = of(data, "r_seed1", "effective_rank", "high")[place]
        assert (rows.loc[readout, "low"], rows.loc[readout, "high"]) == (low, high)
    printed = words(fake.on_paper(shape, ZOO, data))
    assert "80 clips of 1,234 at a time" in printed and "mean over 2 random draws" in printed


# ---- both ----


@pytest.mark.parametrize(("module", "data"), [(similarity, alike()), (shape, shapes())])
def test_names_are_shown_as_text_alone(module, data):
    assert NASTY in words(fake.on_paper(module, ZOO, data))
    page = str(fake.on_screen(module, ZOO, data).to_plotly_json())
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_colours_are_those_of_the_tasks_figures():
    figure = fake.on_paper(shape, ZOO, shapes())
    looks = style.encoder_looks(["deep", "r", NASTY])
    for unit, look in looks.items():
        assert by_gid(figure, f"effective_rank {unit}").get_color() == look.colour
