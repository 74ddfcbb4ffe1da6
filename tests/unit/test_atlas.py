"""The acoustic atlas: what is held is found, what is not is not, and no test group has a say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import norm
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

import stage_jobs
from embeddings_data import folder
from stratavox import tables
from stratavox.corpus.acoustics import SCHEMA, TARGETS
from stratavox.errors import StratavoxError
from stratavox.probe import atlas, descriptors, ridge
from stratavox.probe.folds import SCHEMA as FOLDS

SETTINGS = {"inner_folds": 3, "seed": 0}


def design(clips: int, groups: int, regime: str = "grouped") -> pd.DataFrame:
    """Folds of clips dealt to groups in turn: groups apart, or the clips of each group spread."""
    group = np.arange(clips) % groups
    fold = group % 4 if regime == "grouped" else np.arange(clips) // groups % 4
    frame = pd.DataFrame({"fold": fold, "group": [f"g{number:02d}" for number in group]})
    frame.index = pd.Index([f"c{number:04d}" for number in range(clips)], name="clip_id")
    frame["apart"] = frame["group"] if regime == "grouped" else frame.index
    frame.attrs["regime"] = regime
    return frame


def explained(rows: pd.DataFrame) -> pd.Series:
    summed = rows.groupby([*({"readout"} & set(rows)), "target"])[["sse", "sst"]].sum()
    return 1 - summed["sse"] / summed["sst"]


def scikit_learn(z, y, group, test) -> tuple[np.ndarray, int]:
    """Predictions, and the place of the penalty, by fitting each of the grid's models by itself."""
    train = np.flatnonzero(~test)
    errors = np.zeros(len(ridge.PENALTIES))
    split = GroupKFold(SETTINGS["inner_folds"], shuffle=True, random_state=SETTINGS["seed"])
    for fitted, held in split.split(train, groups=group[train]):
        fitted, held = train[fitted], train[held]
        for place, penalty in enumerate(ridge.PENALTIES):
            model = Ridge(alpha=penalty * len(fitted)).fit(z[fitted], y[fitted])
            errors[place] += np.square(model.predict(z[held]) - y[held]).sum()
    best = int(errors.argmin())
    model = Ridge(alpha=ridge.PENALTIES[best] * len(train)).fit(z[train], y[train])
    return model.predict(z[test]), best


@pytest.mark.parametrize("width", [7, 150])
def test_penalties_and_predictions_are_those_of_scikit_learn(width):
    generator = np.random.default_rng(width)
    clips = design(120, 12)
    group, test = clips["group"].to_numpy(object), clips["fold"].to_numpy() == 0
    x = generator.normal(size=(120, width)) * generator.uniform(0.1, 50, width) + 3
    x[:, 2] = 4.0
    x[test] += 1  # so that it shows whose mean the columns are centred on
    truth = x[:, 0] / x[:, 0].std() + x[:, 1] / x[:, 1].std()
    y = np.column_stack([truth + noise * generator.normal(size=120) for noise in (0.1, 1, 30)])
    y[generator.random(120) < 0.3, 1] = np.nan
    outer = ridge.outer_fold(x, y, group, test, SETTINGS)
    # every training clip's sound is known, whether or not the target is
    z = StandardScaler().fit(x[~test]).transform(x)
    assert len(set(outer.place)) > 1
    for column in range(3):
        there = np.isfinite(y[:, column])
        expected, best = scikit_learn(z[there], y[there, column], group[there], test[there])
        assert outer.place[column] == best
        assert outer.predicted[there[test], column] == pytest.approx(expected, rel=1e-5, abs=1e-5)
        assert np.isnan(outer.predicted[~there[test], column]).all()


def test_a_linear_target_is_explained_and_noise_is_not():
    generator = np.random.default_rng(0)
    clips = design(400, 20)
    x = generator.normal(size=(400, 30))
    held = np.exp(x @ generator.normal(size=30) / 3)
    targets = pd.DataFrame({"f0": held, "snr": generator.normal(size=400)}, index=clips.index)
    rows, chosen = atlas.regress(x, targets, clips, SETTINGS)
    r2 = explained(rows)
    assert r2["f0"] > 0.999
    assert -0.1 < r2["snr"] < 0.05
    assert chosen["f0"]["fits"] == 4 and chosen["f0"]["strongest"] == 0
    assert rows.groupby("target")["n_clips"].sum().to_list() == [400, 400]
    assert sorted(set(rows["group"])) == sorted(set(clips["group"]))


def test_what_identifies_the_group_alone_is_not_explained_on_held_out_groups():
    generator = np.random.default_rng(1)
    of_group, offsets = generator.normal(size=20), generator.normal(size=(20, 40))
    number = np.arange(400) % 20
    x = offsets[number] + 0.1 * generator.normal(size=(400, 40))
    r2 = {}
    for regime in ("grouped", "random"):
        clips = design(400, 20, regime)
        targets = pd.DataFrame({"snr": of_group[number]}, index=clips.index)
        r2[regime] = explained(atlas.regress(x, targets, clips, SETTINGS)[0])["snr"]
    assert r2["random"] > 0.95
    assert r2["grouped"] < 0.1


def test_test_groups_do_not_change_the_penalty():
    generator = np.random.default_rng(2)
    clips = design(200, 10)
    group, test = clips["group"].to_numpy(object), clips["fold"].to_numpy() == 1
    for width in (20, 300):
        x = generator.normal(size=(200, width))
        y = x[:, :4] + generator.normal(size=(200, 4)) * [0.1, 1, 3, 10]
        moved_x, moved_y = x.copy(), y.copy()
        moved_y[test] = generator.permutation(y[test]) * 100
        before = ridge.outer_fold(x, y, group, test, SETTINGS)
        after = ridge.outer_fold(x, moved_y, group, test, SETTINGS)
        assert np.array_equal(before.place, after.place)
        assert before.predicted == pytest.approx(after.predicted, abs=1e-12)
        moved_x[test] = 1000
        elsewhere = ridge.outer_fold(moved_x, y, group, test, SETTINGS)
        assert np.array_equal(before.place, elsewhere.place)


def test_a_group_on_both_sides_is_refused():
    clips = design(40, 4, "random")
    test = clips["fold"].to_numpy() == 0
    with pytest.raises(StratavoxError, match="both sides.*g00"):
        ridge.outer_fold(np.ones((40, 2)), np.ones((40, 1)), clips["group"], test, SETTINGS)


def test_targets_are_transformed_on_the_training_clips_alone():
    generator = np.random.default_rng(3)
    train = np.arange(60) < 50
    values = np.exp(generator.normal(size=60))
    values[4] = np.nan
    values[55], values[56] = 1e9, 1e-9
    ranked = descriptors.transformed(values, train, "rank")
    assert np.array_equal(np.isnan(ranked), np.isnan(values))
    order = np.argsort(values[train][np.isfinite(values[train])])
    blom = norm.ppf((np.arange(1, 50) - 0.375) / 49.25)
    assert np.sort(ranked[train & np.isfinite(values)]) == pytest.approx(blom / blom.std())
    assert np.array_equal(order, np.argsort(ranked[train & np.isfinite(values)]))
    assert (ranked[55], ranked[56]) == pytest.approx((np.nanmax(ranked[train]), -ranked[55]))
    # by rank, what a target is measured in does not matter, nor do its clips' test values
    assert descriptors.transformed(np.log(values), train, "rank")[train] == pytest.approx(
        ranked[train], nan_ok=True
    )
    logged = descriptors.transformed(values, train, "log")
    known = np.log(values[train])
    assert logged == pytest.approx(
        (np.log(values) - np.nanmean(known)) / np.nanstd(known), nan_ok=True
    )


def test_ties_share_a_rank():
    values = np.array([0.0] * 6 + [1.0, 2.0])
    ranked = descriptors.transformed(values, np.ones(8, dtype=bool), "rank")
    assert len(set(ranked[:6])) == 1 and ranked[5] < ranked[6] < ranked[7]


@pytest.mark.parametrize(
    ("defined", "value", "reason"),
    [
        (slice(0, 19), None, "defined for 19 clips, fewer than 20"),
        (slice(0, None, 8), None, "defined in 1 groups, fewer than 2"),
        (slice(None), 5.0, "without variance in the training clips of fold 0"),
        (np.flatnonzero(np.arange(400) % 8 < 3), None, "2 training groups in fold 0, fewer than"),
        (slice(None), None, None),
    ],
)
def test_a_target_that_cannot_be_regressed_is_left_out_with_its_reason(defined, value, reason):
    clips = design(400, 8)
    values = pd.Series(np.nan, index=clips.index)
    values.iloc[defined] = value if value else np.random.default_rng(0).normal(size=400)[defined]
    problem = atlas.left_out(values, clips, SETTINGS)
    assert problem is None if reason is None else problem.startswith(reason)


def write_inputs(root: Path, regime: str) -> dict:
    """An encoder of two blocks, the second of which holds log F0; half the clips have no F0."""
    generator = np.random.default_rng(4)
    clips = design(160, 16, regime)
    n = len(clips)
    x = {name: generator.normal(size=(n, 12)) for name in ("input", "block_00", "block_01")}
    values = {name: np.exp(generator.normal(size=n)) for name in TARGETS}
    values["f0"] = np.where(generator.permutation(n) < 80, np.exp(x["block_01"][:, 3]), np.nan)
    values["am_rate"] = np.full(n, np.nan)
    for part in (0, 1):
        some = np.arange(n) % 2 == part
        columns = [clips.index[some], *(values[name][some] for name in TARGETS)]
        table = pa.table([pa.array(column, from_pandas=True) for column in columns], schema=SCHEMA)
        tables.write_table(table, root / f"acoustics-{part}.parquet", {})
    order = generator.permutation(n)
    ids = clips.index.to_numpy()[order]
    where = folder(root / "enc", {name: matrix[order] for name, matrix in x.items()}, ids=ids)
    description = tables.read_json(where / "encoder.json") | {"shortest_s": 0.175, "rate": 16000}
    tables.write_json(description, where / "encoder.json")
    n_samples = (order + 1) * 30
    windows = pa.table({"clip_id": pa.array(ids), "n_samples": pa.array(n_samples)})
    tables.write_table(windows, root / "enc" / "windows.parquet", {})
    rows = clips.reset_index().assign(repeat=0, regime=regime)
    if regime == "random":
        rows["group"] = None
    # a second repeat, and a regime that must not be taken where there is a grouped one
    other = rows.assign(regime="random", fold=rows["fold"].to_numpy()[::-1])
    parts = [rows, rows.assign(repeat=1, fold=0)] + ([other] if regime == "grouped" else [])
    folds = pd.concat(parts).assign(target="", recording=None, audio=None, value=None, present=None)
    table = pa.Table.from_pandas(folds, FOLDS, preserve_index=False)
    tables.write_table(table, root / "folds.parquet", {})
    acoustics = [root / "acoustics-0.parquet", root / "acoustics-1.parquet"]
    files = {"encoder": root / "enc/encoder.json", "folds": root / "folds.parquet"}
    return files | {"acoustics": acoustics}


@pytest.mark.parametrize("regime", ["grouped", "random"])
def test_the_command_writes_a_row_a_readout_target_and_group(tmp_path, regime):
    read, out = write_inputs(tmp_path, regime), {"atlas": tmp_path / "out.parquet"}
    atlas.run(stage_jobs.job(read, out, SETTINGS, provenance={"key": "kept"}))
    table = tables.read_table(tmp_path / "out.parquet")
    assert table.schema.equals(atlas.SCHEMA)
    rows = table.to_pandas()
    expected = [name for name in [*TARGETS, "padding"] if name != "am_rate"]
    assert list(dict.fromkeys(rows["readout"])) == ["input", "block_00", "block_01", "concat"]
    assert list(dict.fromkeys(rows["target"])) == expected
    assert set(rows["regime"]) == {regime}
    groups = 16 if regime == "grouped" else 1
    assert len(rows) == 4 * len(expected) * groups
    assert (rows["group"].isna()).all() == (regime == "random")
    assert rows[rows["target"] == "f0"]["n_clips"].sum() == 4 * 80
    r2 = explained(rows)
    assert r2["block_01", "f0"] > 0.99 and r2["concat", "f0"] > 0.9
    assert r2["block_00", "f0"] < 0.2
    provenance = tables.read_provenance(tmp_path / "out.parquet")
    facts = provenance["atlas"]
    assert provenance["key"] == "kept"
    assert facts["left_out"] == {"am_rate": "defined for 0 clips, fewer than 20"}
    assert (facts["undefined"]["f0"], facts["undefined"]["padding"]) == (80, 0)
    assert facts["chosen"]["f0"]["fits"] == 4 * 4
    assert facts["regime"] == regime


def test_with_every_target_left_out_the_table_is_empty_and_says_why(tmp_path):
    write_inputs(tmp_path, "grouped")
    folds = tables.read_table(tmp_path / "folds.parquet").slice(0, 19)
    tables.write_table(folds, tmp_path / "few.parquet", {})
    parts = [tmp_path / f"acoustics-{part}.parquet" for part in (0, 1)]
    table, facts = atlas.atlas(tmp_path / "enc", parts, tmp_path / "few.parquet", SETTINGS, 1)
    assert (table.num_rows, table.schema) == (0, atlas.SCHEMA)
    assert set(facts["left_out"]) == {*TARGETS, "padding"}


def test_recordings_stay_apart_where_groups_are_unknown(tmp_path):
    write_inputs(tmp_path, "random")
    random = tables.read_table(tmp_path / "folds.parquet").to_pandas()
    named = random.assign(recording=[f"r{clip_id[-1]}" for clip_id in random["clip_id"]])
    apart = named.assign(regime="recording", fold=named["recording"].str[1].astype(int) % 4)
    for folds in (apart, named.assign(regime="recording")):
        both = pd.concat([named, folds])
        table = pa.Table.from_pandas(both, FOLDS, preserve_index=False)
        tables.write_table(table, tmp_path / "folds.parquet", {})
        clips = atlas.first_repeat(tmp_path / "folds.parquet")
        assert clips.attrs["regime"] == "recording"
        x = np.random.default_rng(0).normal(size=(len(clips), 3))
        targets = pd.DataFrame({"f0": np.exp(x[:, 0])}, index=clips.index)
        if folds is apart:
            rows, _ = atlas.regress(x, targets, clips, SETTINGS)
            assert set(rows["regime"]) == {"recording"} and explained(rows)["f0"] > 0.9
        else:
            with pytest.raises(StratavoxError, match="both sides.*r0"):
                atlas.regress(x, targets, clips, SETTINGS)


def test_padding_is_the_share_of_zeros_in_the_shortest_input(tmp_path):
    write_inputs(tmp_path, "grouped")
    parts = [tmp_path / f"acoustics-{part}.parquet" for part in (0, 1)]
    encoder = tables.read_json(tmp_path / "enc" / "encoder.json")
    clips = atlas.first_repeat(tmp_path / "folds.parquet")
    padding = atlas.read_targets(tmp_path / "enc", encoder, parts, clips.index)["padding"]
    # clip number n has 30 (n + 1) samples; 0.175 s are 2,800
    assert padding["c0000"] == pytest.approx(1 - 30 / 2800)
    assert padding["c0092"] == pytest.approx(1 - 2790 / 2800)
    assert (padding["c0093":] == 0).all()
    short = encoder | {"shortest_s": 0.001}
    assert "padding" not in atlas.read_targets(tmp_path / "enc", short, parts, clips.index)


def test_clips_without_descriptors_are_errors(tmp_path):
    write_inputs(tmp_path, "grouped")
    encoder = tables.read_json(tmp_path / "enc" / "encoder.json")
    clips = atlas.first_repeat(tmp_path / "folds.parquet")
    parts = [tmp_path / "acoustics-0.parquet"]
    with pytest.raises(StratavoxError, match=r"acoustics-0.*80 of 160 clips.*'c0001'"):
        atlas.read_targets(tmp_path / "enc", encoder, parts, clips.index)
    with pytest.raises(StratavoxError, match="'c0000' occurs twice"):
        twice = [*parts, *parts, tmp_path / "acoustics-1.parquet"]
        atlas.read_targets(tmp_path / "enc", encoder, twice, clips.index)
