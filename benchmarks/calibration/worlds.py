"""Made scores whose truth is known: clips of groups that differ, right or wrong at every depth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm

from stratavox.inference.measures import Balanced, Explained

DEPTHS = 13  # an input and twelve blocks


@dataclass(frozen=True)
class Clips:
    """The group (clips,) and class (clips,) of each clip, numbered from 0."""

    group: np.ndarray
    label: np.ndarray

    @property
    def groups(self) -> int:
        return int(self.group[-1]) + 1

    def of_groups(self, quantity: np.ndarray) -> np.ndarray:
        """Sums (groups, ...) of a quantity (clips, ...)."""
        return np.add.reduceat(quantity, np.searchsorted(self.group, np.arange(self.groups)))

    def by_class(self, quantity: np.ndarray) -> np.ndarray:
        """Sums (groups, classes, ...) of a quantity (clips, ...)."""
        own = self.label[:, None] == np.unique(self.label)
        return np.stack([self.of_groups((quantity.T * here).T) for here in own.T], axis=1)


def uneven(generator: np.random.Generator, groups: int, low: int = 5, high: int = 60) -> Clips:
    """Groups of ``low`` to ``high`` clips, and unlike shares of four classes in each."""
    sizes = generator.integers(low, high + 1, groups)
    common = generator.dirichlet(np.full(4, 5.0))
    labels = [generator.choice(4, size, p=generator.dirichlet(20 * common)) for size in sizes]
    return Clips(np.repeat(np.arange(groups), sizes), np.concatenate(labels))


def even(generator: np.random.Generator, groups: int) -> Clips:
    """Groups of 32 clips, 8 of each of four classes."""
    return Clips(np.repeat(np.arange(groups), 32), np.tile(np.arange(4), 8 * groups))


def along_depth(
    generator: np.random.Generator, *shape: int, depths: int = DEPTHS, alike: float = 0.9
) -> np.ndarray:
    """Standard normal noise (*shape, depths); neighbouring depths correlate by ``alike``."""
    noise = generator.standard_normal((*shape, depths))
    for depth in range(1, depths):
        noise[..., depth] *= np.sqrt(1 - alike**2)
        noise[..., depth] += alike * noise[..., depth - 1]
    return noise


def ease(generator: np.random.Generator, clips: Clips) -> np.ndarray:
    """How easy each group is (groups,), for the task as for the acoustic targets."""
    return generator.standard_normal(clips.groups)


def right(
    generator: np.random.Generator,
    clips: Clips,
    scores: np.ndarray,
    easy: np.ndarray,
    of_group: float = 0.2,
    of_group_and_depth: float = 0.05,
) -> list[Balanced]:
    """Measures of correctness at each depth, whose expected values are ``scores`` (depths,).

    ``of_group`` and ``of_group_and_depth`` are shares of the variance of a clip's latent normal
    variable; ``easy`` as `ease` gives it.
    """
    n, depths = len(clips.group), len(scores)
    latent = np.sqrt(of_group) * easy[clips.group][:, None]
    own = along_depth(generator, clips.groups, depths=depths)
    latent = latent + np.sqrt(of_group_and_depth) * own[clips.group]
    rest = 1 - of_group - of_group_and_depth
    latent += np.sqrt(rest) * along_depth(generator, n, depths=depths)
    total = clips.by_class((latent < norm.ppf(scores)).astype(float))
    counts = clips.by_class(np.ones(n))
    return [Balanced(total[:, :, depth], counts) for depth in range(depths)]


def explained(
    generator: np.random.Generator,
    clips: Clips,
    shares: np.ndarray,
    easy: np.ndarray,
    shared: float = 0.5,
) -> list[Explained]:
    """Variance of an acoustic target explained at each depth, expected to be ``shares`` (depths,).

    A fifth of the variance of the errors is of groups, and of that ``shared`` is the `ease` that
    the task has as well.
    """
    n = len(clips.group)
    target = np.sqrt(0.3) * generator.standard_normal(clips.groups)[clips.group]
    target += np.sqrt(0.7) * generator.standard_normal(n)
    of_group = np.sqrt(0.2 * shared) * easy[:, None]
    of_group = of_group + np.sqrt(0.2 * (1 - shared)) * along_depth(generator, clips.groups)
    error = of_group[clips.group] + np.sqrt(0.8) * along_depth(generator, n)
    squares = clips.of_groups(np.square(error)) * (1 - shares)
    spread = clips.of_groups(np.square(target))
    return [Explained(column, spread) for column in squares.T]


def logistic_normal_mean(middle: float, spread: float) -> float:
    """Mean over groups of the chance that a clip is right, where its logit is normal."""
    z, weights = np.polynomial.hermite_e.hermegauss(80)
    return float(weights @ expit(middle + spread * z) / weights.sum())


def middle_of(mean: float, spread: float) -> float:
    """The middle at which `logistic_normal_mean` is ``mean``."""
    return brentq(lambda middle: logistic_normal_mean(middle, spread) - mean, -10, 20)


def drawn_right(generator: np.random.Generator, counts: np.ndarray, logits: np.ndarray) -> Balanced:
    """Correctness of ``counts`` (groups, classes) clips whose chances have these logits."""
    chance = np.broadcast_to(expit(logits), counts.shape)
    return Balanced(generator.binomial(counts, chance).astype(float), counts.astype(float))


Sizes = Callable[[np.random.Generator], np.ndarray]


def nested_in(sizes: tuple[int, ...], stray: bool = False) -> Sizes:
    """Counts of clips where each group has one class, ``sizes`` groups of each class.

    ``stray``: the first group has one clip of another class.
    """

    def counts(generator: np.random.Generator) -> np.ndarray:
        classes = np.repeat(np.arange(len(sizes)), sizes)
        table = np.zeros((len(classes), len(sizes)), dtype=int)
        table[np.arange(len(classes)), classes] = generator.integers(5, 61, len(classes))
        table[0, 1] += stray
        return table

    return counts


def with_rare_class(groups: int, having: int) -> Sizes:
    """Counts of clips of four classes, the last of which only ``having`` groups have."""

    def counts(generator: np.random.Generator) -> np.ndarray:
        table = generator.integers(2, 13, (groups, 4))
        table[having:, -1] = 0
        return table

    return counts
