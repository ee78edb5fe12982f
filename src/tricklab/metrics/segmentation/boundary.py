"""Boundary F: how well the outlines of regions meet, within a tolerance (Csurka et al. 2013, BMVC; DAVIS's F)."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from tricklab.errors import UserError
from tricklab.metrics.segmentation.regions import IGNORE

TOLERANCE = 0.0075
"""Share of the diagonal, as Csurka et al. take it."""


def reach(tolerance: float, shape: tuple[int, int]) -> float:
    """A tolerance in pixels: below 1 it is a share of the image's diagonal, from 1 on it is pixels.

    >>> reach(3, (100, 100)), reach(0.01, (300, 400))
    (3.0, 5.0)
    """
    if not tolerance > 0:
        raise UserError(f"a tolerance must be positive, not {tolerance}", where="metrics", fix="0.0075 or 3 pixels")
    return float(tolerance) if tolerance >= 1 else float(tolerance * np.hypot(*shape))


def boundary_counts(
    target: np.ndarray, prediction: np.ndarray, classes: int, tolerance: float = TOLERANCE, ignore: int = IGNORE
) -> np.ndarray:
    """Outline pixels of each class in one image, and how many meet the other map's.

    A pixel is on its class's outline if one of its four neighbours has another class; neither may be ignored, so that
    the rim of an ignored region and the image's border are no outlines. Two outlines meet where their distance
    (Euclidean, between pixel centres) is within the tolerance.

    Args:
        target: (H, W) integers in [0, classes) or ``ignore``; ``prediction``: (H, W) in [0, classes).
        tolerance: below 1 a share of the image's diagonal (Csurka et al. take 0.0075), from 1 on pixels.

    Returns:
        (classes, 4) int64: predicted outline pixels, those of them near a true one, true outline pixels, those of them
        near a predicted one.

    >>> boundary_counts(np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 1]]), 2, tolerance=1)
    array([[1, 1, 1, 1],
           [1, 1, 1, 1]])
    """
    target, prediction = np.asarray(target), np.asarray(prediction)
    limit = reach(tolerance, (target.shape[0], target.shape[1]))
    known = target != ignore
    said, true = _outlines(prediction, known), _outlines(target, known)
    counts = np.zeros((classes, 4), dtype=np.int64)
    for k in np.union1d(np.unique(said[1]), np.unique(true[1])):
        mine, theirs = said[0][said[1] == k], true[0][true[1] == k]
        counts[k] = (len(mine), _near(mine, theirs, limit), len(theirs), _near(theirs, mine, limit))
    return counts


def boundary_f(counts: np.ndarray) -> np.ndarray:
    """F of outlines: the harmonic mean of precision (predicted ones met) and recall (true ones met).

    Args:
        counts: (..., 4) as of ``boundary_counts``, of one image or summed over images.

    Returns:
        (...,) float64: 0 where only one side has an outline, nan where neither has one.
    """
    predicted, met, true, found = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    zero = np.zeros_like(predicted)
    precision = np.divide(met, predicted, out=zero.copy(), where=predicted > 0)
    recall = np.divide(found, true, out=zero.copy(), where=true > 0)
    both = precision + recall
    score = np.divide(2 * precision * recall, both, out=zero.copy(), where=both > 0)
    return np.where(predicted + true > 0, score, np.nan)


def _outlines(labels: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (M, 2) of outline pixels and their classes (M,)."""
    edge = np.zeros(labels.shape, dtype=bool)
    for first, second in (((slice(1, None),), (slice(None, -1),)), ((..., slice(1, None)), (..., slice(None, -1)))):
        differ = (labels[first] != labels[second]) & known[first] & known[second]
        edge[first] |= differ
        edge[second] |= differ
    return np.argwhere(edge), labels[edge]


def _near(points: np.ndarray, others: np.ndarray, limit: float) -> int:
    if not len(points) or not len(others):
        return 0
    # the bound is exclusive; squared distances of pixels are integers
    bound = np.sqrt(np.floor(limit**2 + 1e-9) + 0.5)
    tree = KDTree(others, leafsize=32, compact_nodes=False, balanced_tree=False)
    distances, _ = tree.query(points, distance_upper_bound=bound)
    return int(np.isfinite(distances).sum())
