"""How far scores of all pixels would move with other images: the image is the unit, not the pixel."""

from __future__ import annotations

import numpy as np

from tricklab.metrics.segmentation.regions import row_means


def image_standard_errors(hits: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Standard errors of ``miou``, ``mdice``, ``macc`` and ``aacc`` over images, by leaving out one after the other.

    The jackknife of Quenouille and Tukey: for N images sqrt((N - 1) / N · Σ (score without image i - their mean)²).
    Pixels of one image are alike, so that an error from the number of pixels would be far too small; images of one
    video are alike too, and then this one is.

    Args:
        hits: right pixels of each image and class (N, K); ``truth`` and ``predicted``: true and predicted ones.

    Returns:
        nan for fewer than two images that have labelled pixels.

    >>> alike = np.full((4, 2), 8)
    >>> image_standard_errors(alike, alike + 2, alike + 2)["miou"]
    0.0
    """
    known = np.asarray(truth).sum(axis=1) > 0
    hits, truth, predicted = (np.asarray(part, dtype=np.int64)[known] for part in (hits, truth, predicted))
    # what all images but one have of each class
    hits, truth, predicted = (part.sum(axis=0) - part for part in (hits, truth, predicted))
    without = {
        "miou": row_means(hits, truth + predicted - hits),
        "mdice": row_means(2 * hits, truth + predicted),
        "macc": row_means(hits, truth),
        "aacc": row_means(hits.sum(axis=1, keepdims=True), truth.sum(axis=1, keepdims=True)),
    }
    return {name: _jackknife(scores) for name, scores in without.items()}


def _jackknife(scores: np.ndarray) -> float:
    count = len(scores)
    return float(np.sqrt((count - 1) * scores.var())) if count > 1 else float("nan")
