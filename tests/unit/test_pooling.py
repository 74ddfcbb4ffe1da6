"""Windows, batches and means, with an encoder small enough to be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stratavox.embed.pooling import batches, pool, windows
from stratavox.encoders.encoder import Encoder, Grid

RATE = 100


def steps_encoder(grid: Grid, seen: list | None = None) -> Encoder:
    """Tokens are sums of ``grid.hop`` samples; the one readout is their mean."""

    def forward(waves, counts):
        if seen is not None:
            seen.append(waves.shape)
        tokens = waves.reshape(len(waves), -1, grid.hop).sum(axis=2)
        means = [row[:count].mean() for row, count in zip(tokens, counts, strict=True)]
        return {"block_00": np.array(means, dtype=np.float32)[:, None]}

    return Encoder(RATE, grid, {"block_00": 1}, forward, batch_s=1.0, provenance={})


def test_a_grid_feeds_whole_steps_only():
    grid = Grid(size=2800, hop=2560, per_step=8, context=160000)
    assert [grid.fed(n) for n in (1, 2800, 5359, 5360, 16000)] == [2800, 2800, 2800, 5360, 15600]
    assert [grid.tokens(n) for n in (1, 5359, 5360, 16000, 160000)] == [8, 8, 16, 48, 496]


def test_windows_cover_the_clip_evenly_and_fit_the_context():
    cut = windows(3, 1001, Grid(size=10, hop=10, context=250))
    assert [w.length for w in cut] == [200, 200, 200, 200, 201]
    assert [w.start for w in cut] == [0, 200, 400, 600, 800]
    assert {w.clip for w in cut} == {3}
    assert len(windows(0, 250, Grid(size=10, hop=10, context=250))) == 1
    assert len(windows(0, 10**6, Grid(size=10, hop=10))) == 1


def test_batches_hold_one_length_and_keep_to_the_budget():
    grid = Grid(size=10, hop=10)
    cut = [w for clip, n in enumerate([35, 10, 31, 30, 19, 39]) for w in windows(clip, n, grid)]
    batched = [[w.clip for w in batch] for batch in batches(cut, samples=60)]
    assert batched == [[1, 4], [0, 2], [3, 5]]
    assert [len(batch) for batch in batches(cut, samples=1)] == [1] * 6
    # a model that lengthens its input itself computes on more than it is fed
    assert [len(batch) for batch in batches(cut, samples=60, least=30)] == [2, 2, 2]
    assert [len(batch) for batch in batches(cut, samples=60, least=60)] == [1] * 6


def test_the_windows_of_a_clip_count_by_their_tokens():
    grid = Grid(size=10, hop=10, context=30)
    clip = np.random.default_rng(0).standard_normal(74).astype(np.float32)
    pooled = pool(steps_encoder(grid), [clip, clip[:61]])
    # the second in windows of 20, 20 and 21 samples, 2 tokens each
    tokens = [clip[a : a + 10].sum() for a in (0, 10, 20, 30, 40, 50)]
    np.testing.assert_allclose(pooled.means["block_00"][1, 0], np.mean(tokens), rtol=1e-5)
    assert pooled.n_windows.tolist() == [3, 3]
    assert pooled.n_tokens.tolist() == [6, 6]


def test_a_longer_window_weighs_more():
    grid = Grid(size=10, hop=10, context=39)
    clip = np.arange(79, dtype=np.float32)  # windows of 26, 26 and 27: all 2 tokens
    uneven = np.arange(59, dtype=np.float32)  # windows of 29 and 30 samples: 2 and 3 tokens
    pooled = pool(steps_encoder(grid), [clip, uneven])
    starts = [0, 10, 29, 39, 49]
    wanted = np.mean([uneven[a : a + 10].sum() for a in starts])
    assert pooled.n_tokens.tolist() == [6, 5]
    np.testing.assert_allclose(pooled.means["block_00"][1, 0], wanted, rtol=1e-6)


def test_short_clips_are_padded_with_zeros_and_flagged():
    pooled = pool(steps_encoder(Grid(size=10, hop=10)), [np.ones(4, "f4"), np.ones(10, "f4")])
    assert pooled.padded.tolist() == [True, False]
    assert pooled.means["block_00"][:, 0].tolist() == [4, 10]


def test_a_fixed_window_is_fed_whole_but_only_the_clip_is_pooled():
    seen = []
    encoder = steps_encoder(Grid(size=1, hop=10, context=50, fixed=True), seen)
    pooled = pool(encoder, [np.ones(20, "f4"), np.ones(45, "f4")])
    assert seen == [(2, 50)]
    assert pooled.n_tokens.tolist() == [2, 5]
    np.testing.assert_allclose(pooled.means["block_00"][:, 0], [10, 9])
    assert pooled.padded.tolist() == [False, False]


@pytest.mark.parametrize("clips", [[], [np.ones(10, "f4")]])
def test_none_or_one_clip(clips):
    pooled = pool(steps_encoder(Grid(size=10, hop=10)), clips)
    assert pooled.means["block_00"].shape == (len(clips), 1)
    assert pooled.means["block_00"].dtype == np.float32
