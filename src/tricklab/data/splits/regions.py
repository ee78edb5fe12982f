"""Cutting a scene into the parts that each split may read."""

from __future__ import annotations

import numpy as np


def nearest_owner(owner_HW: np.ndarray) -> np.ndarray:
    """Every pixel goes to the split of its nearest labelled pixel (Euclidean).

    Args:
        owner_HW: int8 (height, width), the number of the split of each labelled pixel, negative elsewhere; at least one
            pixel is labelled.

    Returns:
        int8 (height, width) without negative values; labelled pixels keep their owner.
    """
    from scipy.ndimage import distance_transform_edt

    rows, columns = distance_transform_edt(owner_HW < 0, return_distances=False, return_indices=True)
    return owner_HW[rows, columns]
