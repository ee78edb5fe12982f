"""Random groups of images."""

from __future__ import annotations

import numpy as np

from tricklab.data.duplicates import join_units
from tricklab.data.image_list import ImageList
from tricklab.data.image_split import check_sides
from tricklab.data.image_splits.dealing import deal, exact_shares, quotas
from tricklab.data.image_splits.stratified import SIDES
from tricklab.data.split import PLACE
from tricklab.errors import UserError
from tricklab.registry import component
from tricklab.seeds import Seeds


@component("image_split", source="scikit-learn StratifiedGroupKFold, as a random split")
class GroupedImages:
    """Random groups: all images of a plant, a patient, a place stay on one side, and so do copies of a picture.

    Sides come as near to their share of every class as whole groups allow: the best of several draws is taken.

    Args:
        train, val, test: shares of the images.
        unused: share that is left out; all four add up to 1.

    Raises:
        UserError: the layout knows no groups, or a class has too few of them for every side to get one.
    """

    def __init__(self, train: float = 0.7, val: float = 0.3, test: float = 0.0, unused: float = 0.0) -> None:
        self.shares = list(exact_shares(train=train, val=val, test=test, unused=unused).values())

    def draw(self, images: ImageList, units: np.ndarray, seeds: Seeds) -> np.ndarray:
        """Draw the sides for one block."""
        joined = with_groups(images, units)
        sides = [name for name, share in zip(("train", "val", "test", "unused"), self.shares, strict=True) if share]
        refuse_few_units(images, joined, len(sides), f"{', '.join(sides)} need one each")
        wanted = quotas(images.counts(), self.shares, images.classes, ("train", "val", "test", "unused"))
        dealt = deal(joined, images.labels, wanted, seeds.numpy("split"))
        return check_sides(images, joined, np.array(SIDES)[dealt])


def with_groups(images: ImageList, units: np.ndarray) -> np.ndarray:
    """Units that hold whole groups; two groups that share a picture become one.

    Raises:
        UserError: the layout knows no groups.
    """
    if images.groups is None:
        raise UserError(
            "the images have no groups",
            where=PLACE,
            fix="write images: {type: CsvImages, file: …, group: COLUMN}",
        )
    _, first, group = np.unique(np.array(images.groups), return_index=True, return_inverse=True)
    return join_units(units, len(images), np.arange(len(images)), first[group])


def refuse_few_units(images: ImageList, units: np.ndarray, needed: int, why: str) -> None:
    """Refuse classes whose images lie in fewer units than ``needed``.

    Raises:
        UserError: names the class with the fewest.
    """
    pairs = np.unique(np.stack([images.labels, units]), axis=1)
    counts = np.bincount(pairs[0], minlength=len(images.classes))
    if counts.min() < needed:
        number = int(counts.argmin())
        raise UserError(
            f"the class {images.classes[number]} has {images.counts()[number]:,} images in {counts[number]} "
            f"independent group{'s' if counts[number] != 1 else ''}: {why}",
            where=PLACE,
            fix="leave the class out, or divide into fewer parts",
        )
