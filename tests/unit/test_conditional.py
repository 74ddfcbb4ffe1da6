"""What one part adds to the other: nothing where it is made of it, what it has where it is not."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.special import softmax

import stage_jobs
from embeddings_data import folder, names
from stratavox import tables
from stratavox.corpus.acoustics import SCHEMA
from stratavox.corpus.targets import TARGETS
from stratavox.probe import conditional, descriptors, nested_cv
from stratavox.probe.folds import SCHEMA as FOLDS

SETTINGS = {"inner_folds": 3, "c_grid": [1e-4, 1e-3, 1e-2, 0.1, 1.0], "seed": 0}
GROUPS, CLIPS, WIDTH = 12, 180, 48
GROUP = np.arange(CLIPS) % GROUPS
IN_HZ = [name for name, target in TARGETS.items() if target.transform == "log"]


def drawn(logits, generator):
    """Labels (clips,) drawn from the classes' ``logits`` (clips, classes)."""
    return np.array([generator.choice(len(p), p=p) for p in softmax(logits, axis=1)])


def acoustic(generator):
    """Log descriptors (clips, 7) with a part of each group's own, and their table in Hz."""
    own = generator.standard_normal((GROUPS, len(IN_HZ))) * 0.6
    logs = own[GROUP] + generator.standard_normal((CLIPS, len(IN_HZ)))
    return logs, pd.DataFrame(np.exp(logs), columns=IN_HZ)


def noisy(x, generator, by=0.5):
    """``x`` (clips, columns) in WIDTH columns with noise."""
    mixed = x @ generator.standard_normal((x.shape[1], WIDTH))
    return mixed + generator.standard_normal(mixed.shape) * by


def copy_of_the_logs(generator):
    logs, described = acoustic(generator)
    y = drawn(1.5 * logs[:, :3] @ generator.standard_normal((3, 3)), generator)
    return described, noisy(logs, generator), y


def voicing(generator):
    _, described = acoustic(generator)
    voiced = generator.random(CLIPS) < 0.5
    described.loc[~voiced, "f0"] = np.nan
    y = (voiced + (generator.random(CLIPS) < 0.15)) % 2
    return described, noisy(voiced[:, None] * 1.0, generator, by=0.7), y


def squares_of_the_logs(generator):
    logs, described = acoustic(generator)
    y = drawn(2 * (logs[:, :3] ** 2 - 1), generator)
    return described, noisy(logs**2, generator), y


def holds_the_logs(generator):
    logs, described = acoustic(generator)
    y = drawn(1.5 * logs[:, :3] @ generator.standard_normal((3, 3)), generator)
    stronger = 3 * generator.standard_normal((CLIPS, WIDTH - logs.shape[1]))
    turned, _ = np.linalg.qr(generator.standard_normal((WIDTH, WIDTH)))
    return described, np.hstack([logs, stronger]) @ turned, y


def knows_more(generator):
    logs, described = acoustic(generator)
    more = generator.standard_normal((CLIPS, 2))
    y = drawn(np.hstack([logs[:, :2], more]) @ generator.standard_normal((4, 3)) * 2, generator)
    return described, noisy(np.hstack([logs, more]), generator), y


def knows_less(generator):
    logs, described = acoustic(generator)
    y = drawn(logs[:, :4] @ generator.standard_normal((4, 3)) * 2, generator)
    return described, noisy(logs[:, 2:], generator), y


def gains(world, worlds=4):
    """Bits a tested clip that descriptors add to the block, and the block to them, on average."""
    test, each = GROUP < 4, []
    for seed in range(worlds):
        described, block, y = world(np.random.default_rng(seed))
        split = (y, GROUP, test, SETTINGS)
        alone = nested_cv.outer_fold(block, *split)[0].log_probability
        both = conditional.on_both(described, block, *split)[1]
        apart = np.array([alone, conditional.on_descriptors(described, *split)[1]])
        each.append((both - apart).mean(axis=1) / np.log(2))
    return np.mean(each, axis=0)


@pytest.mark.parametrize("world", [copy_of_the_logs, voicing, squares_of_the_logs])
def test_a_block_made_of_the_descriptors_adds_nothing_to_them(world):
    assert gains(world)[1] == pytest.approx(0, abs=0.02)


def test_descriptors_that_the_block_holds_add_nothing_to_it():
    assert gains(holds_the_logs)[0] == pytest.approx(0, abs=0.02)


def test_what_the_block_or_the_descriptors_know_more_is_seen():
    by_descriptors, by_block = gains(knows_more)
    assert by_block > 0.1 and by_descriptors < 0.02
    by_descriptors, by_block = gains(knows_less)
    assert by_descriptors > 0.1 and by_block < 0.02


def test_undefined_descriptors_are_their_mean_and_are_marked_once():
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        generator.random((40, 5)), columns=["f0", "f0_range", "snr", "level", "am_rate"]
    )
    table.loc[:9, ["f0", "f0_range"]] = np.nan
    table.loc[38:, "snr"] = np.nan
    table["am_rate"] = np.nan
    train = np.arange(40) < 30
    columns = descriptors.complete(table, train)
    # four descriptors that vary, and one mark: snr is defined in all training clips
    assert columns.shape == (40, 5)
    np.testing.assert_array_equal(columns[:, 4], np.arange(40) < 10)
    assert (columns[:10, :2] == 0).all() and (columns[38:, 2] == 0).all()
    np.testing.assert_allclose(columns[10:30, :2].mean(axis=0), 0, atol=1e-12)
    # what is tested has no say
    table.loc[~train] = 77.0
    np.testing.assert_array_equal(descriptors.complete(table, train)[train], columns[train])


def test_a_tested_clip_has_no_say_in_the_others_predictions():
    described, block, y = copy_of_the_logs(np.random.default_rng(0))
    test = GROUP < 4
    other = np.flatnonzero(test)[1:]
    before = conditional.on_both(described, block, y, GROUP, test, SETTINGS)[1]
    described.iloc[other], block[other], y[other] = 1e3, 1e3, 0
    after = conditional.on_both(described, block, y, GROUP, test, SETTINGS)[1]
    np.testing.assert_allclose(after[:, 0], before[:, 0], rtol=1e-5)
    assert np.abs(after[:, 1:] - before[:, 1:]).max() > 0.1


def test_the_stage_writes_three_kinds_of_probes(tmp_path):
    described, block, y = knows_more(np.random.default_rng(0))
    every = pd.DataFrame(np.nan, index=names(CLIPS), columns=list(TARGETS))
    every[IN_HZ] = described.to_numpy()
    table = pa.Table.from_pandas(every.reset_index(names="clip_id"), SCHEMA, preserve_index=False)
    tables.write_table(table, tmp_path / "acoustics.parquet", {})
    where = folder(tmp_path / "enc", {"patch": block, "input": block[:, :5], "block_00": block})
    clips = {"regime": "grouped", "repeat": 0, "fold": GROUP % 3, "clip_id": names(CLIPS)}
    clips |= {"target": [f"c{label}" for label in y], "group": [f"g{g:02d}" for g in GROUP]}
    further = dict.fromkeys(set(FOLDS.names) - set(clips))
    folds = pa.Table.from_pandas(pd.DataFrame(clips).assign(**further), FOLDS)
    tables.write_table(folds, tmp_path / "folds.parquet", {})
    read = {"encoder": where / "encoder.json", "folds": tmp_path / "folds.parquet"}
    read["acoustics"] = [tmp_path / "acoustics.parquet"]
    out = {"predictions": tmp_path / "out.parquet"}
    conditional.run(stage_jobs.job(read, out, SETTINGS))
    rows = tables.read_table(tmp_path / "out.parquet").to_pandas().set_index("clip_id")
    expected = ["acoustics", "block_00+acoustics", "acoustics+block_00"]
    assert list(dict.fromkeys(rows["readout"])) == expected
    # the same numbers as the function that takes one fold
    test = GROUP % 3 == 1
    log_p = conditional.on_both(every, block.astype(np.float32), y, GROUP, test, SETTINGS)[1]
    for readout, own in zip(expected[1:], log_p, strict=True):
        written = rows[rows["readout"] == readout].loc[np.array(names(CLIPS))[test]]
        np.testing.assert_allclose(written["log_probability"], own, atol=1e-4)
