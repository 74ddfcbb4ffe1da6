"""The figure of probes on all blocks: what is drawn is the tables', and it stands alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

import report_tables as fake
import stage_jobs
from report_tables import by_gid, words
from stratavox.report.figures import all_blocks, comparison
from stratavox.report.results import Results, load

HEADS = ("linear", "attention", "order")
PLACES = ("block_02", "concat", "weighted")


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Results:
    index = fake.write(tmp_path_factory.mktemp("task"))
    answers = Path(index["datasets"]["zoo"]["tasks"]["call"]["answers"])
    return load("zoo", "call", "folder", answers, fake.folders(index))


@pytest.fixture(scope="module")
def results(plain) -> Results:
    """The encoder ``deep`` with both protocols; no two values are alike."""
    like = plain.estimates[plain.estimates["readout"] == "concat"].iloc[0]
    rows, weights = [], []
    for protocol, head, readout in product(("icassp2026", "early_stop"), HEADS, PLACES):
        value = 0.3 + 0.02 * len(rows)
        own = {"probe": f"{head}:{protocol}", "readout": readout, "value": value}
        own |= {"low": value - 0.05, "high": value + 0.06, "control": "none", "depth": None}
        rows.append(like.to_dict() | own)
        if head == "order":
            rows.append(rows[-1] | {"control": "shuffled", "value": value - 0.2})
        if readout == "weighted":
            table = plain.layer_weights.assign(probe=f"{head}:{protocol}")
            weights.append(table.assign(weight=table["weight"] - 0.01 * len(weights)))
    return replace(
        plain,
        estimates=pd.concat([plain.estimates, pd.DataFrame(rows)], ignore_index=True),
        layer_weights=pd.concat([plain.layer_weights, *weights], ignore_index=True),
    )


def test_a_mark_for_each_probe_and_readout_and_the_weights_of_the_last_protocol(results):
    figure, table = fake.on_paper(all_blocks, results), results.estimates
    for head, protocol in product(HEADS, ("icassp2026", "early_stop")):
        mark = by_gid(figure, f"{head} none {protocol} deep")
        own = table[(table["probe"] == f"{head}:{protocol}") & (table["control"] == "none")]
        assert list(mark.get_ydata()) == pytest.approx(own["value"].tolist())
        assert [round(x) for x in mark.get_xdata()] == [0, 1, 2]
    crosses = by_gid(figure, "order shuffled early_stop deep")
    assert len(crosses.get_ydata()) == 3 and crosses.get_marker() == "x"
    line = by_gid(figure, "weights linear deep")
    weights = results.layer_weights
    own = weights[weights["probe"] == "linear:early_stop"]["weight"]
    assert list(line.get_ydata()) == pytest.approx(own.tolist())
    printed = words(figure)
    assert "deep: icassp2026" in printed and "deep: early_stop" in printed
    fake.on_screen(all_blocks, results)


def test_not_requested_is_said_and_the_comparison_does_not_list_them(plain, results):
    assert all_blocks.NOTHING in words(fake.on_paper(all_blocks, plain))
    listed = [comparison.listed(one) for one in (plain, results)]
    assert listed[0] == listed[1]


def test_a_run_without_such_probes_has_no_empty_figure(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = stage_jobs.default_config()

    def figures() -> set[str]:
        """Figures of the run, without dataset, task and ending."""
        return {Path(path).stem for path in stage_jobs.rules(config, tmp_path)["figures"]()}

    plain = figures()
    assert "samples" in plain and "all_blocks" not in plain
    small = config["datasets"]["chorus"]["probes"] | {"samples": None}
    config["datasets"]["soundscape"]["probes"] = small
    small = small | {"all_blocks": {"encoders": ["beats_small"]}}
    config["datasets"]["chorus"]["probes"] = small
    assert figures() == plain - {"samples"} | {"all_blocks"}
