"""Contrasts, depths and claims: what is planted is resolved, and noise is not."""

import numpy as np
import pytest

from answers_data import BLOCKS, READOUTS, clips, encoder, predicted, study
from stratavox.inference.answers import claims, depths, table_of
from stratavox.inference.answers import contrasts as c
from stratavox.inference.answers.claims import EARLY_LATE, REFUTED, SUPPORTED, UNDETERMINED
from stratavox.inference.answers.depths import APART, BEST, SATURATION
from stratavox.inference.infer import encoders_of
from stratavox.inference.measures import Balanced, Explained
from stratavox.inference.study import Place

NOISE = dict.fromkeys([*READOUTS, "nested", "concat"], 1 / 3)


def the(rows: list[dict], question: str, encoder_name: str = "deep") -> dict:
    """The one contrast of this question."""
    matches = [r for r in rows if r["question"] == question and r["a_encoder"] == encoder_name]
    assert len(matches) == 1
    return matches[0]


def verdicts(planted, contrasts=(), depths=()) -> dict[str, str]:
    """Claim -> verdict, from the rows of contrasts and of depths."""
    planted.answers = {"contrasts": list(contrasts), "depths": list(depths)}
    return {row["claim"]: row["verdict"] for row in claims.rows(planted)}


def acoustic(planted, curve: dict[str, float], name: str = "deep", target: str = "f0"):
    """Variance explained along ``curve``, a little different from group to group."""
    generator = np.random.default_rng(1)
    spread = 5 + generator.random(planted.groups.n)
    noise = 0.05 * generator.standard_normal(planted.groups.n)
    return {
        Place(name, target, readout): Explained(spread * (1 - value + noise), spread)
        for readout, value in curve.items()
    }


def test_noise_gives_claims_no_more_often_than_the_level():
    """The chance of any claim on noise stays at the level: at most 5 % of runs, give or take."""
    runs, false = 300, 0
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
        false += any(row["resolved"] for row in rows)
    assert false / runs <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / runs)


def test_a_strong_encoder_is_resolved_and_its_claims_supported():
    strengths = {"deep": NOISE | {"block_02": 0.8, "nested": 0.8}, "logmel": {"features": 0.45}}
    planted = study(strengths, 0)
    rows = c.rows(planted)
    above = the(rows, c.ABOVE_CHANCE)
    assert above["resolved"] and above["a_value"] == pytest.approx(0.8, abs=0.08)
    assert the(rows, c.BASELINE)["resolved"]
    assert the(rows, c.LAST_OR_CHOSEN)["difference"] < -0.3
    verdict_of = verdicts(planted, rows)
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
    assert same["equivalent"] is None and same["detectable"] is None
    assert list(verdicts(planted, [same]).values()) == [UNDETERMINED]


def test_a_probe_at_chance_leaves_the_claim_on_order_undetermined():
    planted = study({"deep": NOISE | {"nested": 0.6}}, 0)
    generator = np.random.default_rng(2)
    for strength, verdict in ((1 / 3, UNDETERMINED), (0.8, REFUTED)):
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
        assert list(verdicts(planted, [row]).values()) == [verdict]


def test_too_few_groups_are_not_tested():
    planted = study({"deep": NOISE | {"nested": 0.9}}, 0, groups=5)
    above = the(c.rows(planted), c.ABOVE_CHANCE)
    assert above["resolved"] is None and above["p_value"] is None
    assert "not tested: too few groups" in above["sentence"]
    assert list(verdicts(planted, [above]).values()) == [UNDETERMINED]


def test_permuted_labels_above_chance_are_what_has_to_be_beaten():
    planted = study({"deep": NOISE | {"nested": 0.55}}, 0)
    planted.scores.loc[planted.scores["control"] == "permutation", "value"] = 0.5
    above = the(c.rows(planted), c.ABOVE_CHANCE)
    assert (above["b_readout"], above["b_value"]) == ("permuted labels", 0.5)


def test_a_leaky_random_split_supports_the_claim_of_leakage():
    planted = study({"deep": NOISE | {"nested": 1 / 3}}, 0)
    random = predicted(clips(), "nested", 0.85, np.random.default_rng(5), regime="random")
    planted.add("deep", random)
    rows = c.rows(planted)
    gap = the(rows, c.LEAKAGE)
    assert gap["resolved"] and gap["difference"] > 0.4
    assert gap["p_resampled"] is None  # folds of two regimes do not pair
    assert (gap["a_regime"], gap["b_regime"]) == ("random", "grouped")
    assert verdicts(planted, rows)["a random split is optimistic for call with deep"] == SUPPORTED


def test_twins_are_of_one_architecture_whatever_is_read_inside_their_blocks():
    deep, twin = encoder("deep"), encoder("twin", "random")
    twin.description["widths"] = twin.description["widths"] | {"ffn_00": 8}
    assert deep.architecture == twin.architecture
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


def test_draws_are_gathered_in_the_order_of_the_run():
    descriptions = [{"encoder": name} for name in ("a", "r_seed0", "r_seed1", "z")]
    compared = encoders_of(descriptions, {"r": ["r_seed0", "r_seed1"]})
    assert [(encoder.name, encoder.members) for encoder in compared] == [
        ("a", ["a"]),
        ("r", ["r_seed0", "r_seed1"]),
        ("z", ["z"]),
    ]


@pytest.mark.parametrize("late", [True, False])
def test_early_acoustics_and_late_meaning_is_supported_refuted_or_open(late):
    """The centres follow what is planted, whichever way round it is."""
    early, deep = [0.9, 0.6, 0.3, 0.1, 0.05], [0.35, 0.4, 0.55, 0.75, 0.9]
    task, sound = (deep, early) if late else (early, deep)
    strengths = {"deep": dict(zip(READOUTS, task, strict=True)) | {"nested": 0.9}}
    planted = study(strengths, 3)
    planted.explained = acoustic(planted, dict(zip(READOUTS, sound, strict=True)) | {"concat": 0.9})
    rows = depths.rows(planted)
    apart = next(row for row in rows if row["target"] == APART)
    assert (apart["value"] > 0.2) == late and (apart["low"] > 0 or apart["high"] < 0)
    assert verdicts(planted, depths=rows) == {EARLY_LATE: SUPPORTED if late else REFUTED}


@pytest.mark.parametrize("groups", [8, 16])
def test_a_curve_of_one_group_alone_has_no_centre(groups):
    """Without that group the curve is at chance all along, and nothing is left to be centred."""
    planted = study({"deep": NOISE}, 0, groups=groups)
    for key, measure in planted.correct.items():
        right = measure.clips / 3
        if key.readout == "block_02":
            right[0] = measure.clips[0]
        planted.correct[key] = Balanced(right, measure.clips)
    planted.explained = acoustic(
        planted, dict(zip(READOUTS, (0.8, 0.6, 0.4, 0.3, 0.2), strict=True))
    )
    rows = {row["target"]: row for row in depths.rows(planted) if row["measure"] == "centre"}
    assert rows["f0"]["low"] < rows["f0"]["value"] < rows["f0"]["high"]
    for undecided in ("call", APART):
        assert rows[undecided]["value"] is rows[undecided]["low"] is None


def test_flat_curves_leave_the_question_open():
    planted = study({"deep": dict.fromkeys([*READOUTS, "nested"], 0.6)}, 0)
    planted.explained = acoustic(planted, dict.fromkeys([*READOUTS, "concat"], 0.5))
    assert verdicts(planted, depths=depths.rows(planted)) == {EARLY_LATE: UNDETERMINED}


def test_a_curve_within_the_margin_has_no_centre():
    """However precise: range-normalised, differences too small to matter would look large."""
    planted = study({"deep": dict.fromkeys([*READOUTS, "nested"], 0.6)}, 0)
    steady = next(iter(planted.correct.values()))
    for place, readout in enumerate(READOUTS):
        key = next(key for key in planted.correct if key.readout == readout)
        planted.correct[key] = Balanced(steady.total * (1 + place / 1000), steady.clips)
    planted.explained = acoustic(
        planted, dict(zip(READOUTS, [0.9, 0.6, 0.3, 0.1, 0.05], strict=True))
    )
    rows = depths.rows(planted)
    assert verdicts(planted, depths=rows) == {EARLY_LATE: UNDETERMINED}
    assert next(row for row in rows if row["target"] == "call")["value"] is None
    planted.settings = planted.settings | {"margin": 0.001}
    assert verdicts(planted, depths=depths.rows(planted)) == {EARLY_LATE: SUPPORTED}


@pytest.mark.parametrize("peak", [0, 2, 4])
def test_centre_moves_with_the_planted_block(peak):
    strengths = {name: 0.9 if place == peak else 0.34 for place, name in enumerate(READOUTS)}
    planted = study({"deep": strengths | {"nested": 0.9}}, 0)
    row = next(r for r in depths.rows(planted) if r["measure"] == "centre")
    assert row["value"] == pytest.approx(peak / 4, abs=0.13)


def test_saturation_and_the_set_of_best_blocks():
    strengths = dict(zip(READOUTS, [0.34, 0.4, 0.9, 0.9, 0.5], strict=True)) | {"nested": 0.9}
    rows = depths.rows(study({"deep": strengths}, 0))
    named = {row["measure"]: row["readouts"] for row in rows if row["readouts"]}
    assert named[SATURATION] == BLOCKS[1]
    assert named[BEST] == f"{BLOCKS[1]}, {BLOCKS[2]}"


def test_what_a_block_adds_to_acoustic_descriptors():
    planted = study({"deep": NOISE}, 0)
    generator = np.random.default_rng(7)
    planted.add("deep", predicted(clips(), "acoustics", 0.5, generator))
    planted.add("deep", predicted(clips(), f"acoustics+{BLOCKS[-1]}", 0.8, generator))
    rows = c.rows(planted)
    adds = the(rows, c.ADDS)
    assert adds["metric"] == "bits" and adds["resolved"] and adds["margin"] is None
    assert adds["difference"] == pytest.approx(adds["a_value"] - adds["b_value"])
    assert (
        verdicts(planted, rows)["block_03 of deep adds to the acoustic descriptors about call"]
        == SUPPORTED
    )
