"""Fusions see what no block has alone, no more than their width allows, and never a test clip."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

import embeddings_data
from stratavox.errors import StratavoxError
from stratavox.probe import fusion, nested_cv

SETTINGS = {"inner_folds": 3, "c_grid": [1e-4, 1e-3, 1e-2, 0.1, 1.0], "seed": 0}


def design(n, classes=2, groups=10):
    """Class numbers, groups that hold every class, and the clips of two groups as test."""
    y, group = np.arange(n) % classes, np.arange(n) // classes % groups
    return y, group, group < 2


def written(where, blocks):
    """Blocks stored as an encoder's readouts; their names and the clips' ids."""
    readouts = {f"block_{number:02d}": block for number, block in enumerate(blocks)}
    embeddings_data.folder(where, readouts)
    return list(readouts), embeddings_data.names(len(blocks[0]))


def accuracy(source, y, group, test):
    x, _ = source.of_fold(y, group, test, SETTINGS)
    outer, _ = nested_cv.outer_fold(x, y, group, test, SETTINGS, components=source.components)
    return np.mean(outer.predicted == y[test])


def test_concat_gains_and_its_components_of_one_blocks_width_do_not(tmp_path):
    """A weak signal in an axis of each block's own, under a strong nuisance that blocks share.

    Side by side the blocks add their evidence; as many components as one block is wide are taken
    up by the nuisance, as they would be in any block.
    """
    generator = np.random.default_rng(0)
    y, group, test = design(1200)
    width, blocks = 12, 8
    shared = generator.standard_normal((len(y), width)) * 5
    layers = []
    for _ in range(blocks):
        block = shared @ generator.standard_normal((width, width)) / np.sqrt(width)
        own = generator.standard_normal((len(y), width))
        own[:, 0] += 0.8 * (2 * y - 1)
        layers.append(block + own @ np.linalg.qr(generator.standard_normal((width, width)))[0])
    names, ids = written(tmp_path, layers)
    scores = {
        name: accuracy(fusion.source(tmp_path, name, names, ids), y, group, test)
        for name in ["concat", "concat_pca", *names]
    }
    best = max(scores[name] for name in names)
    assert scores["concat"] > best + 0.1
    assert scores["concat_pca"] < best + 0.03


def test_matched_components_are_as_wide_as_a_block_and_fitted_on_training_clips(tmp_path):
    generator = np.random.default_rng(0)
    y, group, test = design(120)
    blocks = [generator.standard_normal((120, 7)) for _ in range(3)]
    names, ids = written(tmp_path, blocks)
    matched = fusion.source(tmp_path, "concat_pca", names, ids)
    assert matched.columns.shape == (120, 21)
    _, rotation = nested_cv.outer_fold(
        matched.columns, y, group, test, SETTINGS, components=matched.components
    )
    assert rotation.train.shape == (96, 7)
    moved = matched.columns.copy()
    moved[test] *= 100
    _, again = nested_cv.outer_fold(moved, y, group, test, SETTINGS, components=matched.components)
    np.testing.assert_array_equal(rotation.axes, again.axes)


def test_the_mean_gives_every_block_equal_weight_whatever_its_scale(tmp_path):
    generator = np.random.default_rng(0)
    y, group, test = design(200)
    clear = generator.standard_normal((200, 10))
    clear[:, 0] += 3 * (2 * y - 1)
    loud = generator.standard_normal((200, 10)) * 1e4 + 500
    names, ids = written(tmp_path, [clear, loud])
    mean = fusion.source(tmp_path, "mean", names, ids)
    np.testing.assert_allclose(
        mean.columns,
        np.mean(
            [(b - b.mean(1, keepdims=True)) / b.std(1, keepdims=True) for b in (clear, loud)], 0
        ),
        atol=1e-4,
    )
    assert accuracy(mean, y, group, test) > 0.9


def planted(n=300, blocks=5, width=20, at=None, seed=0):
    """Layer-normalised noise blocks; those in ``at`` tell some of the classes apart."""
    at = at or {3: [0, 1, 2]}
    generator = np.random.default_rng(seed)
    y, group, test = design(n, classes=3)
    x = generator.standard_normal((blocks, n, width)).astype(np.float32)
    clear = 2 * np.eye(3, dtype=np.float32)[y]
    for block, columns in at.items():
        x[block][:, columns] += clear[:, columns]
    return np.stack([fusion.layer_normalised(block) for block in x]), y, group, test


@pytest.mark.parametrize("at", [0, 3])
def test_weights_are_largest_on_the_planted_block(at):
    blocks, y, group, test = planted(at={at: [0, 1, 2]})
    weights = fusion.learned_weights(blocks, y, group, test, SETTINGS)
    assert weights.sum() == pytest.approx(1)
    assert weights.argmax() == at and weights[at] > 0.6


def test_weights_are_those_of_a_head_trained_with_them():
    """The loss of scikit-learn's best heads is level there, though not at equal weights."""
    blocks, y, group, test = planted(at={1: [0], 3: [2]}, seed=1)
    settings = SETTINGS | {"c_grid": [0.01, 0.02]}  # at either, the head is far from saturated
    weights = fusion.learned_weights(blocks, y, group, test, settings)
    x = blocks[:, ~test].astype(np.float64)
    x = (x - x.mean(axis=1, keepdims=True)) / x.mean(axis=0).std(axis=0)
    c = nested_cv.choose_c(
        nested_cv.Rotation.of(x.mean(axis=0), np.ones(x.shape[1], bool), False).train,
        y[~test],
        group[~test],
        settings,
    ).c

    def loss(of):
        z, target = np.tensordot(of, x, 1), y[~test]
        z /= np.sqrt(np.mean(np.square(z)))
        head = LogisticRegression(C=c, tol=1e-10, max_iter=10_000).fit(z, target)
        log_p = head.predict_log_proba(z)[np.arange(len(z)), target]
        return -log_p.sum() + np.sum(np.square(head.coef_)) / (2 * c)

    assert loss(np.full(len(weights), 1 / len(weights))) > loss(weights) + 1
    step = 0.1
    for block in np.eye(len(weights)):
        up, down = (loss(softmax(np.log(weights) + way * step * block)) for way in (1, -1))
        assert abs(up - down) / (2 * step) < 0.05


def test_weights_never_see_test_clips():
    blocks, y, group, test = planted()
    weights = fusion.learned_weights(blocks, y, group, test, SETTINGS)
    blocks[:, test] = np.random.default_rng(9).standard_normal(blocks[:, test].shape)
    again = fusion.learned_weights(blocks, np.where(test, (y + 1) % 3, y), group, test, SETTINGS)
    np.testing.assert_array_equal(weights, again)


def test_a_leaked_group_is_refused_before_weights_are_learned():
    blocks, y, group, test = planted()
    group[test.argmax()] = 9
    with pytest.raises(StratavoxError, match="groups on both sides of a fold: 9"):
        fusion.learned_weights(blocks, y, group, test, SETTINGS)


def test_blocks_of_several_widths_are_put_side_by_side_and_not_added_up(tmp_path):
    names, ids = written(tmp_path, [np.ones((4, 3)), np.ones((4, 5))])
    description = {
        "blocks": names,
        "readouts": ["input", *names],
        "widths": {names[0]: 3, names[1]: 5},
    }
    for readout, parts in (
        ("concat", names),
        ("concat_pca", names),
        ("mean", []),
        ("weighted", []),
    ):
        assert fusion.members(readout, description) == parts
    assert fusion.members("mean", description | {"widths": dict.fromkeys(names, 3)}) == names
    assert fusion.source(tmp_path, "concat_pca", names, ids).components == 5


def test_avexs_all_layers_are_patch_and_every_ffn(tmp_path):
    names, ids = written(tmp_path, [np.full((4, 3), number) for number in range(3)])
    ffn = ["ffn_00", "ffn_01", "ffn_02"]
    description = {"blocks": names, "readouts": ["patch", "input", *names, *ffn]}
    assert fusion.members("concat_avex", description) == ["patch", *ffn]
    for less in (["patch", *names], ["input", *ffn]):
        assert fusion.members("concat_avex", description | {"readouts": less}) == []
    joined = fusion.source(tmp_path, "concat_avex", names, ids).columns
    assert joined[0].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
