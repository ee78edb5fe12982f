"""Facts about the masks of a block that the doctor's rules read."""

from __future__ import annotations

from typing import Any

import numpy as np

from tricklab.data.mask_fold import MaskFold
from tricklab.data.split import SPLITS


def mask_facts(fold: MaskFold) -> dict[str, Any]:
    """Class names, how surely the shares of the classes are known, and what normalisation makes of the images."""
    found: dict[str, Any] = {
        "data/class_names": list(fold.classes),
        "data/class_share_errors": {split: share_errors(fold.targets[split].numpy()) for split in SPLITS},
    }
    used = fold.normalisation
    if used.name != "dataset":
        mean, std, _ = fold.store.moments(fold.members["train"])
        found["data/normalised"] = {
            "mean": ((mean / used.scale - np.array(used.mean)) / np.array(used.std)).tolist(),
            "std": (std / used.scale / np.array(used.std)).tolist(),
        }
    return found


def share_errors(counts_NK: np.ndarray) -> list[float] | None:
    """Standard error of each class's share of the labelled pixels, with the image as the unit.

    A share is a ratio of two sums over images; its error is that of the sum of what each image has more of the class
    than the share would give it (Cochran, Sampling Techniques, 1977, section 6.5).

    Args:
        counts_NK: pixels of each class of each image.

    Returns:
        K numbers; None for fewer than two images.

    >>> share_errors(np.array([[8, 2], [2, 8]])), share_errors(np.array([[5, 5], [5, 5]]))
    ([0.3, 0.3], [0.0, 0.0])
    """
    labelled = counts_NK.sum(axis=1)
    images, pixels = len(labelled), labelled.sum()
    if images < 2 or not pixels:
        return None
    beyond = counts_NK - labelled[:, None] * (counts_NK.sum(axis=0) / pixels)
    variance = (beyond.astype(np.float64) ** 2).sum(axis=0) * images / (images - 1) / float(pixels) ** 2
    found: list[float] = np.sqrt(variance).tolist()
    return found
