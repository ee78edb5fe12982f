"""Masks that are added one by one score what they score together."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchmetrics.segmentation import MeanIoU

from tests.metrics.segmentation.test_regions import masks
from tricklab.errors import UserError
from tricklab.metrics.segmentation import MASK_METRICS, MaskScores, boundary_counts, boundary_f, mask_confusion


def test_images_of_several_sizes_together_and_alone() -> None:
    pairs = [masks(seed, classes=4, shape=(9 + seed, 12)) for seed in range(4)]
    scores = MaskScores(4, tolerance=2)
    for target, prediction in pairs:
        scores.add(target, prediction)
    everything = [np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1)]
    assert (scores.confusion == mask_confusion(*everything, 4)).all()
    assert tuple(scores.values()) == MASK_METRICS
    outlines = [boundary_counts(*pair, 4, 2) for pair in pairs]
    assert scores.values()["boundary_f"] == pytest.approx(np.nanmean(boundary_f(np.sum(outlines, axis=0))))
    alone = [np.nanmean(boundary_f(found)) for found in outlines]
    assert scores.values()["boundary_f_per_image"] == pytest.approx(np.mean(alone))


def test_the_mean_over_images_is_torchmetrics() -> None:
    generator = np.random.default_rng(0)
    pairs = [(generator.integers(0, 3, (8, 8)), generator.integers(0, 3, (8, 8))) for _ in range(5)]
    scores, theirs = MaskScores(3, tolerance=None), MeanIoU(num_classes=3, input_format="index")
    for target, prediction in pairs:
        scores.add(target, prediction)
        theirs.update(torch.from_numpy(prediction)[None], torch.from_numpy(target)[None])
    found = scores.values()
    assert found["miou_per_image"] == pytest.approx(float(theirs.compute()), rel=1e-6)
    assert found["miou_per_image"] != pytest.approx(found["miou"], rel=1e-4)
    assert not any("boundary" in name for name in found)


def test_counts_of_several_processes_join_in_their_order() -> None:
    pairs = [masks(seed, shape=(7, 8)) for seed in range(5)]
    whole, first, second = (MaskScores(5) for _ in range(3))
    for place, pair in enumerate(pairs):
        whole.add(*pair)
        (first if place < 3 else second).add(*pair)
    first.extend(second.confusion, second.images())
    assert first.values() == whole.values()
    assert len(first) == 5
    for name, rows in whole.images().items():
        assert (first.images()[name] == rows).all()
    with pytest.raises(UserError, match="cannot be joined"):
        first.extend(*(lambda other: (other.confusion, other.images()))(MaskScores(5, tolerance=None)))


def test_nothing_added_has_no_scores() -> None:
    scores = MaskScores(3)
    assert all(math.isnan(value) for value in scores.values().values())
    assert {name: rows.shape for name, rows in scores.images().items()} == {
        "hits": (0, 3),
        "truth": (0, 3),
        "predicted": (0, 3),
        "outlines": (0, 3, 4),
    }


def test_an_image_that_is_wholly_ignored_changes_no_mean() -> None:
    scores = MaskScores(5)
    scores.add(*masks(0))
    before = scores.values()
    scores.add(np.full((6, 6), 255, dtype=np.uint8), np.zeros((6, 6), dtype=np.uint8))
    assert scores.values() == before
    assert len(scores) == 2
