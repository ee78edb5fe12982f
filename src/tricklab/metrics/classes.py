"""Scores of classifiers from probabilities or a confusion matrix: macro F1, top-k, calibration."""

from __future__ import annotations

import numpy as np


def macro_f1(confusion: np.ndarray) -> float:
    """Mean of the classes' F1 = 2 TP / (2 TP + FP + FN), over the classes that have items; nan if none has.

    A class without items is left out, as in ``average_accuracy``; one that is never predicted scores 0.

    Args:
        confusion: (K, K), rows are true classes.

    >>> round(macro_f1(np.array([[3, 1], [0, 4]])), 4)
    0.873
    """
    hits, support, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    present = support > 0
    return float((2 * hits[present] / (support + predicted)[present]).mean()) if present.any() else float("nan")


def top_k_accuracy(probabilities: np.ndarray, targets: np.ndarray, k: int) -> float:
    """Share of items whose class is among the k most probable. Ties count against the item.

    Args:
        probabilities: (N, K) or any scores in the same order.
        targets: int64 (N,).

    >>> top_k_accuracy(np.array([[0.2, 0.5, 0.3]]), np.array([2]), 2)
    1.0
    """
    own = np.take_along_axis(probabilities, targets[:, None], axis=1)
    rank = (probabilities >= own).sum(axis=1)
    return float((rank <= k).mean()) if len(targets) else float("nan")


def expected_calibration_error(probabilities: np.ndarray, targets: np.ndarray, bins: int = 15) -> float:
    """Mean distance between confidence and accuracy, over equally wide bins of confidence, weighted by their items.

    Source: Naeini et al., AAAI 2015; 15 bins as in Guo et al., ICML 2017. Bins are open below and closed above.

    Args:
        probabilities: (N, K), rows add up to 1.
        targets: int64 (N,).

    >>> expected_calibration_error(np.array([[0.75, 0.25]] * 4), np.array([0, 0, 0, 1]))
    0.0
    """
    if not len(targets):
        return float("nan")
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == targets).astype(np.float64)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(place, right - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(targets))
