"""Scores without a threshold, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, top_k_accuracy_score

from tricklab.metrics.report.ranking import (
    commonest_k_accuracy,
    mean_of_defined,
    one_vs_rest_auroc,
    one_vs_rest_average_precision,
)


def drawn(ties: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    targets = rng.integers(0, 4, 200)
    scores = rng.random((200, 5)) + 0.4 * np.eye(5)[targets]
    scores = scores / scores.sum(axis=1, keepdims=True)
    return (np.round(scores, 1) if ties else scores), targets


@pytest.mark.parametrize("ties", [False, True])
def test_each_class_has_scikit_learns_scores(ties: bool) -> None:
    scores, targets = drawn(ties)
    auroc, precision = one_vs_rest_auroc(scores, targets), one_vs_rest_average_precision(scores, targets)
    for k in range(4):
        assert auroc[k] == pytest.approx(roc_auc_score(targets == k, scores[:, k]), abs=1e-12)
        assert precision[k] == pytest.approx(average_precision_score(targets == k, scores[:, k]), abs=1e-12)


def test_the_macro_mean_is_that_of_the_classes_with_items() -> None:
    scores, targets = drawn(ties=False)
    auroc, precision = one_vs_rest_auroc(scores, targets), one_vs_rest_average_precision(scores, targets)
    assert auroc[4] is None
    assert precision[4] is None
    expected = np.mean([roc_auc_score(targets == k, scores[:, k]) for k in range(4)])
    assert mean_of_defined(auroc) == pytest.approx(expected, abs=1e-12)
    assert mean_of_defined([None, None]) is None


def test_one_class_only_has_no_ranking() -> None:
    scores = np.array([[0.6, 0.4], [0.7, 0.3]])
    assert one_vs_rest_auroc(scores, np.array([0, 0])) == [None, None]
    assert one_vs_rest_average_precision(scores, np.array([0, 0])) == [1.0, None]


def test_equal_scores_of_float32_stay_equal() -> None:
    scores = np.array([[0.1, 0.9]] * 4, dtype=np.float32)
    assert one_vs_rest_auroc(scores, np.array([0, 1, 0, 1])) == [0.5, 0.5]


def test_the_commonest_classes_are_a_classifier_of_their_own() -> None:
    targets, counts = np.array([0, 1, 1, 2, 3, 3]), [3, 9, 9, 1]
    scores = np.tile(np.array([0.2, 0.5, 0.4, 0.1]), (6, 1))
    assert commonest_k_accuracy(targets, counts, 2) == top_k_accuracy_score(targets, scores, k=2)
