"""Groups by several columns, and transfer: no unit is on both sides, one side alone is scored."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

import linear_stage
import stage_jobs
from stratavox import config, tables
from stratavox.errors import StratavoxError
from stratavox.geometry import labelled
from stratavox.inference.answers import contrasts
from stratavox.inference.study import Encoder, Key, Study
from stratavox.probe import atlas, attention, conditional, folds, linked
from stratavox.probe.readouts import strictest
from stratavox.probe.repeats import repeats
from stratavox.report.results import Results

FOLDS = {
    "dataset": "d",
    "task": "t",
    "target": "call",
    "group": ["bird", "site"],
    "recording": [],
    "max_clips": None,
    "min_clips": 2,
    "min_groups": 2,
    "folds": 3,
    "inner_folds": 2,
    "repeats": 2,
    "seed": 0,
}
ACROSS = FOLDS | {
    "group": "bird",
    "transfer": {"column": "site", "train": ["A"], "test": ["B"]},
}
PROBES = {
    "inner_folds": 2,
    "c_grid": [1e-4, 1e-2, 1.0],
    "permutations": 5,
    "control_tasks": 2,
    "fusions": ["weighted"],
    "seed": 0,
}


def ids(count):
    return [f"clip {n:04d}" for n in range(count)]


def labels(rows):
    """The table of clips with the cells ``rows``: call, bird and site of each."""
    call, bird, site = zip(*rows, strict=True)
    return pa.table({"clip_id": ids(len(rows)), "call": call, "bird": bird, "site": site})


def two_sites(birds=12, classes=3, each=5):
    """Cells of a design in which every bird has every class, and is at site A or at site B."""
    return [
        (f"class {c}", f"bird {b:02d}", "AB"[b % 2])
        for b in range(birds)
        for c in range(classes)
        for _ in range(each)
    ]


def folded(rows, settings):
    """The folds of clips with the cells ``rows``, joined to the cells, and the summary."""
    table = labels(rows)
    clips, summary = folds.choose_clips(table, settings)
    made, regimes, left_out = folds.assign(clips, settings)
    cells = table.to_pandas()[["clip_id", "bird", "site"]]
    return made.to_pandas().merge(cells), summary | {"regimes": regimes, "without": left_out}


# ---- several columns ----


def naive(cells):
    """Linked sets by merging until nothing changes."""
    sets = [({n}, set(enumerate(cell))) for n, cell in enumerate(cells)]
    for n in range(len(sets)):
        for other in range(n + 1, len(sets)):
            while sets[n] is not sets[other] and sets[n][1] & sets[other][1]:
                merged = sets[n][0] | sets[other][0], sets[n][1] | sets[other][1]
                for clip in merged[0]:
                    sets[clip] = merged
    return [frozenset(clips) for clips, _ in sets]


@pytest.mark.parametrize("seed", range(5))
def test_a_linked_group_is_a_connected_component(seed):
    generator = np.random.default_rng(seed)
    cells = [(f"b{b:02d}", f"s{s:02d}") for b, s in generator.integers(0, 25, (40, 2))]
    names, sets = linked.names(cells), naive(cells)
    assert len(set(zip(names, sets, strict=True))) == len(set(names)) == len(set(sets)) > 1
    for name, clips in zip(names, sets, strict=True):
        own = [cells[clip] for clip in clips]
        assert name == " / ".join(map(min, zip(*own, strict=True)))


@pytest.mark.parametrize("seed", range(4))
def test_no_value_of_either_column_is_on_both_sides(seed):
    """Twelve parts, in which birds and sites are mixed at random."""
    generator = np.random.default_rng(seed)
    rows = [
        (f"class {c}", f"bird {part}.{b}", f"site {part}.{s}")
        for part in range(12)
        for c, b, s in generator.integers(0, 3, (18, 3))
    ]
    made, summary = folded(rows, FOLDS)
    grouped = made[made.regime == "grouped"]
    assert 12 <= summary["groups"] < 36 and set(grouped.fold) == {0, 1, 2}
    for column in ("bird", "site"):
        assert (grouped.groupby(["repeat", column])["fold"].nunique() == 1).all()


def test_crossed_columns_are_refused_with_the_number_of_groups():
    rows = [(f"class {c}", f"b{b}", f"s{s}") for b in range(4) for s in range(3) for c in (0, 1)]
    with pytest.raises(StratavoxError, match=r"link the 24 .* into one .*group by one of them"):
        folded(rows, FOLDS)
    rows += [(call, f"{bird}x", f"{site}x") for call, bird, site in rows]
    with pytest.raises(StratavoxError, match=r"link the 48 .* into 2 \(the largest has 24 clips\)"):
        folded(rows, FOLDS)
    folded(rows, FOLDS | {"folds": 2, "inner_folds": 1})


def test_an_empty_cell_of_either_column_is_an_unknown_group():
    rows = [(call, bird, bird) for call, bird, _ in two_sites()]
    rows[0], rows[1] = (rows[0][0], "", "x"), (rows[1][0], "x", "")
    _, summary = folded(rows, FOLDS)
    assert summary["empty_groups"] == 2 and summary["clips"] == len(rows) - 2


def test_a_group_column_that_is_the_label_is_refused():
    rows = [(call, bird, bird) for call, bird, _ in two_sites()]
    for group in (["bird", "call"], ["call", "site"], "call"):
        with pytest.raises(StratavoxError, match="group"):
            folded(rows, FOLDS | {"group": group})


# ---- transfer ----


def test_one_side_trains_and_the_other_is_tested():
    rows = [*two_sites(), *[("class 0", "bird x", "C")] * 9]
    made, summary = folded(rows, ACROSS)
    assert summary["regimes"] == ["grouped", "within", "random"]
    transfer = made[made.regime == "grouped"]
    assert (transfer.fold == transfer.site.map({"A": -1, "B": 0})).all() and len(transfer) == 180
    others = made[made.regime != "grouped"]
    assert set(others.site) == {"B"} and set(others.repeat) == {0, 1}
    within = made[made.regime == "within"]
    assert (within.groupby(["repeat", "bird"])["fold"].nunique() == 1).all()
    assert (summary["clips"], summary["groups"]) == (90, 6)
    assert (summary["transfer"]["clips"], summary["transfer"]["groups"]) == (90, 6)
    assert summary["classes"]["class 0"] == {"clips": 30, "groups": 6}


def test_classes_of_one_side_alone_are_left_out_and_listed():
    rows = two_sites(classes=4)
    rows = [row for row in rows if row[0] != "class 3" or row[2] == "A"]
    made, summary = folded(rows, ACROSS)
    assert set(made.target) == {"class 0", "class 1", "class 2"}
    (left_out,) = summary["left_out"]
    assert left_out["label"] == "class 3" and left_out["clips"] == 30
    assert left_out["why"] == (
        "fewer than 2 clips in test (site B) and fewer than 2 groups (bird) in test (site B)"
    )


def test_a_group_on_both_sides_is_tested_and_not_trained_on():
    rows = [(call, "bird 01" if bird == "bird 00" else bird, s) for call, bird, s in two_sites()]
    made, summary = folded(rows, ACROSS)
    transfer = made[made.regime == "grouped"]
    assert not set(transfer.bird[transfer.fold == 0]) & set(transfer.bird[transfer.fold == -1])
    assert summary["transfer"]["straddling_clips"] == 15
    assert summary["transfer"]["straddling_groups"] == ["bird 01"]
    everyone = [(call, f"bird {n % 6}", site) for n, (call, _, site) in enumerate(two_sites())]
    with pytest.raises(StratavoxError, match="not trained on, as their groups are also tested"):
        folded(everyone, ACROSS)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train": ["Z"]}, r"transfer\.train: no clip has 'Z' .* values are: 'A', 'B'"),
        ({"test": ["A"]}, "'A' is in train and in test"),
        ({"column": "place"}, r"transfer\.column: no column 'place'"),
    ],
)
def test_sides_that_cannot_be_are_refused(changed, message):
    settings = {"path": "x", "table": "t.csv"} | ACROSS
    with pytest.raises(StratavoxError, match=message):
        folded(two_sites(), settings | {"transfer": ACROSS["transfer"] | changed})


def test_one_training_group_is_too_few():
    rows = [(call, "bird" if site == "A" else bird, site) for call, bird, site in two_sites()]
    with pytest.raises(StratavoxError, match=r"2 inner folds .* has 1 .*; add values to transfer"):
        folded(rows, ACROSS | {"min_groups": 1})


def test_the_sample_of_a_large_task_has_both_sides():
    made, summary = folded(two_sites(), ACROSS | {"max_clips": 90})
    assert (made[made.regime == "grouped"].groupby("site").size() == 45).all()
    assert summary["drawn_from"]["clips"] == 90 and summary["clips"] == 45


def probed(folder, rows, readouts, settings=ACROSS):
    """Scores and predictions of ``readouts`` (name -> matrix) for transfer from A to B."""
    clips, _ = folds.choose_clips(labels(rows), settings)
    table = folds.assign(clips, settings)[0]
    return linear_stage.probed(folder, table, readouts, ids(len(rows)), PROBES)[:2]


def planted(rows, generator, turned):
    """Readouts (clips, 12) whose first columns hold the class; ``turned`` ones permuted at B."""
    number = np.unique([call for call, _, _ in rows], return_inverse=True)[1]
    at_b = np.array([site == "B" for _, _, site in rows])
    number = np.where(at_b & turned, (number + 1) % 3, number)
    x = generator.standard_normal((len(rows), 12))
    x[:, :3] += 4 * np.eye(3)[number]
    return x


def test_what_both_sides_share_transfers_and_what_differs_does_not(tmp_path):
    generator = np.random.default_rng(3)
    rows = two_sites()
    readouts = {
        "block_00": planted(rows, generator, turned=False),
        "block_01": planted(rows, generator, turned=True),
        "noise": generator.standard_normal((len(rows), 12)),
    }
    scores, predictions = probed(tmp_path, rows, readouts)
    pooled = scores[(scores.metric == "balanced_accuracy") & scores.fold.isna()]
    pooled = pooled.groupby(["control", "regime", "readout"])["value"].mean()
    across, within = pooled["none"]["grouped"], pooled["none"]["within"]
    assert across["block_00"] > 0.9 and across["block_01"] < 0.1
    assert within["block_00"] > 0.9 and within["block_01"] > 0.9
    assert abs(across["noise"] - 1 / 3) < 0.15
    # the choice of the block sees the training side alone, where both are as good
    assert across["nested"] in (across["block_00"], across["block_01"])
    assert set(pooled["permutation"].index.get_level_values("regime")) == {"grouped"}
    assert abs(pooled["permutation"]["grouped"].mean() - 1 / 3) < 0.1
    # each clip of B is tested once in each repeat of each regime, and no other
    site = dict(zip(ids(len(rows)), [site for _, _, site in rows], strict=True))
    assert set(predictions.clip_id.map(site)) == {"B"}
    of_one = predictions[predictions.readout == "weighted"]
    assert (of_one.groupby(["regime", "repeat", "clip_id"]).size() == 1).all()
    assert of_one.groupby(["regime", "repeat"]).size().tolist() == [90] * 5


def test_groups_of_one_label_exchange_labels_on_their_own_side(tmp_path):
    """Most birds at A have class 0, and one at B: so it must remain in each permutation."""
    counts = {"A": (8, 3, 3), "B": (1, 4, 4)}
    rows = [
        (f"class {c}", f"bird {site}{c}{b}", site)
        for site, birds in counts.items()
        for c, n in enumerate(birds)
        for b in range(n)
        for _ in range(6)
    ]
    x = np.random.default_rng(0).standard_normal((len(rows), 6))
    scores, _ = probed(tmp_path, rows, {"features": x}, ACROSS | {"min_groups": 1})
    # noise, so the most frequent class in training is predicted: 6 clips of 54 at B in every draw
    null = scores[(scores.control == "permutation") & (scores.metric == "accuracy")]
    assert len(null) == 5 and np.allclose(null.value, 6 / 54)


def test_transfer_is_trained_on_all_of_one_side(tmp_path):
    """The scores are those of scikit-learn's probe with the C that was chosen."""
    rows = two_sites()
    x = planted(rows, np.random.default_rng(0), turned=False)
    x[:, :3] /= 3
    scores, predictions = probed(tmp_path, rows, {"features": x})
    at_b = np.array([site == "B" for _, _, site in rows])
    call = np.array([call for call, _, _ in rows])
    (c,) = set(scores[(scores.regime == "grouped") & scores.fold.notna()].c)
    scaler = StandardScaler().fit(x[~at_b])
    # C here multiplies the mean loss, there the sum
    probe = LogisticRegression(C=c, max_iter=5000, tol=1e-8)
    probe.fit(scaler.transform(x[~at_b]), call[~at_b])
    mine = predictions[predictions.regime == "grouped"].set_index("clip_id")
    mine = mine.loc[np.array(ids(len(rows)))[at_b], "predicted"].to_numpy()
    assert np.mean(mine == probe.predict(scaler.transform(x[at_b]))) > 0.95


def test_other_probes_score_the_tested_side_alone(tmp_path):
    generator = np.random.default_rng(5)
    rows = two_sites()
    x = planted(rows, generator, turned=False)
    _, _ = probed(tmp_path, rows, {"block_00": x})
    table = strictest(tables.read_table(tmp_path / "folds.parquet"))
    settings = {key: PROBES[key] for key in ("inner_folds", "c_grid", "seed")}
    described = pd.DataFrame({"f0": np.exp(x[:, 5]), "snr": x[:, 6]}, ids(len(rows)))
    beside = conditional.probes(tmp_path, "block_00", described, table, settings).to_pandas()
    assert (beside.groupby("readout").size() == 90).all() and beside.readout.nunique() == 2
    assert beside.groupby("readout")["clip_id"].nunique().tolist() == [90, 90]
    assert (beside.predicted == beside.target).mean() > 0.9
    trained = repeats(table, ids(len(rows)))[0].trained
    assert (trained == [site == "A" for _, _, site in rows]).all()
    clips = atlas.first_repeat(tmp_path / "folds.parquet")
    pitch = pd.DataFrame({"f0": np.exp(x[:, 0])}, ids(len(rows)))
    errors, chosen = atlas.regress(x, pitch, clips, {"inner_folds": 2, "seed": 0})
    assert errors.n_clips.sum() == 90 and len(errors) == 6 and chosen["f0"]["fits"] == 1
    assert errors.sse.sum() < 0.2 * errors.sst.sum()
    # the vote of neighbours: A's clips vote, B's are scored
    fold, held = clips["fold"].to_numpy(), np.unique(clips["group"], return_inverse=True)[1]
    call = np.array([call for call, _, _ in rows])
    model = KNeighborsClassifier(labelled.K, metric="cosine").fit(x[fold < 0], call[fold < 0])
    there = balanced_accuracy_score(call[fold == 0], model.predict(x[fold == 0]))
    assert labelled.knn(labelled.cosines(x), call, fold, held) == pytest.approx(there)
    assert there > 0.9


def test_probes_on_tokens_score_the_tested_side_alone(tmp_path):
    rows = two_sites(birds=8)
    x = planted(rows, np.random.default_rng(6), turned=False)
    clips, _ = folds.choose_clips(labels(rows), ACROSS)
    # a single split, however many repeats are requested
    table = attention.chosen_folds(folds.assign(clips, ACROSS)[0], repeats=3)
    settings = {"heads": 2, "layers": 1, "epochs": 30, "learning_rate": 0.01, "batch_size": 32}
    settings |= {"weight_decay": 0.0, "seed": 0, "probes": ["mlp"], "repeats": 3}
    tokens = [np.tile(row, (3, 1)).astype(np.float16) for row in x]
    _, predictions = attention.probe_readout(tokens, "block_00", table, settings)
    predictions = pd.DataFrame(predictions).query("control == 'none'")
    site = dict(zip(ids(len(rows)), [site for _, _, site in rows], strict=True))
    assert set(predictions.clip_id.map(site)) == {"B"} and predictions.clip_id.is_unique
    assert (predictions.predicted == predictions.target).mean() > 0.9


def test_the_cost_of_transfer_is_a_contrast_over_the_tested_groups(tmp_path):
    rows = two_sites(birds=20)
    readouts = {"block_00": planted(rows, np.random.default_rng(7), turned=True)}
    scores, predictions = probed(tmp_path, rows, readouts)
    settings = {"margin": 0.02, "folds": 3, "task": "t", "draws": {}}
    _, summary = folded(rows, ACROSS)
    about = {"weights": "file", "blocks": ["block_00"], "readouts": ["block_00"], "family": "f"}
    about |= {"kind": "k", "rate": 1, "widths": {"block_00": 12}, "encoder": "e"}
    study = Study(summary, [Encoder("e", about, ["e"])], settings)
    study.scores = scores.assign(encoder="e")
    study.add("e", predictions)
    by_question = {row["question"]: row for row in contrasts.rows(study)}
    cost = by_question[contrasts.TRANSFER]
    assert study.groups.n == 10 and cost["n_clips"] == 150
    assert cost["a_value"] == study.correct[Key("e", "nested", regime="within")].value > 0.9
    assert cost["b_value"] < 0.1 and cost["resolved"]
    assert cost["sentence"].startswith(
        "e, the block chosen in training, trained on the tested side is above"
    )
    assert by_question[contrasts.LEAKAGE]["b_regime"] == "within"


# ---- config and report ----


def checked(task):
    """The task's entry in a config after the check."""
    given = stage_jobs.default_config()
    given["datasets"]["chorus"]["tasks"]["mine"] = {"target": "call_type"} | task
    return config.check(given)["datasets"]["chorus"]["tasks"]["mine"]


def test_what_the_config_allows():
    crossing = {"column": "species", "train": "sp0", "test": ["sp1", "sp2"]}
    task = checked({"group": ["individual", "session"], "transfer": crossing})
    assert task["transfer"]["train"] == ["sp0"] and task["group"] == ["individual", "session"]
    for wrong, message in (
        ({"group": None, "transfer": crossing}, "transfer needs a group"),
        ({"group": ["individual"]}, "tasks.mine.group"),
        ({"group": "individual", "transfer": {"column": "species"}}, "'train', 'test' is missing"),
        ({"group": "individual", "transfer": crossing | {"train": []}}, "transfer.train"),
    ):
        with pytest.raises(StratavoxError, match=message):
            checked(wrong)


def test_the_report_says_what_was_kept_apart():
    facts = {"regimes": ["grouped", "within", "random"], "group": ["bird", "site"]}
    blank = dict.fromkeys(Results.__dataclass_fields__)
    line = Results(**blank | {"facts": facts}).group_line()
    assert line == (
        "Grouped by bird and site: no bird and no site is in both training and test data."
    )
    sides = {"column": "site", "train": ["A", "C"], "test": ["B"], "clips": 90, "groups": 6}
    results = Results(**blank | {"facts": facts | {"group": "bird", "transfer": sides}})
    assert results.group_line() == (
        "Trained on site A and C, tested on site B (training: 90 clips, 6 groups); "
        "no bird is in both training and test data."
    )
    assert results.split("grouped") == "trained on the other side"
    assert results.split("within") == "trained on the tested side, grouped by bird"
