"""Macro F1, top-k and calibration against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, top_k_accuracy_score

from tricklab.metrics import confusion_matrix
from tricklab.metrics.classes import expected_calibration_error, macro_f1, top_k_accuracy


def test_macro_f1_is_scikit_learns_over_the_classes_there_are() -> None:
    rng = np.random.default_rng(0)
    target, said = rng.integers(0, 7, 300), rng.integers(0, 7, 300)
    found = macro_f1(confusion_matrix(target, said, 7))
    assert found == pytest.approx(f1_score(target, said, average="macro"))
    present = target != 3
    found = macro_f1(confusion_matrix(target[present], said[present], 7))
    labels = [0, 1, 2, 4, 5, 6]
    assert found == pytest.approx(f1_score(target[present], said[present], average="macro", labels=labels))
    assert np.isnan(macro_f1(np.zeros((3, 3), dtype=np.int64)))


@pytest.mark.parametrize("k", [1, 3, 5])
def test_top_k_is_scikit_learns(k: int) -> None:
    rng = np.random.default_rng(k)
    scores, target = rng.normal(size=(200, 9)), rng.integers(0, 9, 200)
    expected = top_k_accuracy_score(target, scores, k=k, labels=range(9))
    assert top_k_accuracy(scores, target, k) == pytest.approx(expected)


def test_a_tie_counts_against_the_item() -> None:
    assert top_k_accuracy(np.array([[0.5, 0.5]]), np.array([0]), 1) == 0.0
    assert top_k_accuracy(np.array([[0.5, 0.5]]), np.array([0]), 2) == 1.0


def test_calibration_error_by_a_plain_loop() -> None:
    rng = np.random.default_rng(4)
    scores = rng.dirichlet(np.ones(5), 500)
    target = rng.integers(0, 5, 500)
    total = 0.0
    for low in range(15):
        inside = [i for i in range(500) if low / 15 < scores[i].max() <= (low + 1) / 15]
        if inside:
            gap = np.mean([scores[i].max() for i in inside]) - np.mean(
                [scores[i].argmax() == target[i] for i in inside]
            )
            total += len(inside) / 500 * abs(gap)
    assert expected_calibration_error(scores, target) == pytest.approx(total)


def test_certain_and_right_is_calibrated() -> None:
    assert expected_calibration_error(np.eye(3), np.arange(3)) == 0.0
    assert expected_calibration_error(np.eye(3), np.array([1, 2, 0])) == 1.0
