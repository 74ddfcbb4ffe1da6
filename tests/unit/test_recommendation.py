"""The recommended readout: chosen in training alone, scored on held-out clips, with warnings."""

import numpy as np
import pandas as pd
import pytest

from answers_data import BLOCKS, SETTINGS, clips, encoder, predicted, scored
from stratavox.inference.answers import recommendation, table_of
from stratavox.inference.study import Study

TASK = {"chance": 1 / 3, "regimes": ["grouped", "random"], "group": "bird"}
NOISE = 1 / 3


def deep(nested: float, last: float | None = None) -> dict[str, float]:
    """How often an encoder's readouts are right: the chosen block and the last."""
    return dict.fromkeys(BLOCKS, nested) | {BLOCKS[-1]: last or nested, "nested": nested}


def made(
    strengths: dict[str, dict[str, float]],
    losses: dict[str, float],
    encoders=(),
    groups: int = 12,
    task: dict = TASK,
    repeats: int = 1,
) -> tuple[Study, pd.DataFrame]:
    """A study and all its predictions; ``losses`` in training by encoder; block 2 is chosen."""
    units = {one.name: one for one in encoders}
    for name, readouts in strengths.items():
        units.setdefault(name, encoder(name, "none" if "features" in readouts else "file"))
    generator, table = np.random.default_rng(0), clips(groups)
    units = {name: units[name] for name in strengths}
    study = Study(task | {"clips": len(table)}, list(units.values()), SETTINGS)
    scores, every = [], []
    for name, readouts in strengths.items():
        rows = [
            # the folds of a repeat are others
            predicted(table.assign(fold=(table["fold"] + shift) % 5), readout, p, generator)
            .assign(repeat=shift, regime=task["regimes"][0])
            .assign(group=lambda rows: rows["group"] if task["group"] else None)
            for shift in range(repeats)
            for readout, p in readouts.items()
        ]
        predictions = pd.concat(rows)
        study.add(name, predictions)
        own = scored(predictions).assign(inner_log_loss=losses[name])
        null = own[own["fold"].isna()].assign(control="permutation", value=NOISE)
        scores.append(pd.concat([own, null]).assign(encoder=name))
        every.append(predictions.assign(encoder=name))
    study.scores = pd.concat(scores, ignore_index=True)
    study.scores["chosen"] = (study.scores["readout"] == BLOCKS[2]) & study.scores["fold"].notna()
    return study, pd.concat(every)


def answers(study: Study) -> tuple[pd.DataFrame, str, list[str]]:
    """The table by encoder, its one sentence, and the warnings beside it."""
    study.answers = {}
    table = table_of(study, "recommendation").to_pandas().set_index("encoder")
    (spoken,) = table["sentence"].dropna().index
    assert set(table.drop(spoken)["beware"]) <= {""} and table["recommended"].sum() <= 1
    text, beware = table.loc[spoken, "sentence"], table.loc[spoken, "beware"].splitlines()
    for one in (*text.split(". "), *beware):
        assert len(one.split()) <= 25, one
    return table, text, beware


def at(study: Study, encoder: str, **where) -> pd.Series:
    """Which rows of the scores these are."""
    rows = study.scores["encoder"] == encoder
    for column, value in where.items():
        rows &= study.scores[column] == value
    return rows


def test_the_score_is_that_of_each_folds_own_choice_counted_clip_by_clip():
    study, every = made({"a": deep(0.9), "b": deep(0.7)}, {"a": 1.0, "b": 2.0}, repeats=2)
    to_b = [(0, 1), (0, 4), (1, 0)]
    for repeat, fold in to_b:
        rows = at(study, "b", readout="nested", repeat=repeat, fold=fold)
        study.scores.loc[rows, "inner_log_loss"] = 0.5
    table, text, _ = answers(study)
    right: dict[str, dict[str, list[bool]]] = {}
    for row in every[every["readout"] == "nested"].to_dict("records"):
        if row["encoder"] == ("b" if (row["repeat"], row["fold"]) in to_b else "a"):
            of_class = right.setdefault(row["target"], {})
            of_class.setdefault(row["clip_id"], []).append(row["predicted"] == row["target"])
    assert all(len(one) == 2 for of_class in right.values() for one in of_class.values())
    by_class = [np.mean([np.mean(one) for one in of_class.values()]) for of_class in right.values()]
    chosen = table.loc["a"]
    assert chosen["recommended"] and chosen["value"] == pytest.approx(np.mean(by_class))
    assert chosen["low"] < chosen["value"] < chosen["high"]
    assert list(table["folds_won"]) == [7, 3] and set(table["folds"]) == {10}
    assert "training chose a in 7 and b in 3 of 10 folds" in text
    # b's row is its own score
    own = every[(every["readout"] == "nested") & (every["encoder"] == "b")]
    mean = (own["predicted"] == own["target"]).groupby(own["target"]).mean().mean()
    assert table.loc["b", "value"] == pytest.approx(mean)


def test_scores_on_held_out_clips_choose_nothing():
    """The encoder that is better on held-out clips, but worse in training, is not taken."""
    study, _ = made({"a": deep(0.7), "b": deep(0.95)}, {"a": 1.0, "b": 2.0})
    table, text, _ = answers(study)
    assert table.loc["a", "recommended"] and text.startswith("Use block 2 of a ")
    assert table.loc["a", "value"] < table.loc["b", "value"] - 0.1


def test_an_encoder_that_is_better_is_recommended_with_what_to_compare_it_with():
    nuisance = encoder("loud", "none")
    nuisance.description["family"] = "duration_level"
    strengths = {
        **{"twin": deep(0.4), "loud": {"features": 0.9}},
        **{"deep": deep(0.95, 0.6), "logmel": {"features": 0.5}},
    }
    losses = {"twin": 0.1, "loud": 0.1, "deep": 0.5, "logmel": 1.0}
    study, _ = made(strengths, losses, [encoder("twin", "random"), nuisance])
    table, text, beware = answers(study)
    # neither random weights nor duration and level
    assert list(table.index) == ["deep", "logmel"] and beware == []
    row = table.loc["deep"]
    assert row["recommended"] and row["readout"] == BLOCKS[2] and row["last_readout"] == BLOCKS[-1]
    assert (row["folds_chosen"], row["folds_won"], row["folds"]) == (5, 5, 5)
    assert text.startswith("Use block 2 of deep (chosen in 5 of 5 folds). Balanced accuracy is ")
    assert f"{row['value']:.2f} (95 % interval {row['low']:.2f} to {row['high']:.2f})" in text
    assert "on 12 birds that were not in training" in text
    numbers = f"{row['last_value']:.2f}, logmel (baseline) {table.loc['logmel', 'value']:.2f}"
    assert f"the last block {numbers}, chance 0.33." in text
    assert np.isnan(row["clips_a_class"]) and "labelled" not in text


def test_what_was_not_shown_to_be_worse_is_a_warning():
    strengths = {
        **{"deep": deep(0.85, 0.86), "twin": deep(0.85)},
        **{"logmel": {"features": 0.85}, "mfcc": {"features": 0.99}},
    }
    losses = dict.fromkeys(strengths, 1.0) | {"deep": 0.5}
    study, _ = made(strengths, losses, [encoder("twin", "random")], groups=20)
    leaky = predicted(clips(20), "nested", 0.99, np.random.default_rng(1), regime="random")
    study.add("deep", leaky)
    _, text, beware = answers(study)
    assert text.startswith("Use block 2 of deep") and len(beware) == 5
    assert beware[0].startswith("A random split gives 0.99 instead of 0.8")
    assert beware[0].endswith("of a new bird.")
    assert beware[1].startswith("twin (random weights) was not shown to be worse (0.8")
    assert beware[2].startswith("logmel (baseline) was not shown to be worse (0.8")
    assert beware[3].startswith("mfcc (baseline) was shown to be better (0.9")
    assert beware[4].startswith("The last block was not shown to be worse (0.8")
    assert beware[4].endswith("and it is simpler to use.")


def test_log_mel_is_recommended_where_training_chose_it():
    study, _ = made({"deep": deep(0.6), "logmel": {"features": 0.9}}, {"deep": 1.0, "logmel": 0.5})
    table, text, beware = answers(study)
    row = table.loc["logmel"]
    assert row["recommended"] and row["readout"] == "features" and pd.isna(row["last_readout"])
    assert text.startswith("Use logmel (baseline). Balanced accuracy is ") and beware == []
    assert "last block" not in text and "For comparison: chance 0.33." in text
    study, _ = made({"deep": deep(0.9), "logmel": {"features": 0.6}}, {"deep": 1.0, "logmel": 0.5})
    _, text, beware = answers(study)
    assert text.startswith("Use logmel") and len(beware) == 1
    assert beware[0].startswith("deep was shown to be better (0.9")


def test_nothing_is_recommended_where_nothing_is_shown_to_be_decodable():
    strengths = {"deep": deep(NOISE), "logmel": {"features": NOISE}}
    study, _ = made(strengths, {"deep": 1.0, "logmel": 0.5})
    table, text, _ = answers(study)
    assert not table["recommended"].any() and table["clips_a_class"].isna().all()
    assert table["sentence"].notna().tolist() == [True, False]
    assert text.startswith("Nothing is recommended: call was not shown to be decodable from logmel")
    assert f"balanced accuracy is {table.loc['logmel', 'value']:.2f} (95 % interval" in text
    study, _ = made(strengths | {"deep": deep(0.9)}, {"deep": 1.0, "logmel": 0.5})
    table, text, _ = answers(study)
    assert not table["recommended"].any() and text.endswith("deep, which training did not choose.")


def test_of_blocks_chosen_equally_often_the_one_with_less_loss_is_used():
    study, _ = made({"deep": deep(0.9)}, {"deep": 1.0})
    blocks = study.scores["readout"].isin(BLOCKS) & study.scores["fold"].notna()
    chosen = {0: BLOCKS[0], 1: BLOCKS[0], 2: BLOCKS[3], 3: BLOCKS[3], 4: BLOCKS[1]}
    study.scores.loc[blocks, "chosen"] = study.scores["readout"] == study.scores["fold"].map(chosen)
    study.scores.loc[at(study, "deep", readout=BLOCKS[3]), "inner_log_loss"] = 0.8
    study.scores.loc[at(study, "deep", readout=BLOCKS[1]), "inner_log_loss"] = 0.5
    table, text, _ = answers(study)
    assert table.loc["deep", "readout"] == BLOCKS[3] and table.loc["deep", "folds_chosen"] == 2
    assert "block 3 of deep (chosen in 2 of 5 folds)" in text


def test_the_fewest_clips_that_score_within_the_margin_of_all():
    study, every = made({"deep": deep(0.95)}, {"deep": 1.0})
    whole = answers(study)[0].loc["deep", "value"]
    few = {1: whole - 0.3, 2: whole - 0.021, 4: whole - 0.019, 8: whole}
    of_clip = every[every["readout"] == BLOCKS[2]]
    of_clip = of_clip.groupby(["repeat", "fold", "group", "target"], as_index=False).agg(
        n_clips=("clip_id", "size")
    )
    place = {"readout": BLOCKS[2], "draws": 5, "regime": "grouped"}
    study.samples = {
        "deep": pd.concat(
            of_clip.assign(clips_a_class=size, correct=of_clip["n_clips"] * score, **place)
            for size, score in few.items()
        )
    }
    table, text, _ = answers(study)
    assert table.loc["deep", "clips_a_class"] == 4
    assert table.loc["deep", "clips_value"] == pytest.approx(few[4])
    clips_of_each = "With 4 labelled clips of each class, spread over birds, it is "
    assert text.endswith(f"{clips_of_each}{few[4]:.2f}.")


@pytest.mark.parametrize("regime", ["random", "recording"])
def test_without_groups_there_is_a_recommendation_with_a_warning_and_no_interval(regime):
    task = TASK | {"regimes": [regime], "group": None}
    strengths = {"deep": deep(0.9, 0.6), "logmel": {"features": 0.95}, "flat": {"features": 0.5}}
    study, _ = made(strengths, {"deep": 0.5, "logmel": 1.0, "flat": 1.0}, task=task)
    table, text, beware = answers(study)
    assert table.loc["deep", "recommended"] and table["low"].isna().all()
    assert set(table["interval"]) == {"none"} and table["n_groups"].isna().all()
    held = "clips" if regime == "random" else "recordings"
    assert f"(no interval) on {held} that were not in training" in text
    assert beware[0].startswith("Groups are unknown: an individual") and len(beware) == 3
    assert ("or a recording may" in beware[0]) == (regime == "random")
    # only what is within the margin: nothing was tested
    assert beware[2].startswith("logmel (baseline) was not shown to be worse (0.")
    study, _ = made(
        {"deep": deep(NOISE), "logmel": {"features": NOISE}}, {"deep": 0.5, "logmel": 1}, task=task
    )
    assert not answers(study)[0]["recommended"].any()


def test_few_groups_are_a_warning():
    for groups, warning in (
        (2, "2 birds are too few: the interval is the range over them, and nothing was tested."),
        (6, "Few groups (6 birds, 5.0 degrees of freedom): the interval is wide"),
    ):
        study, _ = made({"deep": deep(0.95)}, {"deep": 1.0}, groups=groups)
        table, text, beware = answers(study)
        assert table.loc["deep", "recommended"] and beware[0].startswith(warning)
        assert ("range over groups" in text) == (groups == 2)
    task = TASK | {"group": ["bird", "site"], "transfer": {"column": "site", "train": ["A"]}}
    task["transfer"]["test"] = ["B", "C"]
    study, _ = made({"deep": deep(0.95)}, {"deep": 1.0}, task=task)
    _, text, beware = answers(study)
    assert "on 12 groups of site B and C that were not in training" in text
    assert beware[0].startswith("Trained on site A alone")


def test_without_a_candidate_the_table_is_empty():
    study, _ = made({"twin": deep(0.9)}, {"twin": 1.0}, [encoder("twin", "random")])
    assert recommendation.rows(study) == []
