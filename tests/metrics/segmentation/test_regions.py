"""Scores of masks against scikit-learn and plain loops, with the traps of ignored and absent classes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as sklearn

from tricklab.errors import UserError
from tricklab.metrics import metric_code
from tricklab.metrics.segmentation import (
    constant_scores,
    left_out,
    mask_confusion,
    mask_metric_code,
    mask_report,
    mask_scores,
    per_image_scores,
)


def masks(seed: int, classes: int = 5, shape: tuple[int, int] = (13, 17)) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    target = generator.choice(classes, shape, p=generator.dirichlet(np.ones(classes))).astype(np.uint8)
    prediction = np.where(generator.random(shape) < 0.6, target, generator.integers(0, classes, shape))
    return np.where(generator.random(shape) < 0.2, 255, target).astype(np.uint8), prediction.astype(np.uint8)


@pytest.mark.parametrize("seed", range(4))
def test_scores_equal_scikit_learn(seed: int) -> None:
    target, prediction = masks(seed)
    known = target != 255
    true, said = target[known], prediction[known]
    confusion = mask_confusion(target, prediction, 5)
    assert confusion.dtype == np.int64
    assert (confusion == sklearn.confusion_matrix(true, said, labels=range(5))).all()
    found = mask_scores(confusion)
    seen = sorted(set(true) | set(said))
    options = {"labels": seen, "average": "macro", "zero_division": np.nan}
    assert found["aacc"] == pytest.approx(sklearn.accuracy_score(true, said), rel=1e-12)
    assert found["miou"] == pytest.approx(sklearn.jaccard_score(true, said, labels=seen, average="macro"), rel=1e-12)
    assert found["mdice"] == found["mfscore"] == pytest.approx(sklearn.f1_score(true, said, **options), rel=1e-12)
    assert found["mrecall"] == found["macc"] == pytest.approx(sklearn.recall_score(true, said, **options), rel=1e-12)
    assert found["mprecision"] == pytest.approx(sklearn.precision_score(true, said, **options), rel=1e-12)


@pytest.mark.parametrize(
    "types", [(np.uint8, np.int64), (np.int64, np.uint8), (np.int32, np.int16), (np.uint16, np.uint64)]
)
def test_any_integers_count_alike(types: tuple[type, type]) -> None:
    target, prediction = masks(7)
    expected = mask_confusion(target, prediction, 5)
    assert (mask_confusion(target.astype(types[0]), prediction.astype(types[1]), 5) == expected).all()


def test_strips_and_turned_masks_count_alike() -> None:
    target, prediction = masks(3)
    expected = mask_confusion(np.ascontiguousarray(target[::2, ::3]), np.ascontiguousarray(prediction[::2, ::3]), 5)
    assert (mask_confusion(target[::2, ::3], prediction[::2, ::3], 5) == expected).all()
    assert (mask_confusion(target.T, prediction.T, 5) == mask_confusion(target, prediction, 5)).all()


def test_many_classes_need_more_than_two_bytes_a_pixel() -> None:
    generator = np.random.default_rng(0)
    target, prediction = (generator.integers(0, 400, (30, 40)) for _ in range(2))
    target[0] = 1000
    found = mask_confusion(target, prediction, 400, ignore=1000)
    labels = range(400)
    assert (found == sklearn.confusion_matrix(target[1:].ravel(), prediction[1:].ravel(), labels=labels)).all()


def test_ignored_pixels_count_nowhere_whatever_is_said_there() -> None:
    target, prediction = masks(1)
    other = np.where(target == 255, 3, prediction)
    assert (mask_confusion(target, prediction, 5) == mask_confusion(target, other, 5)).all()
    everything = mask_confusion(np.full((3, 3), 255), np.zeros((3, 3), dtype=int), 2)
    assert everything.sum() == 0
    assert all(math.isnan(value) for value in mask_scores(everything).values())


@pytest.mark.parametrize(
    ("target", "prediction", "message"),
    [
        ([[0, 7, 7]], [[0, 0, 0]], r"a mask holds values that are no class: 7 \(2 px\)"),
        ([[0, -1, 0]], [[0, 0, 0]], r"a mask holds values that are no class: -1 \(1 px\)"),
        ([[0, 300, 0]], [[0, 0, 0]], r"a mask .*300 \(1 px\)"),
        ([[0, 0, 255]], [[0, 0, 2]], r"a prediction .*2 \(1 px\).*0 to 1"),
        ([[0, 0, 255]], [[0, 0, 255]], r"a prediction .*255 \(1 px\)"),
        ([[0, 0]], [[0, 0, 1]], "differ in shape"),
        ([[0, 0]], [[0.0, 0.7]], "a prediction of float64 holds no classes"),
    ],
)
def test_what_is_no_class_is_refused(target: list, prediction: list, message: str) -> None:
    with pytest.raises(UserError, match=message):
        mask_confusion(np.array(target), np.array(prediction), 2)


def test_an_ignored_value_among_the_classes_is_refused() -> None:
    with pytest.raises(UserError, match="255 is one of the 300 classes"):
        mask_confusion(np.zeros((1, 1), dtype=int), np.zeros((1, 1), dtype=int), 300)


def test_absent_classes_are_left_out_and_named() -> None:
    # class 2 is predicted only, class 3 is true only, class 4 is nowhere
    target, prediction = np.array([0, 0, 0, 1, 3]), np.array([0, 0, 2, 1, 0])
    confusion = mask_confusion(target, prediction, 5)
    found = mask_scores(confusion)
    assert found["miou"] == pytest.approx((2 / 4 + 1 + 0 + 0) / 4)
    assert found["macc"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert found["mprecision"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    names = ["a", "b", "c", "d", "e"]
    assert left_out(confusion, names) == {"absent": ["e"], "no_truth": ["c"], "never_predicted": ["d"]}
    rows = mask_report(confusion, names)
    assert [row["iou"] for row in rows] == [0.5, 1.0, 0.0, 0.0, None]
    assert [row["acc"] for row in rows] == [pytest.approx(2 / 3), 1.0, None, 0.0, None]
    assert [row["precision"] for row in rows] == [pytest.approx(2 / 3), 1.0, 0.0, None, None]
    assert [(row["support"], row["predicted"]) for row in rows] == [(3, 3), (1, 1), (0, 1), (1, 0), (0, 0)]
    with pytest.raises(UserError, match="4 class names for 5 classes"):
        mask_report(confusion, names[:4])


def test_scores_of_each_image_are_those_of_a_loop() -> None:
    pairs = [masks(seed, classes=4, shape=(5, 6)) for seed in range(6)]
    confusions = np.stack([mask_confusion(*pair, 4) for pair in pairs])
    hits = np.einsum("nkk->nk", confusions)
    found = per_image_scores(hits, confusions.sum(axis=2), confusions.sum(axis=1))
    for place, (target, prediction) in enumerate(pairs):
        ious, dices = [], []
        for k in range(4):
            a, b = (target == k), (prediction == k) & (target != 255)
            if (a | b).any():
                ious.append((a & b).sum() / (a | b).sum())
                dices.append(2 * (a & b).sum() / (a.sum() + b.sum()))
        assert found["iou"][place] == pytest.approx(np.mean(ious), rel=1e-12)
        assert found["dice"][place] == pytest.approx(np.mean(dices), rel=1e-12)
        assert found["accuracy"][place] == pytest.approx((target == prediction)[target != 255].mean(), rel=1e-12)


def test_an_image_without_a_known_pixel_has_no_score() -> None:
    zeros = np.zeros((2, 3), dtype=int)
    hits = zeros.copy()
    hits[1, 0] = 4
    found = per_image_scores(hits, hits, hits)
    assert np.isnan(found["iou"]).tolist() == [True, False]
    assert found["iou"][1] == found["dice"][1] == 1.0


def test_counts_beyond_32_bits() -> None:
    many = np.array([[3_000_000_000, 1_000_000_000], [0, 4_000_000_000]], dtype=np.int64)
    assert mask_scores(many)["miou"] == pytest.approx((3 / 4 + 4 / 5) / 2)


def test_a_constant_answer_is_scored_as_if_it_had_been_given() -> None:
    pairs = [masks(seed, classes=3, shape=(6, 7)) for seed in range(3)]
    truth = np.stack([np.bincount(target[target != 255], minlength=3) for target, _ in pairs])
    confusion = sum(mask_confusion(target, np.ones_like(target), 3) for target, _ in pairs)
    found = constant_scores(truth, 1)
    assert mask_scores(confusion).items() <= found.items()
    ious = []
    for target, _ in pairs:
        known = target[target != 255]
        ious.append((known == 1).mean() / len(set(known) | {1}))
    assert found["miou_per_image"] == pytest.approx(np.mean(ious))


def test_the_code_of_masks_is_no_other_tasks() -> None:
    assert mask_metric_code() != metric_code()
    assert len(mask_metric_code()) == 32
