"""The outcome of a split of images: a name for each, checked for leaks and starved classes."""

from __future__ import annotations

import numpy as np

from tricklab.data.division import refuse_idle, refuse_leaks
from tricklab.data.image_list import ImageList
from tricklab.data.split import PLACE
from tricklab.errors import UserError

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}


def check_sides(images: ImageList, units: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Refuse a split that leaks, evaluates nothing, or lacks a class on a side that it uses.

    Args:
        units: int64 (N,).
        sides: a name for each image, (N,).

    Returns:
        ``sides``.

    Raises:
        UserError: one picture on two sides (names the files), no training image, nothing to evaluate, a class without
            an image on a side (names both).
    """
    refuse_leaks(images.key, units, sides)
    for name in refuse_idle(sides):
        missing = np.flatnonzero(images.counts(sides == name) == 0)
        if len(missing):
            names = ", ".join(images.classes[number] for number in missing[:8])
            raise UserError(
                f"no {name} image of {names}{', …' if len(missing) > 8 else ''}",
                where=PLACE,
                fix="give that side more images, or leave the class out",
            )
    return sides
