"""Metrics against scikit-learn and torchmetrics, with the traps of absent and ignored classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_cohen_kappa

from tricklab.errors import UserError
from tricklab.metrics import (
    average_accuracy,
    binomial_standard_error,
    confusion_matrix,
    kappa,
    overall_accuracy,
    per_class_report,
    trivial_scores,
)


def labels(classes: int = 6, number: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    target = generator.choice(classes, number, p=generator.dirichlet(np.ones(classes)))
    prediction = np.where(generator.random(number) < 0.7, target, generator.integers(0, classes, number))
    return target, prediction


@pytest.mark.parametrize("seed", range(5))
def test_all_scores_equal_scikit_learn_and_torchmetrics(seed: int) -> None:
    target, prediction = labels(seed=seed)
    confusion = confusion_matrix(target, prediction, 6)
    assert confusion.dtype == np.int64
    assert (confusion == sklearn.confusion_matrix(target, prediction, labels=range(6))).all()
    assert overall_accuracy(confusion) == pytest.approx(sklearn.accuracy_score(target, prediction), rel=1e-12)
    assert average_accuracy(confusion) == pytest.approx(
        np.mean([(prediction[target == k] == k).mean() for k in np.unique(target)]), rel=1e-12
    )
    assert kappa(confusion) == pytest.approx(sklearn.cohen_kappa_score(target, prediction), rel=1e-12)
    tensors = torch.from_numpy(prediction), torch.from_numpy(target)
    assert overall_accuracy(confusion) == pytest.approx(
        multiclass_accuracy(*tensors, 6, average="micro").item(), rel=1e-6
    )
    assert kappa(confusion) == pytest.approx(multiclass_cohen_kappa(*tensors, 6).item(), rel=1e-5)


def test_a_class_absent_from_the_test_set_is_left_out() -> None:
    target, prediction = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])
    confusion = confusion_matrix(target, prediction, 4)
    # classes 2 (predicted) and 3 (never seen) have no true item: neither 0 (nan_to_num) nor 1
    assert average_accuracy(confusion) == pytest.approx(0.75)
    present = torch.tensor([0, 0, 1, 1])
    assert average_accuracy(confusion) == pytest.approx(
        multiclass_accuracy(torch.from_numpy(prediction), present, 4, average=None)[:2].mean().item()
    )
    report = per_class_report(confusion)
    assert [row["recall"] for row in report] == [0.5, 1.0, None, None]
    assert [row["precision"] for row in report] == [1.0, 1.0, 0.0, None]
    assert [row["f1"] for row in report] == [pytest.approx(2 / 3), 1.0, 0.0, None]


def test_average_accuracy_is_scikit_learns_balanced_accuracy() -> None:
    target, prediction = labels()
    prediction = np.where(prediction == 3, 2, prediction)
    keep = target != 5
    target, prediction = target[keep], np.minimum(prediction[keep], 4)
    found = average_accuracy(confusion_matrix(target, prediction, 6))
    assert found == pytest.approx(sklearn.balanced_accuracy_score(target, prediction), rel=1e-12)


def test_ignored_pixels_count_nowhere() -> None:
    target, prediction = labels()
    plain = confusion_matrix(target, prediction, 6)
    more = np.concatenate([target, np.full(1000, -1)]).reshape(-1, 2)
    wild = np.concatenate([prediction, np.full(1000, 99)]).reshape(-1, 2)
    assert (confusion_matrix(more, wild, 6) == plain).all()
    zero = np.where(target == 0, 255, target)
    assert confusion_matrix(zero, prediction, 6, ignore=255)[0].sum() == 0


@pytest.mark.parametrize("seed", range(3))
def test_the_report_equals_scikit_learn(seed: int) -> None:
    target, prediction = labels(seed=seed)
    report = per_class_report(confusion_matrix(target, prediction, 6), ["a", "b", "c", "d", "e", "f"])
    found = sklearn.precision_recall_fscore_support(target, prediction, labels=range(6), zero_division=np.nan)
    for row, precision, recall, f1, support in zip(report, *found, strict=True):
        assert row["precision"] == (None if np.isnan(precision) else pytest.approx(precision))
        assert row["recall"] == (None if np.isnan(recall) else pytest.approx(recall))
        if row["support"] or row["predicted"]:
            assert row["f1"] == pytest.approx(f1)
        assert row["support"] == support
    assert [row["class"] for row in report] == list("abcdef")


def test_one_class_alone_has_no_kappa_to_speak_of() -> None:
    confusion = confusion_matrix(np.zeros(5, int), np.zeros(5, int), 3)
    assert (overall_accuracy(confusion), average_accuracy(confusion), kappa(confusion)) == (1.0, 1.0, 0.0)


def test_nothing_to_score_is_nan_not_zero() -> None:
    confusion = confusion_matrix(np.full(4, -1), np.zeros(4, int), 3)
    assert np.isnan([overall_accuracy(confusion), average_accuracy(confusion), kappa(confusion)]).all()


def test_kappa_of_a_huge_scene_does_not_overflow() -> None:
    small = confusion_matrix(*labels(), 6)
    assert kappa(small * 10**9) == pytest.approx(kappa(small), rel=1e-12)


def test_the_trivial_predictor_says_one_class() -> None:
    target, _ = labels()
    counts = np.bincount(target, minlength=6)
    most = int(counts.argmax())
    found = trivial_scores(counts)
    always = np.full_like(target, most)
    assert found == {
        "oa": pytest.approx(sklearn.accuracy_score(target, always)),
        "aa": pytest.approx(sklearn.balanced_accuracy_score(target, always)),
        "kappa": pytest.approx(0.0, abs=1e-12),
        "class": most,
    }
    assert trivial_scores(confusion_matrix(target, target, 6)) == found
    other = (most + 1) % 6
    assert trivial_scores(counts, prediction=other)["oa"] == pytest.approx((target == other).mean())


def test_document_000s_accuracy_is_the_trivial_predictors() -> None:
    assert trivial_scores(np.array([9879, 121]))["oa"] == pytest.approx(0.9879)


def test_the_binomial_error_of_document_002s_test_set() -> None:
    assert binomial_standard_error(0.9793, 9225) == pytest.approx(0.0015, abs=5e-5)
    with pytest.raises(ValueError, match="at least one item"):
        binomial_standard_error(0.5, 0)


@pytest.mark.parametrize(
    ("target", "prediction", "message"),
    [
        ([0, 1], [0], "differ in shape"),
        ([0, 3], [0, 1], "a target lies outside the 3 classes"),
        ([0, 1], [0, 3], "a prediction lies outside"),
        ([0, 1], [0, -1], "a prediction lies outside"),
    ],
)
def test_wrong_labels_are_named(target: list[int], prediction: list[int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        confusion_matrix(np.array(target), np.array(prediction), 3)


def test_names_must_fit() -> None:
    with pytest.raises(UserError, match="2 class names for 3 classes"):
        per_class_report(np.eye(3, dtype=int), ["a", "b"])
