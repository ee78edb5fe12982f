"""The split that the files come with."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tricklab.data.image_splits.dealing import deal, largest_remainders
from tricklab.data.mask_list import MaskList
from tricklab.data.mask_spread import spread_classes
from tricklab.data.mask_units import Together, kept_together
from tricklab.data.split import PLACE
from tricklab.errors import UserError
from tricklab.registry import component
from tricklab.seeds import Seeds


@component("mask_split")
class GivenImages:
    """The sides as the layout says, such as its folders ``train``, ``val`` and ``test``; the same in every block.

    Args:
        val: share of the given training images that is drawn for validation where the files have none; 0 takes theirs.
            Classes are on both sides where that can be, as for ``RandomImages``.
        by: what is drawn as a whole: the layout's ``group`` or a ``folder``; null for single images.

    Raises:
        UserError: the layout knows no sides, or knows a validation set and one is to be drawn.
    """

    def __init__(self, val: float = 0.0, by: Together | None = None) -> None:
        if not 0 <= val < 1:
            raise UserError(f"a share must be 0 or more and below 1, not {val}", where=f"{PLACE}.val")
        self.val, self.by = val, by

    def draw(self, images: MaskList, units: np.ndarray, seeds: Seeds) -> np.ndarray:
        """Take the sides as given; see :class:`tricklab.data.division.Splitter`."""
        if images.given is None or not any(images.given):
            raise UserError(
                "the images come without a split",
                where=PLACE,
                fix="write split: {type: RandomImages, train: 0.8, val: 0.2}",
            )
        sides = np.array(images.given, dtype="<U5")
        if not self.val:
            return sides
        if (sides == "val").any():
            raise UserError(
                "there are validation images already", where=f"{PLACE}.val", fix="write val: 0 to take them"
            )
        members = np.flatnonzero(sides == "train")
        joined = kept_together(images, units, self.by)[members]
        share = Fraction(self.val).limit_denominator(10**6)
        wanted = largest_remainders([(1 - share) * len(members), share * len(members)], len(members))
        dealt = deal(joined, np.zeros(len(members), dtype=np.int64), wanted[:, None], seeds.numpy("split"))
        sides[members[dealt == 1]] = "val"
        shown = None if images.shown is None else images.shown[members]
        sides[members] = spread_classes(shown, joined, sides[members], seeds)
        return sides
