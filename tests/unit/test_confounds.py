"""What goes with the label: known truths of its numbers, and what the report says of them."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats.contingency import association as uncorrected

import report_tables as fake
import stage_jobs
from corpus_data import put_table, settings
from stratavox import tables
from stratavox.corpus.scan import scan
from stratavox.errors import StratavoxError
from stratavox.probe import confounds, folds
from stratavox.report import gather, summary
from test_report import SCRIPTS, Page, drawn


def associated(target, cells):
    return confounds.association(list(target), list(cells), 0)


# ---- the numbers ----


def test_a_column_that_is_the_label_under_another_name():
    target = ["a"] * 7 + ["b"] * 11 + ["c"] * 5
    described = associated(target, [f"as {label}" for label in target])
    assert described["cramers_v"] == pytest.approx(1, abs=1e-12)
    assert described["balanced_accuracy"] == 1
    rarest_first = [{"label": x, "value": f"as {x}"} for x in "cab"]
    assert described["single_valued"] == rarest_first
    assert described["shuffled"] < 0.6


def test_a_column_that_has_nothing_to_do_with_the_label():
    generator = np.random.default_rng(0)
    target, cells = generator.choice(list("abcd"), 4000), generator.choice(list("uvwxyz"), 4000)
    described = associated(target, cells)
    assert described["cramers_v"] < 0.02
    assert described["single_valued"] == []
    assert described["balanced_accuracy"] == pytest.approx(described["shuffled"], abs=0.02)
    # exactly independent: below 0 before it is cut there
    assert associated(list("aabb") * 10, list("uvuv") * 10)["cramers_v"] == 0


def test_few_clips_and_many_values_by_luck():
    """What the bias correction is for: without it, V is far from 0."""
    drawn = []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        target = generator.choice(list("abc"), 60)
        cells = generator.choice([f"bird {n}" for n in range(12)], 60)
        drawn.append(associated(target, cells))
        table = pd.crosstab(target, cells).to_numpy()
        drawn[-1]["uncorrected"] = uncorrected(table, method="cramer")
    mean = pd.DataFrame(drawn)[["cramers_v", "uncorrected", "balanced_accuracy", "shuffled"]].mean()
    assert mean["uncorrected"] > 0.35 and mean["cramers_v"] < 0.12
    assert mean["balanced_accuracy"] > 0.5  # chance is a third
    assert mean["balanced_accuracy"] == pytest.approx(mean["shuffled"], abs=0.03)


def test_a_table_computed_by_hand():
    # class a: 10 clips of value 1; class b: 5 of value 1, 5 of value 2.
    # phi2 = 1/3, less 1/19 for the bias, over 1 - 1/19: 8/27
    described = associated(["a"] * 10 + ["b"] * 10, ["1"] * 15 + ["2"] * 5)
    assert described["cramers_v"] == pytest.approx((8 / 27) ** 0.5)
    # value 1 guesses a (10 of 10), value 2 guesses b (5 of 10)
    assert described["balanced_accuracy"] == pytest.approx(0.75)
    assert described["single_valued"] == [{"label": "a", "value": "1"}]
    assert (described["clips"], described["classes"], described["values"], described["chance"]) == (
        20,
        2,
        2,
        0.5,
    )


def test_at_many_clips_it_is_the_usual_v():
    counts = np.array([[30, 5, 2], [3, 40, 9], [8, 7, 50], [20, 20, 20]]) * 500
    assert confounds.cramers_v(counts) == pytest.approx(
        uncorrected(counts, method="cramer"), abs=1e-3
    )


def test_a_column_that_is_a_function_of_the_label_has_v_near_1():
    """Three birds in two cages: V is near 1, though the cage does not tell the birds apart."""
    target = ["a"] * 30 + ["b"] * 30 + ["c"] * 30
    described = associated(target, ["cage 1"] * 60 + ["cage 2"] * 30)
    assert 0.98 < described["cramers_v"] < 1
    assert described["balanced_accuracy"] == pytest.approx(2 / 3)


def test_order_and_names_change_nothing():
    generator = np.random.default_rng(3)
    target, cells = generator.choice(list("abc"), 90), generator.choice(list("uv"), 90)
    described = associated(target, cells)
    order = generator.permutation(90)
    again = associated(target[order], [{"u": "z", "v": "y"}[cell] for cell in cells[order]])
    for key in ("cramers_v", "balanced_accuracy"):
        assert again[key] == pytest.approx(described[key])


def test_no_rule_that_knows_the_column_alone_does_better():
    """Against all rules from values to classes."""
    from itertools import product

    generator = np.random.default_rng(4)
    target, cells = generator.choice(3, 40, p=[0.7, 0.2, 0.1]), generator.choice(4, 40)
    best = max(
        np.mean([np.mean(np.array(rule)[cells[target == c]] == c) for c in range(3)])
        for rule in product(range(3), repeat=4)
    )
    counts = confounds.counted(target, cells, (3, 4))
    assert confounds.from_column(counts) == pytest.approx(best)


def test_one_value_for_all():
    described = associated(list("aabb"), ["adult"] * 4)
    assert (described["cramers_v"], described["balanced_accuracy"]) == (None, 0.5)
    json.dumps(described, allow_nan=False)


# ---- the stage ----


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Zebra finches in small: LT of chicks alone, Be nearly; one age is not known."""
    monkeypatch.chdir(tmp_path)
    calls = {"LT": ["chick"] * 12, "Be": ["chick"] * 11 + ["adult"], "DC": ["adult"] * 11 + [""]}
    rows = [
        [f"{call}{n}.bin", call, age, f"bird {n % 4}", n]
        for call, ages in calls.items()
        for n, age in enumerate(ages)
    ]
    for place, row in enumerate(rows):
        row[-1] = place
    (tmp_path / "data").mkdir()
    for name, *_ in rows:
        (tmp_path / "data" / name).write_text(name)
    put_table(tmp_path / "data", [["file", "call", "age", "bird", "duration"], *rows])
    return tmp_path


def run_stage(here, columns):
    """Folds of the task, then the stage's own command."""
    scanned = scan(settings(), here, here / "scan.parquet")
    ids = scanned["clip_id"].to_pylist()
    task = {"dataset": "zoo", "task": "call", "target": "call", "group": "bird", "recording": []}
    task |= {
        "max_clips": None,
        "min_clips": 5,
        "min_groups": 2,
        "folds": 3,
        "inner_folds": 2,
        "repeats": 2,
        "seed": 0,
    }
    cells = [name.rstrip("0123456789.bin") for name in ids]
    birds = [f"bird {n % 4}" for n in range(len(ids))]
    labels = pa.table({"clip_id": ids, "call": cells, "bird": birds})
    rows, _, _ = folds.assign(folds.choose_clips(labels, task)[0], task)
    tables.write_table(rows, here / "folds.parquet", {})
    described = settings() | {"dataset": "zoo", "task": "call", "confounds": columns, "seed": 0}
    read = {"scan": "scan.parquet", "folds": "folds.parquet"}
    confounds.run(stage_jobs.job(read, {"confounds": "told.json"}, described))
    return tables.read_json(here / "told.json")["confounds"]


def test_age_against_call_type_each_clip_counted_once(here):
    (described,) = run_stage(here, ["age"])
    assert (described["column"], described["clips"], described["values"], described["empty"]) == (
        "age",
        36,
        3,
        1,
    )
    assert described["single_valued"] == [{"label": "LT", "value": "chick"}]
    # chick guesses LT (12 of 12), adult and empty guess DC (11 and 1 of 12), Be is never guessed
    assert described["balanced_accuracy"] == pytest.approx(2 / 3)
    assert 0.6 < described["cramers_v"] < 0.8


def test_a_missing_column_and_one_value_a_clip_are_refused(here):
    with pytest.raises(StratavoxError) as caught:
        run_stage(here, ["aeg"])
    assert str(caught.value) == (
        "datasets.zoo.confounds: no column 'aeg' in data/metadata.csv; "
        "columns: file, call, age, bird, duration"
    )
    with pytest.raises(StratavoxError) as caught:
        run_stage(here, ["age", "duration"])
    for part in ("column 'duration' has 36 values for the 36 clips", "'call'", "put into classes"):
        assert part in str(caught.value)


def test_folds_refuse_a_missing_column_too():
    labels = pa.table({"clip_id": ["a"], "call": ["x"]})
    wanted = settings() | {"dataset": "zoo", "task": "t", "target": "call", "group": "brid"}
    with pytest.raises(StratavoxError, match=r"zoo.tasks.t.group: no column 'brid' .*: call"):
        folds.choose_clips(labels, wanted | {"recording": []})


# ---- the report ----


def page(tmp_path, entries):
    index = drawn(fake.write(tmp_path))
    path = tmp_path / "confounds.json"
    tables.write_json({"confounds": entries}, path)
    index["datasets"]["zoo"]["tasks"]["call"]["confounds"] = str(path)
    content = gather.content(index)
    return summary.render(content, {}, tmp_path / "results/report", tmp_path / "results/tables")


def test_the_page_reports_confounds_in_a_sentence_and_a_table(tmp_path):
    target = ["LT"] * 12 + ["Be"] * 12 + ["DC"] * 12
    age = ["chick"] * 23 + ["adult"] * 12 + [confounds.EMPTY]
    entry = associated(target, age) | {"column": fake.NASTY}
    html = page(tmp_path, [entry, associated(target, ["x"] * 36) | {"column": "site"}])
    shown = Page(html)
    assert shown.text.count("Columns associated with the label") == 1
    assert [tag for tag, _ in shown.tags].count("script") == len(SCRIPTS) + 1
    v, shuffled = f"{entry['cramers_v']:.3f}", f"{entry['shuffled']:.3f}"
    assert (
        f"{fake.NASTY} and label: Cramér's V {v}. 1 of 3 classes occurs with a single value of "
        f"{fake.NASTY} (“LT” with “chick”). Prediction from {fake.NASTY} alone has a balanced "
        f"accuracy of 0.667 ({shuffled} with the column shuffled; chance 0.333)."
    ) in shown.text
    assert f"{fake.NASTY} 3 1 {v} 1 of 3 0.667 {shuffled} 0.333" in shown.text
    assert "site is “x” for every clip: it cannot separate any label from another." in shown.text
    assert "site 1 0 – 3 of 3 0.333 0.333 0.333" in shown.text


def test_the_rarest_value_comes_first():
    """One class under water says more than twenty in the air."""
    described = confounds.association(list("aabbcc"), ["air"] * 4 + ["water"] * 2, 0)
    assert [row["label"] for row in described["single_valued"]] == ["c", "a", "b"]


def test_many_single_valued_classes_are_named_up_to_five(tmp_path):
    target = [f"class {n}" for n in range(8) for _ in range(3)]
    cells = ["u" if n < 12 else "v" for n in range(24)]
    text = Page(page(tmp_path, [associated(target, cells) | {"column": "site"}])).text
    assert "8 of 8 classes occur with a single value of site" in text
    assert "“class 4” with “v”, 3 more)" in text and "“class 5” with" not in text


def test_the_page_has_no_section_without_named_confounds(tmp_path):
    index = drawn(fake.write(tmp_path))
    content = gather.content(index)
    out = tmp_path / "results/report"
    assert "Columns associated with" not in summary.render(
        content, {}, out, tmp_path / "results/tables"
    )


def test_trimmed_zeros_and_clips_missing_from_the_join_are_reported_with_the_data(tmp_path):
    joined = {"join": {"table": "birds.csv", "by": "bird", "clips_not_mentioned": 3}}
    joined |= {"trimmed": {"clips": 12, "seconds": 3.456}}
    facts = gather.hygiene_facts(fake.HYGIENE | joined)
    assert ["Clips that birds.csv does not mention", "3 of 40"] in facts
    assert ["Zeros trimmed from head and tail", "12 clips, 3.46 s in all"] in facts
    assert len(gather.hygiene_facts(fake.HYGIENE)) == len(facts) - 2
