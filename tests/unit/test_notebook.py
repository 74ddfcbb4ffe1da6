"""The notebook's protocol gives the notebook's numbers, and these are noise."""

import numpy as np
import pytest

from stratavox.probe import notebook

# Printed in the seed notebook, block 0 to 11.
OTTER = [0.25, 0.083, 0.25, 0.167, 0.083, 0.333, 0.0, 0.083, 0.25, 0.167, 0.167, 0.167]
ZEBRA_FINCH = [0.312, 0.188, 0.312, 0.25, 0.25, 0.125, 0.188, 0.312, 0.125, 0.062, 0.188, 0.188]


def arrays(seed: int, noise_seed: int, clips: int, classes: int, prefix: str):
    """The seed's made-up embeddings of its 12 "layers", and labels that have no part in them."""
    base = np.random.RandomState(seed).randn(clips, 768)
    noise = np.random.RandomState(noise_seed)
    layers = [base + (1 - 0.8 * i / 12) * noise.randn(clips, 768) for i in range(12)]
    return layers, np.array([f"{prefix}{i % classes}" for i in range(clips)])


@pytest.mark.parametrize(
    ("made", "published"),
    [((0, 7, 60, 3, "class_"), OTTER), ((1, 8, 80, 4, "bird_"), ZEBRA_FINCH)],
    ids=["giant otter", "zebra finch"],
)
def test_the_published_accuracies(made, published):
    layers, target = arrays(*made)
    found = [notebook.score(x, target) for x in layers]
    assert [round(row["accuracy"], 3) for row in found] == published
    assert {row["n_test"] for row in found} == {len(target) // 5}
