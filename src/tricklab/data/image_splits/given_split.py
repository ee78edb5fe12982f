"""The split that the files come with."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tricklab.data.division import refuse_leaks
from tricklab.data.image_list import ImageList
from tricklab.data.image_split import check_sides
from tricklab.data.image_splits.dealing import deal, quotas
from tricklab.data.split import PLACE
from tricklab.errors import UserError
from tricklab.registry import component
from tricklab.seeds import Seeds


@component("image_split")
class GivenSplit:
    """The split of ``train/``, ``val/``, ``test/`` folders or of a table's column; the same in every block.

    A picture that lies on two sides is refused.

    Args:
        val: share of the given training images that is drawn for validation, class by class, where the files have none;
            0 takes theirs.

    Raises:
        UserError: the layout knows no split, there are no validation images, or a picture lies on two sides.
    """

    def __init__(self, val: float = 0.0) -> None:
        if not 0 <= val < 1:
            raise UserError(f"a share must be 0 or more and below 1, not {val}", where=f"{PLACE}.val")
        self.val = val

    def draw(self, images: ImageList, units: np.ndarray, seeds: Seeds) -> np.ndarray:
        """Take the sides as given."""
        if images.given is None:
            raise UserError(
                "the images come without a split",
                where=PLACE,
                fix="write split: {type: Stratified}, or images: {type: SplitFolders}",
            )
        sides = np.array(images.given, dtype="<U5")
        has_val = bool((sides == "val").any())
        if has_val and self.val:
            raise UserError(
                "there are validation images already", where=f"{PLACE}.val", fix="write val: 0 to take them"
            )
        if not has_val:
            if not self.val:
                raise UserError(
                    "there are no validation images",
                    where=images.name,
                    fix="write split: {type: GivenSplit, val: 0.2} to draw them from the training images",
                )
            refuse_leaks(images.key, units, sides)
            self._draw_val(images, units, sides, seeds)
        return check_sides(images, units, sides)

    def _draw_val(self, images: ImageList, units: np.ndarray, sides: np.ndarray, seeds: Seeds) -> None:
        train = np.flatnonzero(sides == "train")
        chosen = images.take(train)
        share = Fraction(self.val).limit_denominator(10**6)
        wanted = quotas(chosen.counts(), [1 - share, share], chosen.classes, ("train", "val"))
        dealt = deal(units[train], chosen.labels, wanted, seeds.numpy("split"))
        sides[train[dealt == 1]] = "val"
