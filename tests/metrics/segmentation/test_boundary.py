"""Outlines against a loop over all pairs of pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tricklab.errors import UserError
from tricklab.metrics.segmentation import boundary_counts, boundary_f, reach


def outline(labels: np.ndarray, known: np.ndarray, k: int) -> list[tuple[int, int]]:
    height, width = labels.shape
    found = []
    for y in range(height):
        for x in range(width):
            if labels[y, x] != k or not known[y, x]:
                continue
            around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            if any(0 <= a < height and 0 <= b < width and known[a, b] and labels[a, b] != k for a, b in around):
                found.append((y, x))
    return found


def by_loop(target: np.ndarray, prediction: np.ndarray, classes: int, limit: float) -> list[list[int]]:
    known = target != 255
    rows = []
    for k in range(classes):
        said, true = outline(prediction, known, k), outline(target, known, k)
        near = [sum(any(math.dist(p, q) <= limit for q in b) for p in a) for a, b in ((said, true), (true, said))]
        rows.append([len(said), near[0], len(true), near[1]])
    return rows


@pytest.mark.parametrize("limit", [1, 1.5, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_a_loop(seed: int, limit: float) -> None:
    generator = np.random.default_rng(seed)
    target = np.kron(generator.integers(0, 3, (4, 5)), np.ones((4, 3), dtype=int))
    target[generator.random(target.shape) < 0.05] = 255
    prediction = np.kron(generator.integers(0, 3, (5, 4)), np.ones((4, 4), dtype=int))[:16, :15]
    assert boundary_counts(target, prediction, 3, limit).tolist() == by_loop(target, prediction, 3, limit)


def square(size: int, start: int, length: int) -> np.ndarray:
    found = np.zeros((size, size), dtype=np.uint8)
    found[start : start + length, start : start + length] = 1
    return found


def test_a_shift_counts_only_beyond_the_tolerance() -> None:
    true, moved = square(40, 10, 15), square(40, 12, 15)
    assert boundary_f(boundary_counts(true, true, 2, 1)).tolist() == [1.0, 1.0]
    assert boundary_f(boundary_counts(true, moved, 2, 3)).tolist() == [1.0, 1.0]
    scores = boundary_f(boundary_counts(true, moved, 2, 1))
    assert ((scores > 0) & (scores < 0.5)).all()


def test_sides_without_an_outline() -> None:
    true, empty = square(10, 3, 3), np.zeros((10, 10), dtype=np.uint8)
    assert boundary_f(boundary_counts(true, empty, 3, 2)).tolist()[:2] == [0.0, 0.0]
    assert boundary_f(boundary_counts(empty, true, 3, 2)).tolist()[:2] == [0.0, 0.0]
    assert np.isnan(boundary_f(boundary_counts(true, true, 3, 2))[2])
    assert np.isnan(boundary_f(boundary_counts(empty, empty, 3, 2))).all()


def test_the_rim_of_an_ignored_region_is_no_outline() -> None:
    target = np.zeros((9, 9), dtype=np.uint8)
    target[:, 5:] = 255
    prediction = np.zeros((9, 9), dtype=np.uint8)
    prediction[:, 5:] = 1
    assert not boundary_counts(target, prediction, 2, 1).any()


def test_a_tolerance_is_pixels_or_a_share_of_the_diagonal() -> None:
    assert reach(0.0075, (360, 480)) == pytest.approx(4.5)
    assert reach(1, (360, 480)) == 1.0
    with pytest.raises(UserError, match="must be positive"):
        reach(0, (4, 4))
