"""Random images, each class by itself."""

from __future__ import annotations

import numpy as np

from tricklab.data.image_list import ImageList
from tricklab.data.image_split import check_sides
from tricklab.data.image_splits.dealing import deal, exact_shares, quotas
from tricklab.registry import component
from tricklab.seeds import Seeds

SIDES = ("train", "val", "test", "")


@component("image_split", source="scikit-learn train_test_split(stratify=…), rounded class by class")
class Stratified:
    """Random images, the same share of every class on every side; copies of a picture stay together.

    Each class is rounded by largest remainders, so a side holds floor or ceil of share × images of a class, and at
    least one. (scikit-learn rounds the whole first and lets classes give way.) Only where copies of one picture leave
    no other way may a side be off by some of them.

    Args:
        train, val, test: shares of the images.
        unused: share that is left out, to see what less data does; all four add up to 1.

    Raises:
        UserError: shares that do not add up to 1, a class with too few images to be divided.
    """

    def __init__(self, train: float = 0.7, val: float = 0.3, test: float = 0.0, unused: float = 0.0) -> None:
        self.shares = list(exact_shares(train=train, val=val, test=test, unused=unused).values())

    def draw(self, images: ImageList, units: np.ndarray, seeds: Seeds) -> np.ndarray:
        """Draw the sides for one block."""
        wanted = quotas(images.counts(), self.shares, images.classes, ("train", "val", "test", "unused"))
        dealt = deal(units, images.labels, wanted, seeds.numpy("split"))
        return check_sides(images, units, np.array(SIDES)[dealt])
