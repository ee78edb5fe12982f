"""Scores that need no threshold: how well a class's probability ranks its own items above all others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata


def one_vs_rest_auroc(probabilities: np.ndarray, targets: np.ndarray) -> list[float | None]:
    """Area under the receiver operating characteristic of each class against all others.

    The chance that an item of the class has a higher probability of it than an item of another class; ties count half
    (the Mann-Whitney statistic). Computed in float64.

    Args:
        probabilities: (N, K), or any scores.
        targets: integers (N,) in [0, K).

    Returns:
        K values in [0, 1]; None for a class with no items, or with all of them.

    >>> one_vs_rest_auroc(np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3]]), np.array([0, 0, 1]))
    [0.5, 0.5]
    """
    own_NK = targets[:, None] == np.arange(probabilities.shape[1])
    positive = own_NK.sum(axis=0)
    negative = len(targets) - positive
    ranks = rankdata(probabilities.astype(np.float64), axis=0) if len(targets) else np.zeros(probabilities.shape)
    wins = np.where(own_NK, ranks, 0.0).sum(axis=0) - positive * (positive + 1) / 2
    pairs = positive * negative
    return [float(won / pair) if pair else None for won, pair in zip(wins, pairs, strict=True)]


def one_vs_rest_average_precision(probabilities: np.ndarray, targets: np.ndarray) -> list[float | None]:
    """Average precision of each class against all others: sum over thresholds of (recall gained) · precision.

    Items with the same probability enter together, as in scikit-learn; nothing is interpolated.

    Args:
        probabilities: (N, K), or any scores.
        targets: integers (N,) in [0, K).

    Returns:
        K values in (0, 1]; None for a class with no items. A ranking by chance has the class's share of the items.

    >>> one_vs_rest_average_precision(np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3]]), np.array([0, 1, 1]))
    [1.0, 1.0]
    """
    return [_average_precision(probabilities[:, k], targets == k) for k in range(probabilities.shape[1])]


def _average_precision(scores_N: np.ndarray, own_N: np.ndarray) -> float | None:
    if not own_N.any():
        return None
    order = np.argsort(-scores_N.astype(np.float64), kind="stable")
    scores, hits = scores_N[order], np.cumsum(own_N[order])
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # of each group of equal scores
    precision, recall = hits[last] / (last + 1), hits[last] / hits[-1]
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def mean_of_defined(values: Sequence[float | None]) -> float | None:
    """Mean over the classes that have a value; None if none has."""
    found = [value for value in values if value is not None]
    return float(np.mean(found)) if found else None


def commonest_k_accuracy(targets: np.ndarray, training_counts: Sequence[int], k: int) -> float:
    """The top-k accuracy of always answering the k commonest training classes.

    Args:
        targets: integers (N,), at least one.
        training_counts: training items of each class (K,).

    >>> commonest_k_accuracy(np.array([0, 1, 2, 2]), [5, 9, 7], 2)
    0.75
    """
    commonest = np.argsort(-np.asarray(training_counts), kind="stable")[:k]
    return float(np.isin(targets, commonest).mean())
