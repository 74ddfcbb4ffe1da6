"""Contrasts, trends, depths, claims and verdicts: what is planted is resolved, and noise is not."""

import numpy as np
import pandas as pd
import pytest

from answers_data import BLOCKS, READOUTS, clips, encoder, predicted, study
from stratavox.inference import verdicts
from stratavox.inference.answers import claims, depths, rows_of, table_of, trends
from stratavox.inference.answers import contrasts as c
from stratavox.inference.answers.depths import BEST, ONSET
from stratavox.inference.answers.trends import (
    ACOUSTICS,
    FALLS,
    LEVEL,
    RISES,
    UNDECODABLE,
    UNDETERMINED,
    UNTESTED,
)
from stratavox.inference.infer import encoders_of
from stratavox.inference.measures import Balanced, Explained
from stratavox.inference.study import Place
from stratavox.inference.verdicts import REFUTED, SUPPORTED

NOISE = dict.fromkeys([*READOUTS, "nested", "concat"], 1 / 3)


def the(rows: list[dict], question: str, encoder_name: str = "deep") -> dict:
    """The one contrast of this question."""
    matches = [r for r in rows if r["question"] == question and r["a_encoder"] == encoder_name]
    assert len(matches) == 1
    return matches[0]


def claimed(planted, contrasts) -> dict[str, str]:
    """Claim -> verdict, from the rows of contrasts."""
    planted.answers = {"contrasts": list(contrasts)}
    return {row["claim"]: row["verdict"] for row in claims.rows(planted)}


def verdict(planted) -> dict:
    """The row of the only trained encoder."""
    tables = [table_of(planted, name).to_pandas() for name in ("trends", "depths")]
    rows = [{"dataset": "d", "task": "call"} | row for row in verdicts.of_task(*tables)]
    (row,) = verdicts.over_run(rows)
    return row


SOUNDS = ("f0", "centroid", "bandwidth", "harmonicity")


def acoustic(planted, curve: list[float], targets=SOUNDS, name: str = "deep"):
    """Variance explained along ``curve`` and by all blocks, a little different for each group."""
    generator = np.random.default_rng(1)
    for target in targets:
        spread = 5 + generator.random(planted.groups.n)
        levels = dict(zip(READOUTS, curve, strict=True)) | {"concat": 0.9}
        for readout, value in levels.items():
            noise = 0.05 * generator.standard_normal(planted.groups.n)
            measure = Explained(spread * (1 - value + noise), spread)
            planted.explained[Place(name, target, readout)] = measure


def test_noise_gives_claims_no_more_often_than_the_level():
    """The chance of any claim on noise: at most 5 % of runs for each of the two families."""
    runs, false = 300, np.zeros(2)
    planted = study({"deep": NOISE, "logmel": {"features": 1 / 3}}, 0)
    for seed in range(runs):
        generator = np.random.default_rng(seed)
        # clips of a group are guessed alike, as clips of an animal are
        for key, measure in planted.correct.items():
            rates = generator.beta(6, 12, len(measure.clips))[:, None]
            guessed = generator.binomial(measure.clips.astype(int), rates).astype(float)
            planted.correct[key] = Balanced(guessed, measure.clips)
        rows = c.rows(planted)
        assert len(rows) >= 6
        for family in (True, False):
            own = [row for row in rows if (row["question"] == c.ABOVE_CHANCE) == family]
            false[int(family)] += any(row["resolved"] for row in own)
    assert (false / runs <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / runs)).all()


def test_a_strong_encoder_is_resolved_and_its_claims_supported():
    strengths = {"deep": NOISE | {"block_02": 0.8, "nested": 0.8}, "logmel": {"features": 0.45}}
    planted = study(strengths, 0)
    rows = c.rows(planted)
    above = the(rows, c.ABOVE_CHANCE)
    assert above["resolved"] and above["a_value"] == pytest.approx(0.8, abs=0.08)
    assert the(rows, c.BASELINE)["resolved"]
    assert the(rows, c.LAST_OR_CHOSEN)["difference"] < -0.3
    verdict_of = claimed(planted, rows)
    assert verdict_of["call is linearly decodable from deep"] == SUPPORTED
    assert (
        verdict_of["the last block of deep is as good as the block chosen in training"] == REFUTED
    )


def test_equal_scores_are_equal_only_where_precise():
    """Almost the same predictions are equal; two noisy ones are neither different nor equal."""
    planted = study({"deep": NOISE | {"nested": 0.6}}, 0)
    best = next(key for key in planted.correct if key.readout == "nested")
    last = best._replace(readout="block_03")
    own = planted.correct[best]
    nearly = 0.05 * np.random.default_rng(0).standard_normal(own.total.shape)
    planted.correct[last] = Balanced(own.total + nearly, own.clips)
    contrast = the(c.rows(planted), c.LAST_OR_CHOSEN)
    assert contrast["equivalent"] and not contrast["resolved"]
    assert "equal within 0.020" in contrast["sentence"]
    vague = the(c.rows(study({"deep": NOISE}, 1)), c.LAST_OR_CHOSEN)
    assert not vague["equivalent"] and "not resolved" in vague["sentence"]
    assert vague["detectable"] > 0.02
    # one and the same set of predictions says nothing of how precise it is
    planted.correct[last] = own
    same = the(c.rows(planted), c.LAST_OR_CHOSEN)
    assert not same["equivalent"] and same["detectable"] is None
    assert same["low"] is None and same["interval"] == "none"
    assert "no group differs" in same["sentence"]
    assert list(claimed(planted, [same]).values()) == [UNDETERMINED]


def test_the_last_block_is_the_chosen_one_where_every_fold_chose_it():
    planted = study({"deep": NOISE | {"block_03": 0.6, "nested": 0.6}}, 0)
    planted.scores["chosen"] = planted.scores["readout"] == "block_03"
    row = the(c.rows(planted), c.LAST_OR_CHOSEN)
    assert row["identical"] and "in every fold" in row["sentence"]
    planted.answers = {"contrasts": [row]}
    (claim,) = claims.rows(planted)
    assert (claim["verdict"], claim["p_kind"]) == (SUPPORTED, "identity")


def test_what_refutes_by_equality_is_the_p_that_is_shown():
    planted = study({"deep": NOISE | {"nested": 0.6}, "logmel": {"features": 0.6}}, 0)
    best = next(key for key in planted.correct if key.readout == "nested")
    other = next(key for key in planted.correct if key.encoder == "logmel")
    own = planted.correct[best]
    nearly = 0.05 * np.random.default_rng(0).standard_normal(own.total.shape)
    planted.correct[other] = Balanced(own.total + nearly, own.clips)
    planted.answers = {"contrasts": [the(c.rows(planted), c.BASELINE)]}
    (claim,) = claims.rows(planted)
    assert (claim["verdict"], claim["p_kind"]) == (REFUTED, "equivalence")
    assert claim["p_value"] < 0.05


def test_scores_at_the_ceiling_are_called_that_and_a_resolved_row_is_never_untestable():
    planted = study({"deep": NOISE | {"nested": 1.0}, "logmel": {"features": 0.99}}, 0)
    for key, measure in planted.correct.items():
        if key.readout in ("nested", "features"):
            planted.correct[key] = Balanced(measure.clips, measure.clips)
    rows = c.rows(planted)
    above = the(rows, c.ABOVE_CHANCE)
    assert above["resolved"] and above["p_value"] == 2 / 2**12
    assert "cannot be tested" not in above["sentence"] and above["low"] < above["difference"]
    assert "at the ceiling" in the(rows, c.BASELINE)["sentence"]


def test_a_probe_at_chance_leaves_the_claim_on_order_undetermined():
    planted = study({"deep": NOISE | {"nested": 0.6}}, 0)
    generator = np.random.default_rng(2)
    for strength, outcome in ((1 / 3, UNDETERMINED), (0.8, REFUTED)):
        ordered = predicted(clips(), "block_03", strength, generator, probe="attention_order")
        planted.add("deep", ordered)
        planted.add("deep", ordered.assign(control="shuffled"))
        key = next(k for k in planted.correct if k.control == "shuffled")
        nearly = 0.01 * generator.standard_normal(planted.correct[key].total.shape)
        planted.correct[key] = Balanced(
            planted.correct[key].total + nearly, planted.correct[key].clips
        )
        row = the(c.rows(planted), c.ORDER)
        assert row["equivalent"] and row["b_control"] == "shuffled"
        assert list(claimed(planted, [row]).values()) == [outcome]


def test_too_few_groups_are_not_tested():
    planted = study({"deep": NOISE | {"nested": 0.9}}, 0, groups=2)
    above = the(c.rows(planted), c.ABOVE_CHANCE)
    assert above["resolved"] is None and above["p_value"] is None
    assert "not tested: too few groups" in above["sentence"]
    assert list(claimed(planted, [above]).values()) == [UNDETERMINED]


@pytest.mark.parametrize("null", [0.2, 0.5])
def test_permuted_labels_are_what_has_to_be_beaten(null):
    """Above chance or below it: where classes live in few groups, a null score is below chance."""
    planted = study({"deep": NOISE | {"nested": 0.55}}, 0)
    planted.scores.loc[planted.scores["control"] == "permutation", "value"] = null
    above = the(c.rows(planted), c.ABOVE_CHANCE)
    assert (above["b_readout"], above["b_value"]) == ("permuted labels", pytest.approx(null))


def test_few_permutations_widen_the_contrast_with_them():
    planted = study({"deep": NOISE | {"nested": 0.55}}, 0)
    exact = the(c.rows(planted), c.ABOVE_CHANCE)
    rows = planted.scores[planted.scores["control"] == "permutation"]
    others = [rows.assign(repeat=n, value=1 / 3 + d) for n, d in ((1, 0.1), (2, -0.1))]
    planted.scores = pd.concat([planted.scores, *others])
    assert the(c.rows(planted), c.ABOVE_CHANCE)["error"] > 1.2 * exact["error"]


def test_a_leaky_random_split_supports_the_claim_of_leakage():
    planted = study({"deep": NOISE | {"nested": 1 / 3}}, 0)
    random = predicted(clips(), "nested", 0.85, np.random.default_rng(5), regime="random")
    planted.add("deep", random)
    rows = c.rows(planted)
    gap = the(rows, c.LEAKAGE)
    assert gap["resolved"] and gap["difference"] > 0.4
    assert gap["p_resampled"] is None  # folds of two regimes do not pair
    assert (gap["a_regime"], gap["b_regime"]) == ("random", "grouped")
    assert claimed(planted, rows)["a random split is optimistic for call with deep"] == SUPPORTED


def test_twins_are_of_one_architecture_whatever_is_read_inside_their_blocks():
    deep, twin = encoder("deep"), encoder("twin", "random")
    twin.description["widths"] = twin.description["widths"] | {"ffn_00": 8}
    assert deep.architecture == twin.architecture
    assert twin.untrained and encoder("twin", "permuted").untrained and not deep.untrained
    assert twin.twin_of(deep) and not deep.twin_of(twin) and not twin.twin_of(twin)
    permuted, other = encoder("same", "permuted"), encoder("other", "permuted")
    for one, sha256 in ((deep, "a"), (permuted, "a"), (other, "b")):
        one.description["weights_sha256"] = sha256
    assert permuted.twin_of(deep) and not other.twin_of(deep), "other values were permuted"
    kinds = [encoder("whisper"), encoder("hubert", "random"), encoder("other", "random")]
    for kind, model in zip(kinds, ("whisper", "hubert", "whisper"), strict=True):
        kind.description |= {"family": "transformers", "kind": model}
    assert kinds[0].architecture != kinds[1].architecture
    assert kinds[0].architecture == kinds[2].architecture
    twin.description["widths"]["block_00"] = 16
    assert deep.architecture != twin.architecture


def test_random_draws_are_one_control():
    """Draws are averaged; the trained encoder is compared with their mean, not with each."""
    encoders = [encoder("deep"), encoder("twin", "random", ["twin_seed0", "twin_seed1"])]
    weak = NOISE | {"nested": 0.5}
    strengths = {"deep": NOISE | {"nested": 0.8}, "twin_seed0": weak, "twin_seed1": weak}
    planted = study(strengths, 0, encoders)
    trained = the(c.rows(planted), c.TRAINED)
    drawn = [
        planted.correct[k].value
        for k in planted.correct
        if k.encoder in ("twin_seed0", "twin_seed1") and k.readout == "nested"
    ]
    assert trained["b_encoder"] == "twin" and trained["b_value"] == pytest.approx(np.mean(drawn))
    table = table_of(planted, "estimates").to_pandas()
    assert set(table["encoder"]) == {"deep", "twin"}
    row = table[
        (table["encoder"] == "twin")
        & (table["readout"] == "nested")
        & (table["metric"] == "balanced_accuracy")
        & (table["control"] == "none")
    ].iloc[0]
    assert (row["draws_low"], row["draws_high"]) == (min(drawn), max(drawn))


def test_twins_of_both_kinds_are_contrasts_of_their_own():
    names = {kind: [f"{kind}_seed{seed}" for seed in range(3)] for kind in ("random", "permuted")}
    encoders = [encoder("deep"), *(encoder(kind, kind, of) for kind, of in names.items())]
    for one in encoders:
        one.description["weights_sha256"] = "of the file"
    scores = {"random": 0.4, "permuted": 0.6}
    strengths = {name: NOISE | {"nested": scores[kind]} for kind in names for name in names[kind]}
    planted = study(strengths | {"deep": NOISE | {"nested": 0.9}}, 0, encoders)
    rows = c.rows(planted)
    claims = claimed(planted, rows)
    for kind, question in (("random", c.TRAINED), ("permuted", c.PERMUTED)):
        row = the(rows, question)
        assert row["b_encoder"] == kind and row["draws"] == 3 and row["resolved"]
        assert f"is above {kind}, the block" in row["sentence"]
        assert f"({kind} weights, 3 draws)" in row["sentence"]
        claim = f"call is more linearly decodable from deep than from {kind} weights (3 draws)"
        assert claims[claim] == SUPPORTED


def test_one_draw_of_weights_leaves_the_claim_open():
    """How much draws differ is not known from one."""
    strengths = {"deep": NOISE | {"nested": 0.9}, "twin": NOISE | {"nested": 0.4}}
    planted = study(strengths, 0, [encoder("deep"), encoder("twin", "random")])
    rows = c.rows(planted)
    assert the(rows, c.TRAINED)["resolved"]
    claim = "call is more linearly decodable from deep than from random weights (1 draw)"
    assert claimed(planted, rows)[claim] == UNDETERMINED


def test_draws_are_gathered_in_the_order_of_the_run():
    descriptions = [{"encoder": name} for name in ("a", "r_seed0", "r_seed1", "z")]
    compared = encoders_of(descriptions, {"r": ["r_seed0", "r_seed1"]})
    assert [(encoder.name, encoder.members) for encoder in compared] == [
        ("a", ["a"]),
        ("r", ["r_seed0", "r_seed1"]),
        ("z", ["z"]),
    ]


def test_a_trained_encoder_is_compared_with_what_one_more_draw_can_give():
    """Twins that differ from each other as much as they are below it leave the claim open."""
    names = [f"twin_seed{seed}" for seed in range(5)]
    encoders = [encoder("deep"), encoder("twin", "random", names)]
    outcomes = []
    for spread in (0.0, 0.15):
        scores = dict(zip(names, 0.5 + spread * np.arange(-2, 3), strict=True)) | {"deep": 0.9}
        strengths = {name: NOISE | {"nested": value} for name, value in scores.items()}
        row = the(c.rows(study(strengths, 0, encoders)), c.TRAINED)
        assert row["draws"] == 5 and "(random weights, 5 draws)" in row["sentence"]
        outcomes.append(row)
    alike, apart = outcomes
    assert alike["resolved"] and not apart["resolved"]
    assert apart["freedom"] < alike["freedom"]


LATE, EARLY = [0.35, 0.4, 0.55, 0.75, 0.9], [0.9, 0.6, 0.3, 0.1, 0.05]


def planted_curves(task: list[float], sound: list[float], groups: int = 12):
    """A study with a curve of the task and one of all acoustic targets."""
    strengths = dict(zip(READOUTS, task, strict=True)) | {"nested": max(task)}
    planted = study({"deep": strengths}, 3, groups=groups)
    acoustic(planted, sound)
    return planted


@pytest.mark.parametrize(
    ("task", "sound", "outcome"),
    [
        (LATE, EARLY, SUPPORTED),
        (EARLY, EARLY, REFUTED),
        (LATE, LATE, REFUTED),
        (LATE, [0.5] * 5, UNDETERMINED),
    ],
    ids=["task late, sound early", "both early", "both late", "sound level"],
)
def test_the_verdict_is_what_the_curves_do(task, sound, outcome):
    row = verdict(planted_curves(task, sound))
    directions = {tuple(LATE): RISES, tuple(EARLY): FALLS, (0.5,) * 5: LEVEL}
    assert row["verdict"] == outcome
    assert row["task_direction"] == directions[tuple(task)]
    if sound[0] != 0.5:
        assert row["acoustics_direction"] == directions[tuple(sound)]
        assert row[f"targets_{row['acoustics_direction']}"] == row["targets"] == len(SOUNDS)
    assert "call" in row["sentence"] and outcome in row["sentence"]


def test_a_trend_is_the_mean_of_the_last_third_minus_that_of_the_first():
    planted = planted_curves(LATE, EARLY)
    rows = {row["target"]: row for row in trends.rows(planted)}
    scores = {key.readout: planted.correct[key].value for key in planted.correct}
    # five readouts: one in a third
    assert rows["call"]["value"] == pytest.approx(scores[BLOCKS[-1]] - scores["input"])
    assert rows["f0"]["value"] == pytest.approx(EARLY[-1] - EARLY[0], abs=0.05)
    each = [rows[target]["value"] for target in SOUNDS]
    assert rows[ACOUSTICS]["value"] == pytest.approx(np.mean(each))
    assert rows["call"]["low"] < rows["call"]["value"] < rows["call"]["high"]


def test_a_task_at_chance_has_no_trend():
    row = verdict(planted_curves([1 / 3] * 5, EARLY))
    assert (row["verdict"], row["task_direction"]) == (UNDETERMINED, UNDECODABLE)
    assert "not decodable at any depth" in row["sentence"]
    assert depths.rows(planted_curves([1 / 3] * 5, EARLY)) == []


def test_targets_that_disagree_do_not_fall_together():
    """The mean falls, but as one of these targets it might as well rise."""
    planted = planted_curves(LATE, EARLY)
    acoustic(planted, [0.2, 0.3, 0.4, 0.5, 0.6], SOUNDS[2:])
    row = verdict(planted)
    assert row["acoustics_trend"] < 0 and row["acoustics_direction"] == UNDETERMINED
    assert (row["verdict"], row["targets_falls"], row["targets_rises"]) == (UNDETERMINED, 2, 2)
    assert "of them 2 fall, 2 rise" in row["sentence"]


def test_two_targets_say_nothing_of_acoustic_targets():
    planted = study({"deep": dict(zip(READOUTS, LATE, strict=True)) | {"nested": 0.9}}, 3)
    acoustic(planted, EARLY, SOUNDS[:2])
    row = verdict(planted)
    assert (row["verdict"], row["acoustics_direction"]) == (UNDETERMINED, UNTESTED)


def test_a_refutation_is_adjusted_over_the_run():
    rows = [{"task": "call", "p_refuted": p} for p in (0.01, 0.02, 0.9)]
    parts = {"direction": RISES, "trend": 0.1, "low": 0.05, "high": 0.2}
    named = {f"{of}_{key}": value for of in ("task", "acoustics") for key, value in parts.items()}
    counts = {"targets": 4, "targets_rises": 4, "targets_falls": 0, "targets_level": 0}
    judged = verdicts.over_run([row | named | counts for row in rows])
    assert [row["p_holm"] for row in judged] == pytest.approx([0.03, 0.04, 0.9])
    assert [row["verdict"] for row in judged] == [REFUTED, REFUTED, UNDETERMINED]
    more = verdicts.over_run([row | named | counts for row in [*rows[:2], rows[0], *rows[1:]] * 2])
    assert UNDETERMINED in [row["verdict"] for row in more[:2]]
    assert "for all verdicts of this run" in more[1]["sentence"]


def test_random_weights_get_no_verdict():
    encoders = [encoder("deep"), encoder("twin", "random")]
    strengths = dict(zip(READOUTS, LATE, strict=True)) | {"nested": 0.9}
    planted = study({"deep": strengths, "twin": strengths}, 0, encoders)
    acoustic(planted, EARLY)
    assert {row["encoder"] for row in trends.rows(planted)} == {"deep", "twin"}
    assert verdict(planted)["encoder"] == "deep"


def test_other_definitions_of_depth_are_shown_beside():
    """Where task and sound are far apart all three agree with the verdict."""
    rows = rows_of(planted_curves(LATE, EARLY), "robustness")
    assert len(rows) == 3
    assert {row["verdict"] for row in rows if row["difference"] is not None} == {SUPPORTED}


def test_onset_and_the_set_of_best_blocks():
    """The onset is shown to be within the margin of the chosen block; the worse ones are not."""
    strengths = dict(zip(READOUTS, [0.34, 0.4, 0.9, 0.9, 0.5], strict=True)) | {"nested": 0.9}
    planted = study({"deep": strengths}, 0)
    chosen = next(planted.correct[key] for key in planted.correct if key.readout == "nested")
    for place, key in enumerate(key for key in planted.correct if key.readout in BLOCKS[1:3]):
        noise = 0.04 * np.random.default_rng(place).standard_normal(chosen.total.shape)
        planted.correct[key] = Balanced(chosen.total + noise, chosen.clips)
    rows = {row["measure"]: row for row in depths.rows(planted)}
    assert rows[ONSET]["readouts"] == BLOCKS[1]
    assert rows[ONSET]["low"] > -0.02
    assert rows[BEST]["readouts"] == f"{BLOCKS[1]}, {BLOCKS[2]}"


def test_what_a_block_adds_to_acoustic_descriptors():
    planted = study({"deep": NOISE}, 0)
    generator = np.random.default_rng(7)
    planted.add("deep", predicted(clips(), "acoustics", 0.5, generator))
    planted.add("deep", predicted(clips(), f"acoustics+{BLOCKS[-1]}", 0.8, generator))
    rows = c.rows(planted)
    adds = the(rows, c.ADDS)
    assert adds["metric"] == "bits" and adds["resolved"] and adds["margin"] is None
    assert adds["difference"] == pytest.approx(adds["a_value"] - adds["b_value"])
    assert list(claimed(planted, [adds]).values()) == [SUPPORTED]
