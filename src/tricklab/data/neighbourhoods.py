"""Sums and maxima over square neighbourhoods by integral images, and distances in Chebyshev's sense."""

from __future__ import annotations

import numpy as np


def box_sum(values_HW: np.ndarray, reach: int) -> np.ndarray:
    """Sum over the square of side ``2 · reach + 1`` around every pixel, int64; outside the scene counts as zero."""
    height, width = values_HW.shape
    integral = np.zeros((height + 1, width + 1), dtype=np.int64)
    np.cumsum(np.cumsum(values_HW, axis=0, dtype=np.int64), axis=1, out=integral[1:, 1:])
    top, bottom = _ends(height, reach)
    left, right = _ends(width, reach)
    below = integral[bottom]
    above = integral[top]
    return below[:, right] - above[:, right] - below[:, left] + above[:, left]


def dilate(mask_HW: np.ndarray, reach: int) -> np.ndarray:
    """Pixels within Chebyshev distance ``reach`` of a true pixel, bool."""
    return box_sum(mask_HW, reach) > 0


def chebyshev_distance(mask_HW: np.ndarray) -> np.ndarray:
    """Chebyshev distance in pixels of every pixel to the nearest true one, int32; the mask must not be empty."""
    from scipy.ndimage import distance_transform_cdt

    return distance_transform_cdt(~mask_HW, metric="chessboard")


def _ends(length: int, reach: int) -> tuple[np.ndarray, np.ndarray]:
    places = np.arange(length)
    return np.maximum(places - reach, 0), np.minimum(places + reach + 1, length)
