"""The tables of document 000 (OpenMMLab's IoUMetric): from three of its numbers all others follow."""

from __future__ import annotations

import numpy as np
import pytest

from tricklab.metrics.segmentation import constant_scores, mask_report, mask_scores

PIXELS = 10**9
# per class Fscore, precision, recall, IoU, Acc; then aAcc, mFscore, mPrecision, mRecall, mIoU, mAcc; in per cent
VALIDATION = (
    [98.96, 99.07, 98.85, 97.94, 98.85],
    [30.29, 28.2, 32.71, 17.85, 32.71],
    [97.95, 64.62, 63.63, 65.78, 57.89, 65.78],
)
TEST = (
    [99.39, 98.79, 100.0, 98.79, 100.0],
    [0.08, 90.77, 0.04, 0.04, 0.04],
    [98.79, 49.74, 94.78, 50.02, 49.41, 50.02],
)


def confusion_of(accuracy: float, precision: float, recall: float) -> np.ndarray:
    """Pixels of (unchanged, changed) that have these scores of the class changed, which occurs as often as it must."""
    share = (1 - accuracy) / ((1 - recall) + recall * (1 / precision - 1))
    true = round(PIXELS * share)
    hits = round(true * recall)
    false = round(hits * (1 / precision - 1))
    return np.array([[PIXELS - true - false, false], [true - hits, hits]])


@pytest.mark.parametrize(
    ("table", "recall", "share"), [(VALIDATION, 0.3271, 0.0136), (TEST, 0.0004, 0.0121)], ids=["validation", "test"]
)
def test_the_tables_of_document_000(table: tuple[list[float], ...], recall: float, share: float) -> None:
    unchanged, changed, means = table
    confusion = confusion_of(means[0] / 100, changed[1] / 100, recall)
    assert confusion[1].sum() / PIXELS == pytest.approx(share, abs=5e-5)
    rows = mask_report(confusion, ["unchanged", "changed"])
    for row, told in zip(rows, (unchanged, changed), strict=True):
        found = [100 * row[key] for key in ("dice", "precision", "acc", "iou", "acc")]
        assert found == pytest.approx(told, abs=0.02)
    scores = mask_scores(confusion)
    names = ("aacc", "mfscore", "mprecision", "mrecall", "miou", "macc")
    assert [100 * scores[name] for name in names] == pytest.approx(means, abs=0.02)


def test_the_tested_network_of_document_000_is_no_better_than_a_constant() -> None:
    confusion = confusion_of(0.9879, 0.9077, 0.0004)
    trivial = constant_scores(confusion.sum(axis=1)[None], 0)
    scores = mask_scores(confusion)
    assert scores["miou"] - trivial["miou"] < 5e-4
    assert trivial["miou"] == pytest.approx(0.494, abs=1e-4)
    assert trivial["aacc"] == pytest.approx(0.9879, abs=1e-4)
