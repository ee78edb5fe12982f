"""The outcome of a split of images with masks, checked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tricklab.data.division import refuse_idle, refuse_leaks
from tricklab.data.duplicates import join_units
from tricklab.data.mask_list import MaskList
from tricklab.data.split import PLACE, SPLITS
from tricklab.errors import UserError

_SHOWN = 3


def units_of(pictures: Sequence[str]) -> np.ndarray:
    """Numbers of units, int64 (N,), by first appearance: images with the same pixels are one, whatever their masks.

    >>> units_of(["b", "a", "b"]).tolist()
    [0, 1, 0]
    """
    none = np.zeros(0, dtype=np.int64)
    return join_units(np.array(pictures), len(pictures), none, none)


def check_division(
    images: MaskList, classes: Sequence[str], counts_NK: np.ndarray, units: np.ndarray, sides: np.ndarray
) -> None:
    """Refuse a split that leaks, evaluates nothing or starves a class in training.

    Args:
        images: what was divided.
        classes: names.
        counts_NK: int64, pixels of each class in each image.
        units: int64 (N,).
        sides: a name for each image, (N,).

    Raises:
        UserError: one picture on two sides (names both), no training image, nothing to evaluate, a class without a
            training pixel.
    """
    refuse_leaks(images.keys.__getitem__, units, sides)
    refuse_idle(sides)
    missing = np.flatnonzero(counts_NK[sides == "train"].sum(axis=0) == 0)
    if len(missing):
        names = ", ".join(classes[number] for number in missing[:_SHOWN])
        raise UserError(
            f"no training pixel of {names}{', …' if len(missing) > _SHOWN else ''}",
            where=PLACE,
            fix="give train more images, or add the label values to data.ignore",
        )


def side_counts(counts_NK: np.ndarray, sides: np.ndarray) -> dict[str, list[int]]:
    """Pixels of each class on each side."""
    return {name: counts_NK[sides == name].sum(axis=0).tolist() for name in SPLITS}
