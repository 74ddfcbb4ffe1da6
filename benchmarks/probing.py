"""Speed and exactness of probing: one outer fold of one readout, one thread, CPU-seconds.

Beside scikit-learn's GridSearchCV over Pipeline(StandardScaler, LogisticRegression) on the same
inner folds and grid of C: choosing C, the final fit and the prediction. Then 100 permutations at
the chosen C, as a multiple of the fold, and the largest difference in predicted probability, on
tested clips and at the chosen C, to a fit that scikit-learn is made to solve tightly (at its
default tolerance it is far from its own optimum).
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from stratavox.probe import logistic, nested_cv

SIZES = [(500, 768), (3000, 768), (500, 9216)]
LARGE = (3000, 9216)
# The ratio to scikit-learn that each width must reach, and what 100 permutations may cost.
TARGETS = {768: 4, 9216: 8}
PERMUTATIONS, MOST_FITS = 100, 10
CLASSES, GROUPS, TESTED = 8, 20, 4
SETTINGS = {"inner_folds": 3, "c_grid": [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0], "seed": 0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help=f"{LARGE} too: many minutes")
    options = parser.parse_args()
    print("one outer fold, CPU-seconds     sklearn    ours   ratio  target  C (theirs)")
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for n, width in [*SIZES, *([LARGE] if options.large else [])]:
            compare(*readout(n, width))


def readout(n: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Made clips with the steep spectrum of real readouts: x (clips, width), classes, groups.

    The power of principal axis j falls as 1 / j^2 down to a floor; classes and groups both shift
    the clips along every axis, so that the classes are told apart in part.
    """
    generator = np.random.default_rng(0)
    rank = min(n, 512)
    y, group = generator.integers(CLASSES, size=n), np.arange(n) % GROUPS
    hidden = generator.standard_normal((n, rank))
    hidden += 0.5 * generator.standard_normal((GROUPS, rank))[group]
    hidden += 4.5 / np.sqrt(rank) * generator.standard_normal((CLASSES, rank))[y]
    x = hidden / np.arange(1, rank + 1) @ generator.standard_normal((rank, width))
    x += 0.02 * generator.standard_normal((n, width))
    return x.astype(np.float32), y, group


def compare(x: np.ndarray, y: np.ndarray, group: np.ndarray) -> None:
    """Time both ways on one outer fold and print a line of the table, and one of what was found."""
    test = group < TESTED
    (outer, rotation), ours = timed(lambda: nested_cv.outer_fold(x, y, group, test, SETTINGS))
    draws = np.random.default_rng(1).permuted(np.tile(y, (PERMUTATIONS, 1)), axis=1)
    tests = np.broadcast_to(test, draws.shape)
    _, null = timed(lambda: nested_cv.null_fold(rotation, x, draws, tests, outer.c))
    search, theirs = timed(lambda: grid_search(x, y, group, test))
    # the same steps as in outer_fold, which keeps the probability of the true class alone
    fit = logistic.fit(rotation.train, y[~test][None], CLASSES, outer.c)
    probabilities = np.exp(fit.log_probabilities(rotation.apply(x[test])))[0].T
    tight = pipeline(C=outer.c, tol=1e-8, max_iter=100_000).fit(x[~test].astype(float), y[~test])
    farthest = np.abs(probabilities - tight.predict_proba(x[test].astype(float))).max()
    default = search.best_params_["logisticregression__C"]
    target = TARGETS[x.shape[1]]
    print(
        f"{x.shape[0]:>6} clips x {x.shape[1]:<5}{theirs:>17.2f}{ours:>8.2f}{theirs / ours:>7.1f}x"
        f"{target:>6}x  {outer.c:g} ({default:g})\n"
        f"       {PERMUTATIONS} draws {null:.2f} s, {null / ours:.1f} times the fold (target: "
        f"below {MOST_FITS}); probabilities differ by {farthest:.1e} at most",
        flush=True,
    )


def pipeline(**settings: float) -> LogisticRegression:
    """Scikit-learn's standardised logistic regression."""
    return make_pipeline(StandardScaler(), LogisticRegression(**settings))


def grid_search(x: np.ndarray, y: np.ndarray, group: np.ndarray, test: np.ndarray) -> GridSearchCV:
    """Scikit-learn's way: C by held-out log-loss, a final fit, and the prediction."""
    split = StratifiedGroupKFold(SETTINGS["inner_folds"], shuffle=True, random_state=0)
    search = GridSearchCV(
        pipeline(max_iter=1000),
        {"logisticregression__C": SETTINGS["c_grid"]},
        cv=split,
        scoring="neg_log_loss",
    )
    search.fit(x[~test], y[~test], groups=group[~test])
    search.predict_proba(x[test])
    return search


def timed(call: Callable) -> tuple:
    """What a call returns, and its CPU-seconds."""
    started = time.process_time()
    return call(), time.process_time() - started


if __name__ == "__main__":
    main()
