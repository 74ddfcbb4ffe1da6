"""The page: nothing on it but what the tables say, readable without a network."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

import report_tables as fake
import stage_jobs
from stratavox.errors import StratavoxError
from stratavox.report import cards, findings, gather, summary, unfinished
from stratavox.report.results import load
from stratavox.tables import read_table, write_json, write_table, write_text

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><text>{}</text></svg>'
SPEC = '<script type="application/json" id="spec">{"data":[],"layout":{}}</script>'
# What the page draws from, before its own script.
SCRIPTS = ["specs", "clips", "plotly"]


class Page(HTMLParser):
    """Text, tags and what the page would fetch."""

    def __init__(self, text: str):
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if not self.tags or self.tags[-1][0] not in ("script", "style"):
            self.words.append(data)

    def fetched(self) -> list[str]:
        names = ("src", "href", "srcset", "data")
        addresses = [
            v for tag, attrs in self.tags if tag != "a" for n in names if (v := attrs.get(n))
        ]
        return [value for value in addresses if not value.startswith("data:")]


def drawn(index: dict) -> dict:
    """Put a small SVG, an empty interactive figure and a caption where each figure is to be."""
    for entry in index["datasets"].values():
        stems = [*entry["stems"].values()]
        for task in entry["tasks"].values():
            stems += [*task["stems"].values(), *task["umap"].values()]
        for stem in stems:
            write_text(SVG.format(Path(stem).name), f"{stem}.svg")
            write_text(SPEC, f"{stem}.html")
            write_text(f"Caption of {Path(stem).name}.", f"{stem}.txt")
    return index


def page(root: Path, **more) -> tuple[Page, dict]:
    content = gather.content(drawn(fake.write(root, **more)))
    return Page(
        summary.render(content, {}, root / "results/report", root / "results/tables")
    ), content


def loaded(root: Path, **more):
    index = fake.write(root, **more)
    answers = Path(index["datasets"]["zoo"]["tasks"]["call"]["answers"])
    return load("zoo", "call", "folder", answers, fake.folders(index))


@pytest.fixture(scope="module")
def default_page(tmp_path_factory) -> tuple[Page, dict]:
    """The page of one dataset from a folder, with groups, and its content."""
    return page(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """The results of the same, which no test changes."""
    return loaded(tmp_path_factory.mktemp("task"))


# ---- sentences ----


def test_the_lead_has_the_tables_numbers(task):
    sentence = findings.lead(task, "deep")
    assert sentence == (
        "deep: call is linearly decodable (above chance, resolved). Balanced accuracy 0.460 "
        "(95 % t interval over groups 0.409 to 0.522) with the block chosen in training; "
        "permuted labels 0.204 to 0.305; chance 0.250."
    )


@pytest.mark.parametrize(
    ("column", "control", "readout", "old"),
    [
        ("value", "none", "nested", "accuracy 0.460"),
        ("low", "none", "nested", "0.409 to"),
        ("high", "none", "nested", "to 0.522"),
        ("low", "permutation", "block_02", "labels 0.204"),
        ("high", "permutation", "concat", "to 0.305"),
    ],
)
def test_a_changed_table_changes_the_sentence(tmp_path, task, column, control, readout, old):
    rows = fake.estimates()
    chosen = (rows["encoder"] == "deep") & (rows["metric"] == "balanced_accuracy")
    chosen &= (rows["control"] == control) & (rows["readout"] == readout)
    assert old in findings.lead(task, "deep")
    rows.loc[chosen & (rows["regime"] == "grouped"), column] = 0.777 if column != "low" else 0.111
    sentence = findings.lead(loaded(tmp_path, estimate_rows=rows), "deep")
    assert old not in sentence
    assert ("0.777" if column != "low" else "0.111") in sentence


@pytest.mark.parametrize(
    ("resolved", "difference", "sentence"),
    [
        (True, 0.2, "call is linearly decodable (above chance, resolved)"),
        (True, -0.2, "call was not shown to be linearly decodable (below chance, resolved)"),
        (False, 0.2, "call was not shown to be linearly decodable (not resolved from chance)"),
        (None, 0.2, "whether call is linearly decodable could not be tested (too few groups)"),
    ],
)
def test_only_a_resolved_contrast_is_called_decodable(tmp_path, resolved, difference, sentence):
    rows = fake.contrasts()
    rows["resolved"] = rows["resolved"].astype(object)
    rows.loc[0, ["resolved", "difference"]] = [resolved, difference]
    assert findings.verdict(loaded(tmp_path, contrast_rows=rows), "deep") == sentence


def test_without_groups_nothing_is_called_decodable(tmp_path):
    sentence = findings.lead(loaded(tmp_path, grouped=False), "deep")
    assert "could not be tested (groups are unknown)" in sentence
    assert "is linearly decodable (" not in sentence
    assert "no interval" in sentence and "t interval" not in sentence


def test_the_contrasts_own_sentences_stand_under_their_state(default_page):
    shown, content = default_page
    rows = content["datasets"][0]["tasks"][0]["contrasts"]
    states = [row["state"] for row in rows]
    assert {row["detectable"] for row in rows} == {"0.131"}
    assert states == ["resolved", "unresolved", "unresolved", "untested"]
    assert [row["sentence"] for row in rows] == fake.contrasts()["sentence"].tolist()
    assert f"deep and noise {fake.NASTY}: not resolved. noise: random weights" in shown.text
    assert "+0.070" in shown.text and "-0.100 to 0.240" in shown.text
    assert rows[0]["p_holm"] == "< 0.001"


def test_a_further_table_of_answers_gets_onto_the_page_by_being_there(tmp_path):
    index = drawn(fake.write(tmp_path))
    answers = Path(index["datasets"]["zoo"]["tasks"]["call"]["answers"])
    sentence = f"deep needs 12 clips of {fake.NASTY}."
    table = pa.table({"encoder": ["deep", "noise"], "sentence": [sentence, None]})
    write_table(table, answers / "clips_needed.parquet", {"code": "c0de"})
    write_table(table.select(["encoder"]), answers / "mute.parquet", {"code": "c0de"})
    content = gather.content(index)
    text = Page(summary.render(content, {}, tmp_path / "results/report", tmp_path / "tables")).text
    assert f"Clips needed: {sentence}" in text and "Mute" not in text
    csv = gather.csv_tables(index)
    assert csv["zoo.call.clips_needed.csv"] == str(answers / "clips_needed.parquet")
    assert "zoo.call.mute.csv" in csv
    assert str(answers / "mute.parquet") in [row["path"] for row in content["files"]]


# ---- the page ----


def test_data_hygiene_and_left_out_are_the_tables(default_page):
    text = default_page[0].text
    for sentence in (
        "40 of 44 rows of the table",
        f"{fake.UMLAUT}.wav not audio",
        "40 at 44,100 Hz",
        "median 1.2 %, at most 41.0 %",
        "rare <i>: 1 clip, 1 group (fewer than 10 clips)",
        "Clips without label, left out: 4.",
        "“Hiss”, “hiss ”",
        "block 1 (7 folds)",
        "of 50 fits, 3 chose a penalty at an end of the grid and 1 did not converge",
    ):
        assert sentence.replace("  ", " ") in text, sentence


def test_annotated_recordings_report_their_boxes():
    boxes = {"too_short": 5, "overlapping": 7, "unannotated": 12, "unannotated_first": ["a", "b"]}
    facts = dict(gather.hygiene_facts(fake.HYGIENE | boxes))
    assert facts["Clips used"] == "40 of 44 annotated boxes"
    assert facts["Boxes too short, left out"] == "5"
    assert facts["Clips that overlap others"] == "7"
    assert facts["Recordings without annotation"] == "12 (a, b, ...)"


def test_a_published_archive_is_named_with_licence_citation_and_counts(tmp_path, default_page):
    index = drawn(fake.write(tmp_path))
    counts = {"files": 3434, "clips": 3405, "merged": 28, "merged_different": 3}
    counts |= {"unread": 0, "not_used": 1, "irregular": 180}
    files = [
        {"name": "a.zip", "address": "https://a/a.zip", "verified": "md5", "sha256": "abc"},
        {"name": "b.zip", "address": "https://a/b.zip", "verified": "nothing", "sha256": "def"},
    ]
    account = tmp_path / "archive.json"
    why = "at most 40 of each label"
    sampled = [{"file": f"{n}.xml", "clips": 1500, "of": 2000 * n, "why": why} for n in (1, 2)]
    write_json({"files": files, "counts": counts, "notes": {"sampled": sampled}}, account)
    about = {"licence": "CC <BY> 4.0", "citation": "A Person (2016)", "doi": "10.1/x"}
    index["datasets"]["zoo"]["archive"] = about | {"account": str(account)}
    index["datasets"]["zoo"]["instead"] = "the folder <x> is read in place of the archive y"
    content = gather.content(index)
    text = Page(summary.render(content, {}, tmp_path / "results/report", tmp_path / "tables")).text
    for sentence in (
        "Source a.zip, https://a/a.zip",
        "Checked against its published md5; sha256 abc",
        "Checked against nothing, as no checksum is published; sha256 def",
        "Licence CC <BY> 4.0",
        "Citation A Person (2016), doi 10.1/x",
        "3,434: 3,405 recordings read, 28 duplicates by name (3 with other content)",
        "Clips taken 3,000 of 6,000: at most 40 of each label",
        "Recordings the folder <x> is read in place of the archive y",
        "0 recordings whose names do not fit, 1 other file",
        "180, in " + str(account),
    ):
        assert sentence in text, sentence
    assert "Published archive" not in default_page[0].text


def test_the_score_tables_hold_value_interval_control_and_random_split(default_page):
    content = default_page[1]
    rows = content["datasets"][0]["tasks"][0]["compared"]
    assert rows[0] == {
        "encoder": "deep",
        "readout": "last block (block 2)",
        "value": "0.440",
        "bounds": "0.389 to 0.502",
        "interval": "95 % t interval over groups, given these fits",
        "permuted": "0.254 (0.204 to 0.304)",
        "random": "0.540",
    }
    assert len(content["datasets"][0]["tasks"][0]["layers"]) == 6


def test_provenance_names_weights_hash_versions_code_and_run_time(default_page):
    text = default_page[0].text
    for sentence in (
        "sha256 " + "ab12" * 16,
        "torch 2.12.1",
        "code-deep",
        "93.4 s",
        "fp32",
        "c0de",
    ):
        assert sentence in text


def test_names_are_escaped_everywhere(default_page):
    shown, content = default_page
    tags = {tag for tag, _ in shown.tags}
    assert "b" not in tags and "i" not in tags
    assert [attrs.get("id") for tag, attrs in shown.tags if tag == "script"] == [*SCRIPTS, None]
    assert shown.text.count(fake.NASTY) >= 2  # as a class and in a sentence
    assert fake.UMLAUT in shown.text


def test_a_label_does_not_turn_the_text_around_it(tmp_path):
    index = drawn(fake.write(tmp_path))
    facts = Path(index["datasets"]["zoo"]["tasks"]["call"]["folds_json"])
    odd = "a\u202egnos\u2066 b\u200f"
    turned = facts.read_text(encoding="utf-8").replace("_hidden", odd)
    facts.write_text(turned, encoding="utf-8")
    text = summary.render(gather.content(index), {}, tmp_path, tmp_path)
    assert "a\\u202egnos\\u2066 b\u200f" in text
    assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") & set(text)


def test_the_page_fetches_nothing(default_page):
    shown, _ = default_page
    assert shown.fetched() == []
    images = [attrs for tag, attrs in shown.tags if tag == "img"]
    assert len(images) == 14
    assert all(image["src"].startswith("data:image/svg+xml,") for image in images)
    assert all(len(image["alt"]) > 30 for image in images)


def test_headings_descend_and_links_inside_the_page_lead_somewhere(default_page):
    shown, _ = default_page
    levels = [int(tag[1]) for tag, _ in shown.tags if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
    ids = [attrs["id"] for _, attrs in shown.tags if "id" in attrs]
    targets = [a["href"][1:] for t, a in shown.tags if t == "a" and a["href"].startswith("#")]
    assert targets == ["d1t1"] and set(targets) <= set(ids) and len(ids) == len(set(ids))


def test_few_words_stand_before_the_first_figure(default_page):
    shown, _ = default_page
    before = shown.text.split(default_page[1]["cards"][0]["verdict"])[0]
    assert len(before.split()) <= 120


def test_a_card_has_verdict_recommendation_and_warnings(default_page):
    shown, content = default_page
    (card,) = content["cards"]
    assert card["verdict"] == (
        "deep: call rises with depth; the acoustic targets fall. “Acoustics early, call late” is "
        "supported."
    )
    row = fake.recommendation().iloc[0]
    assert card["recommendation"] == row["sentence"]
    assert card["beware"] == row["beware"].splitlines()
    for text in (card["verdict"], card["recommendation"], *card["beware"]):
        assert text in shown.text


def test_a_column_that_varies_with_the_labels_is_a_warning():
    rows = [{"column": name, "v": v} for name, v in (("site", "0.612"), ("age", "0.2"), ("x", "–"))]
    (line,) = cards.confounded(rows, "call")
    assert line.startswith("site varies with call (Cramér's V 0.612)")


def test_encoders_that_agree_share_a_sentence_and_others_do_not(task):
    mine = {"dataset": "zoo", "task": "call", "task_direction": "level", "verdict": "refuted"}
    mine |= {"acoustics_direction": None}
    table = pd.DataFrame([mine | {"encoder": name} for name in ("deep", "noise")])
    assert cards.verdict(task, table) == (
        "deep, noise (random weights): call is level over depth; no acoustic target is explained. "
        "“Acoustics early, call late” is refuted."
    )
    table.loc[1, "task_direction"] = "not decodable"
    first, second = cards.verdict(task, table).split(" noise (random weights): ")
    assert first.startswith("deep: call is level")
    assert second.startswith("call is not decodable at any depth. “")
    assert cards.verdict(task, table.iloc[:0]) == cards.NO_VERDICT


def test_several_tasks_get_a_table_of_all_encoders(tmp_path):
    index = drawn(fake.write(tmp_path))
    tasks = index["datasets"]["zoo"]["tasks"]
    tasks["caller"] = tasks["call"]
    content = gather.content(index)
    table = summary.matrix(content)
    assert table["labels"] == ["deep", "noise (random weights)", "logmel (baseline)"]
    assert [row["anchor"] for row in table["rows"]] == ["d1t1", "d1t2"]
    assert table["rows"][0]["cells"][0] == {
        **{"readout": "block 1", "score": "0.46 (0.41 to 0.52)"},
        "value": pytest.approx(0.46),
    }


def test_links_lead_from_the_page_to_the_figures(default_page):
    shown, _ = default_page
    hrefs = [attrs["href"] for tag, attrs in shown.tags if tag == "a"]
    assert "../figures/zoo/call/layers.html" in hrefs
    assert "../figures/zoo/deep/umap_call.svg" in hrefs
    assert "../tables/zoo.call.estimates.csv" in hrefs
    assert "../figures/zoo/similarity.pdf" in hrefs


def test_random_weights_synthetic_data_and_unknown_groups_are_reported(tmp_path, default_page):
    text = page(tmp_path, grouped=False, source="chorus")[0].text
    assert "Synthetic data: zoo. They show that the workflow decodes what was planted" in text
    assert "zoo (synthetic): call (group unknown)" in text
    assert "GROUP UNKNOWN" in text
    assert "Random weights: noise." in text and "noise (random weights): " in text
    plain = default_page[0].text
    assert "(synthetic)" not in plain and "Synthetic" not in plain and "GROUP UNKNOWN" not in plain


def test_silence_and_readouts_that_do_not_vary_are_warnings(tmp_path):
    index = drawn(fake.write(tmp_path))
    zoo = index["datasets"]["zoo"]
    hygiene = json.loads(Path(zoo["hygiene"]).read_text(encoding="utf-8"))
    write_json(hygiene | {"silent": [f"c{n}" for n in range(30)]}, Path(zoo["hygiene"]))
    path = zoo["shape"]["deep"]
    table = read_table(path).to_pandas()
    level = (table["readout"] == "block_01") & (table["measure"] == "effective_rank")
    assert level.any()
    table.loc[level, "value"] = np.nan
    write_table(pa.Table.from_pandas(table, preserve_index=False), path, {})
    silent, same = gather.content(index)["cards"][0]["beware"][:2]
    assert silent == "30 of 40 clips are silent: is the channel the right one?"
    assert same == "deep: block 1 is the same for all clips, so its probes predict at chance."


def test_a_report_of_what_is_finished_lacks_the_rest_and_names_it(tmp_path):
    """A second dataset without answers, and a first one with few of its figures and tables."""
    whole = drawn(fake.write(tmp_path))
    zoo = whole["datasets"]["zoo"]
    far = json.loads(json.dumps(zoo).replace("call", "song"))
    whole["datasets"]["far"] = far
    task = zoo["tasks"]["call"]
    left = {far["tasks"]["song"]["folds_json"], zoo["similarity"], *zoo["shape"].values()}
    left |= {f"{task['stems']['layers']}.svg", *task["neighbours"].values()}
    left |= {f"{stem}.svg" for stem in [*zoo["stems"].values(), *task["umap"].values()]}
    for path in left:
        Path(path).unlink(missing_ok=True)
    part, missing = unfinished.finished(whole, left)
    assert missing == [
        "zoo, call: some of the figures and tables",
        "zoo, all clips: some of the figures and tables",
        "far, song: everything",
    ]
    why = [["folds far song", "1 of 1 classes <b>"]]
    content = gather.content(part | {"unfinished": {"missing": missing, "failed": why}})
    assert [entry["name"] for entry in content["datasets"]] == ["zoo"]
    text = summary.render(content, {}, tmp_path, tmp_path)
    assert text.index("far, song: everything") < text.index("1 of 1 classes &lt;b&gt;")
    assert text.index("1 of 1 classes &lt;b&gt;") < text.index("<main>")
    # and an answer without its figure is no answer
    assert unfinished.finished(whole, left | {f"{task['stems']['card']}.svg"})[0]["datasets"] == {}


def test_figures_past_the_pages_size_are_linked_and_not_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(summary, "packed_plotly", lambda: "")
    monkeypatch.setattr(summary, "PAGE_BYTES", 350)
    shown, content = page(tmp_path)
    images = [attrs["alt"] for tag, attrs in shown.tags if tag == "img"]
    assert images[0] == content["cards"][0]["figure"]["alt"] and len(images) == 3  # of fourteen
    assert "in its own file, to keep this page small" in shown.text
    assert "../figures/zoo/deep/umap_call.html" in [a.get("href") for _, a in shown.tags]


def test_a_missing_figure_is_an_error(tmp_path):
    index = drawn(fake.write(tmp_path))
    stem = index["datasets"]["zoo"]["tasks"]["call"]["stems"]["layers"]
    Path(f"{stem}.svg").unlink()
    with pytest.raises(StratavoxError, match="layers.svg: no such file"):
        summary.embedded(gather.content(index), 10**6)


def test_command_writes_page_json_config_and_tables(tmp_path):
    index = drawn(fake.write(tmp_path))
    out, tables = tmp_path / "report", tmp_path / "tables"
    write_json(index, tmp_path / "index.json")
    files = {"page": "summary.html", "json": "summary.json", "config": "config.yaml"}
    written = {name: out / file for name, file in files.items()} | {"tables": tables}
    read, kept = {"index": tmp_path / "index.json"}, {"key": "kept"}
    done = stage_jobs.run("report.summary", read, written, provenance=kept)
    assert done.returncode == 0, done.stderr
    shown = Page((out / "summary.html").read_text(encoding="utf-8"))
    written_json = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert written_json["provenance"] == {"key": "kept"}
    task = written_json["datasets"][0]["tasks"][0]
    for text in [*task["leads"], *task["notes"], *task["fits"]]:
        assert " ".join(text.split()) in shown.text
    assert yaml.safe_load((out / "config.yaml").read_text(encoding="utf-8")) == index["config"]
    table = pd.read_csv(tables / "zoo.call.estimates.csv")
    assert table["value"].tolist() == pytest.approx(fake.estimates()["value"].tolist())
    names = {path.name for path in tables.iterdir()}
    kinds = (
        "claims",
        "contrasts",
        "trends",
        "depths",
        "robustness",
        "explained_variance",
        "layer_weights",
        "notebook.deep",
        "neighbours.deep",
    )
    assert names >= {f"zoo.call.{kind}.csv" for kind in kinds}
    assert names >= {"zoo.similarity.csv", "zoo.shape.deep.csv", "verdicts.csv"}


# ---- verdicts and claims ----


def test_the_verdicts_sentence_stands_under_its_question(default_page):
    shown, content = default_page
    (sentence,) = content["datasets"][0]["tasks"][0]["verdicts"]
    question = "Are acoustics decoded early and the task late?"
    assert f"{question} {sentence}" in shown.text
    # random weights have no verdict; the trend of one target is no statement about targets
    assert sentence.startswith("deep: Acoustics early, call late: supported.")
    assert "+0.030, 95 % interval +0.012 to +0.048" in sentence
    assert "-0.300, 95 % interval -0.425 to -0.175" in sentence


def test_verdicts_of_other_tasks_stay_away(task):
    mine = {"dataset": "zoo", "task": "call", "encoder": "deep", "sentence": "mine"}
    table = pd.DataFrame([mine, mine | {"task": "caller"}, mine | {"dataset": "zoo2"}])
    assert findings.verdicts(task, table) == ["deep: mine"]


def test_other_definitions_of_depth_stand_beside_the_verdict_and_do_not_decide(default_page):
    text = default_page[0].text
    for row in (
        "deep centre of gravity 0.710 0.340 +0.370 0.221 to 0.512 supported",
        "deep rank correlation 0.800 – – no interval undetermined",
        "None of these decides.",
    ):
        assert row in text, row


def test_without_groups_there_is_no_verdict_and_no_other_definition(tmp_path):
    text = page(tmp_path, grouped=False)[0].text
    assert "Are acoustics decoded early" not in text and "None of these decides" not in text


def test_claims_stand_with_verdict_effect_interval_p_and_what_was_detectable(default_page):
    shown, content = default_page
    rows = content["datasets"][0]["tasks"][0]["claims"]
    assert [row["verdict"] for row in rows] == ["supported", "refuted", "undetermined", "supported"]
    assert rows[1]["untrained"] == {"noise": "random weights"}
    for row in (
        "supported +0.314 0.205 to 0.423 < 0.001 (Holm) 0.151 40, 8",
        "refuted -0.112 -0.213 to -0.011 0.033 (equivalence) 0.141 40, 8",
        "supported +0.000 -0.100 to 0.100 identity – 40, 8",
    ):
        assert row in shown.text, row
    assert f"call is linearly decodable from {fake.NASTY}" in shown.text


def test_a_claim_that_was_not_tested_has_no_p_and_one_in_bits_says_so(tmp_path):
    task = loaded(tmp_path)
    task.claims.loc[0, ["p_value", "quantity"]] = [None, "bits a clip"]
    row = findings.claim_rows(task)[0]
    assert row["p"] == "–" and row["value"] == "+0.314 bits"


def test_depths_weights_and_equality_are_the_tables(tmp_path):
    rows = fake.contrasts()
    rows.loc[1, "equivalent"] = True
    shown, content = page(tmp_path, contrast_rows=rows)
    assert content["datasets"][0]["tasks"][0]["contrasts"][1]["state"] == "equal"
    for sentence in (
        "deep: onset (first block shown to be no more than the margin below the block chosen in "
        "training): block 1",
        "deep: blocks that may be the best (95 %): block 1 to block 2",
        "block 1 0.287 0.187 to 0.387 0.400 -0.512",
    ):
        assert sentence in shown.text, sentence


def test_a_nuisance_is_reported_apart(tmp_path):
    index = drawn(fake.write(tmp_path))
    index["datasets"]["zoo"]["tasks"]["call"]["role"] = "nuisance"
    out = tmp_path / "results/report"
    text = Page(summary.render(gather.content(index), {}, out, tmp_path / "results/tables")).text
    assert "zoo: call nuisance" in text and "Claims: zoo" not in text
