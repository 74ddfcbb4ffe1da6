"""The report's opening on synthetic calls: each row follows from the tables, in both directions."""

from dataclasses import replace

import pandas as pd
import pytest

import report_tables as fake
from stratavox.report.planted import (
    ACOUSTICS,
    AS_PLANTED,
    LATE,
    MIXED,
    NOT_SO,
    OPEN,
    ORDER,
    planted,
)
from test_report import loaded, page

CROSSED = {"confounded": False}


def rows_of(root, target="call_type", low=None, high=None, encoder="logmel", chorus=CROSSED):
    """The rows after the interval of one encoder's main scores was moved."""
    table = fake.estimates()
    main = (table["encoder"] == encoder) & (table["control"] == "none")
    main &= table["regime"] == "grouped"
    if low is not None:
        table.loc[main, ["low", "high"]] = low, high
    results = loaded(root, estimate_rows=table, source="chorus")
    return planted(results, target, chorus)


@pytest.mark.parametrize(
    ("resolved", "difference", "verdict"),
    [(True, 0.2, NOT_SO), (True, -0.2, AS_PLANTED), (False, 0.2, AS_PLANTED)],
)
def test_order_must_be_at_chance_for_a_baseline(tmp_path, resolved, difference, verdict):
    table = fake.contrasts().assign(resolved=resolved, difference=difference)
    results = loaded(tmp_path, contrast_rows=table, source="chorus")
    rows = [row for row in planted(results, "call_type", CROSSED) if row["planted"] == ORDER]
    assert [row["verdict"] for row in rows] == [verdict]
    one = results.one("logmel", "features")
    assert f"{one['low']:.3f} to {one['high']:.3f}" in rows[0]["measured"]
    assert "0.250" in rows[0]["expected"]


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.2, 0.3, AS_PLANTED), (0.1, 0.2, AS_PLANTED), (0.26, 0.4, NOT_SO)],
)
def test_order_must_be_at_chance_for_patches(tmp_path, low, high, verdict):
    table = fake.estimates()
    table.loc[table["readout"] == "input", "readout"] = "patch"
    main = (table["control"] == "none") & (table["regime"] == "grouped")
    table.loc[main, ["low", "high"]] = low, high
    results = loaded(tmp_path, estimate_rows=table, source="chorus")
    rows = planted(results, "call_type", CROSSED)
    rows = [row for row in rows if row["planted"] == ORDER and "logmel" not in row["where"]]
    assert [row["verdict"] for row in rows] == [verdict, verdict]


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.26, 0.4, AS_PLANTED), (0.2, 0.3, OPEN), (0.1, 0.2, NOT_SO)],
)
def test_order_must_be_above_chance_for_a_trained_encoder(tmp_path, low, high, verdict):
    rows = rows_of(tmp_path, low=low, high=high, encoder="deep")
    rows = [row for row in rows if row["planted"] == MIXED]
    assert [(row["where"].split(",")[0], row["verdict"]) for row in rows] == [("deep", verdict)]


def test_of_a_model_without_blocks_or_without_input_nothing_is_expected(tmp_path):
    results = loaded(tmp_path, source="chorus")
    names = [row["planted"] for row in planted(results, "call_type", CROSSED)]
    assert ORDER in names and ACOUSTICS in names
    results.encoders["logmel"] |= {"weights": "file", "readouts": ["output"]}
    atlas = results.explained_variance
    without = replace(results, explained_variance=atlas[atlas["readout"] != "input"])
    names = [row["planted"] for row in planted(without, "call_type", CROSSED)]
    assert ORDER not in names and ACOUSTICS not in names
    assert planted(without, "species", CROSSED)


def test_a_range_over_few_groups_leaves_the_verdict_open(tmp_path):
    results = loaded(tmp_path, estimate_rows=fake.estimates(interval="range over groups"))
    rows = [row for row in planted(results, "call_type", CROSSED) if row["planted"] == MIXED]
    assert [row["verdict"] for row in rows] == [OPEN]


@pytest.mark.parametrize(
    ("direction", "verdict"),
    [
        ("rises", AS_PLANTED),
        ("falls", NOT_SO),
        ("level", NOT_SO),
        ("undetermined", OPEN),
        ("not decodable", OPEN),
        ("not tested", OPEN),
    ],
)
def test_call_type_must_rise_with_depth_for_trained_encoders_alone(tmp_path, direction, verdict):
    results = loaded(tmp_path, source="chorus")
    results.trends.loc[0, "direction"] = direction
    rows = planted(results, "call_type", CROSSED)
    (row,) = [row for row in rows if row["planted"] == LATE]
    assert (row["where"], row["expected"], row["verdict"]) == ("deep", "rises", verdict)
    assert row["measured"] == "+0.030 from the first to the last third (0.012 to 0.048)"


def test_there_are_no_rows_for_other_targets_or_without_groups(tmp_path):
    assert rows_of(tmp_path, target="label") == []
    ungrouped = loaded(tmp_path / "b", grouped=False, source="chorus")
    assert planted(ungrouped, "call_type", CROSSED) == []


def test_the_page_has_it_for_synthetic_data_alone(tmp_path):
    assert "what was planted, and what was measured" in page(tmp_path, source="chorus")[0].text
    assert "planted" not in page(tmp_path / "real")[0].text


def test_leakage_is_listed_where_sessions_are_confounded(tmp_path):
    names = fake.claims().assign(evidence="contrasts: random or grouped split")
    results = replace(loaded(tmp_path, source="chorus"), claims=names)
    rows = planted(results, "individual", {"confounded": True})
    verdicts = [row["verdict"] for row in rows if "confounded" in row["planted"]]
    assert verdicts == [AS_PLANTED, NOT_SO, OPEN, AS_PLANTED]
    kept = planted(results, "individual", CROSSED)
    assert not [row for row in kept if "confounded" in row["planted"]]


def test_each_species_of_a_soundscape_is_expected_and_the_unheard_one_at_guessing(tmp_path):
    heard = {"class": "sp0", "chance": 0.4, "value": 0.8, "low": 0.5, "high": 0.9}
    silent = {"class": "unheard", "chance": 0.3, "value": 0.3, "low": 0.2, "high": 0.4}
    shared = {"encoder": "logmel", "readout": "features", "interval": "t over groups"}
    cases = [
        ({}, {}, [AS_PLANTED, AS_PLANTED]),
        ({"low": 0.35}, {"low": 0.31}, [OPEN, NOT_SO]),
        ({"low": 0.2, "high": 0.3}, {"interval": "range over groups"}, [NOT_SO, OPEN]),
    ]
    results = loaded(tmp_path, source="chorus")
    for one, other, verdicts in cases:
        table = pd.DataFrame([shared | heard | one, shared | silent | other])
        mixed = replace(results, others=results.others | {"classes": table})
        rows = planted(mixed, "species", CROSSED | {"soundscapes": {}})
        assert [row["verdict"] for row in rows] == verdicts
    assert "0.400" in rows[0]["expected"] and "sp0" in rows[0]["planted"]
