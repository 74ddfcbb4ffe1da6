"""Agreement of one readout with the labels: neighbours and clusters, without a probe.

Retrieval ROC-AUC, NMI and ARI are defined as avex 1.4 (``evaluation/retrieval.py`` and
``clustering.py``) computes them for its paper (Miron et al., "What matters for bioacoustic
encoding"). avex scores the last layer on its test split; here every readout is scored on all clips
of the task.
"""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    balanced_accuracy_score,
    normalized_mutual_info_score,
    silhouette_score,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize

from stratavox.errors import StratavoxError
from stratavox.probe.readouts import refuse_straddling

# Each clip a query, all others ranked by cosine, those of its class the positives: mean ROC-AUC
# over queries with a positive and a negative. Chance .5. As avex's retrieval_roc_auc.
RETRIEVAL = "retrieval_roc_auc"
# The same without the clips of the query's own recording or group, which share its background and
# voice. Not in avex.
RETRIEVAL_APART = "retrieval_roc_auc_apart"
# k-means with as many clusters as classes against the classes. As avex's clustering_nmi and
# clustering_ari. NMI of unrelated clusters grows with their number; AMI (Vinh, Epps & Bailey 2010,
# JMLR 11:2837) and ARI are 0 then. AMI is not in avex.
NMI = "clustering_nmi"
AMI = "clustering_ami"
ARI = "clustering_ari"
# Rousseeuw 1987, J. Comput. Appl. Math. 20:53, of the classes, by cosine distance. -1 to 1.
SILHOUETTE = "silhouette"
# Balanced accuracy, out of fold, of the vote of the K clips of highest cosine.
KNN = "knn_balanced_accuracy"

K = 5
# Starts of k-means, the best kept: avex's number.
STARTS = 10
# Queries ranked at a time.
BLOCK = 256


def cosines(x: np.ndarray) -> np.ndarray:
    """Cosine (clips, clips) between the rows of ``x``; 0 with a row of zeros.

    In float64: where all clips point in nearly one direction, cosines differ in late digits.
    """
    unit = normalize(x.astype(np.float64))
    return unit @ unit.T


def retrieval(
    similarity: np.ndarray, target: np.ndarray, *aparts: np.ndarray
) -> list[tuple[float, int]]:
    """For each of ``aparts``, mean ROC-AUC over queries, and how many queries it is over.

    ``similarity`` (clips, clips); ``target`` (clips,); an apart (clips,) numbers the recordings or
    groups: a query meets no clip of its own number, itself included. Queries without a positive or
    a negative left are not counted.
    """
    classes = np.unique(target, return_inverse=True)[1]
    areas = [[] for _ in aparts]
    for start in range(0, len(target), BLOCK):
        rows = slice(start, start + BLOCK)
        # ranked once for all: numpy's plain sort takes a fifth of scipy's ranking
        order = np.argsort(similarity[rows], axis=1)
        first, after = _ties(np.take_along_axis(similarity[rows], order, axis=1))
        same = classes[order] == classes[rows, None]
        for apart, of_apart in zip(aparts, areas, strict=True):
            met = apart[order] != apart[rows, None]
            positive, negative = met & same, met & ~same
            below = np.zeros((len(order), len(target) + 1), np.int32)
            np.cumsum(negative, axis=1, out=below[:, 1:])
            # Mann-Whitney: the negatives that a positive passes, half of those it ties with
            passed = np.take_along_axis(below, first, 1) + np.take_along_axis(below, after, 1)
            pairs = positive.sum(axis=1) * negative.sum(axis=1)
            counted = pairs > 0
            won = np.sum(passed, axis=1, where=positive)[counted] / 2
            of_apart.append(won / pairs[counted])
    return [(float(area.mean()), len(area)) for area in map(np.concatenate, areas)]


def _ties(ascending: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each place of rows in ascending order, where its equals begin and where they end."""
    n = ascending.shape[1]
    begins = np.ones(ascending.shape, bool)
    begins[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
    ends = np.roll(begins, -1, axis=1)
    places = np.arange(n)
    first = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    after = np.minimum.accumulate(np.where(ends, places + 1, n)[:, ::-1], axis=1)[:, ::-1]
    return first, after


def clustering(x: np.ndarray, target: np.ndarray, seed: int) -> dict[str, float]:
    """NMI, AMI and ARI of k-means clusters of ``x`` (clips, width) with the classes."""
    means = KMeans(len(np.unique(target)), n_init=STARTS, max_iter=300, random_state=seed)
    clusters = means.fit_predict(x)
    return {
        NMI: float(normalized_mutual_info_score(target, clusters)),
        AMI: float(adjusted_mutual_info_score(target, clusters)),
        ARI: float(adjusted_rand_score(target, clusters)),
    }


def silhouette(similarity: np.ndarray, target: np.ndarray) -> float:
    """Mean silhouette of the classes by cosine distance, from ``similarity`` (clips, clips)."""
    distance = np.maximum(1 - similarity, 0)
    np.fill_diagonal(distance, 0)
    return float(silhouette_score(distance, target, metric="precomputed"))


def knn(similarity: np.ndarray, target: np.ndarray, fold: np.ndarray, held: np.ndarray) -> float:
    """Balanced accuracy of the vote of the `K` nearest clips of the other folds.

    ``similarity`` (clips, clips); ``target``, ``fold`` and ``held`` (clips,): ``held`` numbers the
    groups that must not straddle a fold; clips of fold -1 vote and are not scored. Raises
    `StratavoxError` where a group straddles, and where fewer than `K` clips are left to vote.
    """
    predicted, tested = np.empty_like(target), fold >= 0
    distance = np.maximum(1 - similarity, 0)
    for k in np.unique(fold[tested]):
        test = fold == k
        refuse_straddling(held, test)
        if np.sum(~test) < K:
            raise StratavoxError(
                f"fold {k} leaves {np.sum(~test)} clips to vote, the kNN probe needs {K}; add "
                "clips or lower probes.folds of the dataset"
            )
        vote = KNeighborsClassifier(K, metric="precomputed")
        vote.fit(distance[np.ix_(~test, ~test)], target[~test])
        predicted[test] = vote.predict(distance[np.ix_(test, ~test)])
    return float(balanced_accuracy_score(target[tested], predicted[tested]))
