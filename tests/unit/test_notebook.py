"""The notebook's protocol gives the notebook's numbers, and these are noise."""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from stratavox.inference.groups import Groups
from stratavox.inference.measures import Balanced
from stratavox.inference.multiplicity import holm
from stratavox.inference.paired import sign_flip
from stratavox.probe import nested_cv, notebook

# Printed in Earth Species's notebook, block 0 to 11.
OTTER = [0.25, 0.083, 0.25, 0.167, 0.083, 0.333, 0.0, 0.083, 0.25, 0.167, 0.167, 0.167]
ZEBRA_FINCH = [0.312, 0.188, 0.312, 0.25, 0.25, 0.125, 0.188, 0.312, 0.125, 0.062, 0.188, 0.188]


def arrays(seed: int, noise_seed: int, clips: int, classes: int, prefix: str):
    """The notebook's random embeddings of 12 "layers", and labels that do not depend on them."""
    base = np.random.RandomState(seed).randn(clips, 768)
    noise = np.random.RandomState(noise_seed)
    layers = [base + (1 - 0.8 * i / 12) * noise.randn(clips, 768) for i in range(12)]
    return layers, np.array([f"{prefix}{i % classes}" for i in range(clips)])


@pytest.mark.parametrize(
    ("design", "published"),
    [((0, 7, 60, 3, "class_"), OTTER), ((1, 8, 80, 4, "bird_"), ZEBRA_FINCH)],
    ids=["giant otter", "zebra finch"],
)
def test_the_published_accuracies(design, published):
    layers, target = arrays(*design)
    accuracies = [notebook.score(x, target) for x in layers]
    assert [round(row["accuracy"], 3) for row in accuracies] == published
    assert {row["n_test"] for row in accuracies} == {len(target) // 5}


def test_the_sound_protocol_resolves_none_of_them():
    """Our negative control: held-out folds, p values adjusted over all 24 "layers"."""
    settings = {"inner_folds": 3, "c_grid": [0.0001, 0.01, 1.0], "seed": 0}
    differences, p_values, best = [], [], 0.0
    for design in ((0, 7, 60, 3, "class_"), (1, 8, 80, 4, "bird_")):
        layers, target = arrays(*design)
        classes, y = np.unique(target, return_inverse=True)
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        for x in layers:
            right = np.empty(len(y))
            for _, tested in folds.split(x, y):
                test = np.isin(np.arange(len(y)), tested)
                outer, _ = nested_cv.outer_fold(x.astype(np.float32), y, None, test, settings)
                right[test] = outer.predicted == y[test]
            measure = Balanced.of(right, target, np.arange(len(y)))
            chance = 1 / len(classes)
            each = Groups.of(measure.clips).of_each(lambda w, m=measure, c=chance: m(w) - c)
            differences.append(each.mean())
            p_values.append(sign_flip(each))
            best = max(best, notebook.score(x, target)["accuracy"] - 1 / len(classes))
    adjusted = holm(p_values)
    assert not [p for p, above in zip(adjusted, differences, strict=True) if above > 0 and p < 0.05]
    assert best > 0.06  # where the notebook's own figure has a layer well above chance
