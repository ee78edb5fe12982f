"""What both mirrorings of images and masks share."""

from __future__ import annotations

from typing import ClassVar

from tricklab.data.image_transforms.arguments import check_chance
from tricklab.data.mask_transforms import PairDraw
from tricklab.data.pair_view import PairMove, PairView


class Mirror(PairMove):
    """Mirror image and mask along an axis: 0 exchanges top and bottom, 1 left and right."""

    axis: ClassVar[int]

    def __init__(self, p: float = 0.5) -> None:
        self.p = check_chance(p, f"{type(self).__name__}.p")

    def move(self, pair: PairView, draw: PairDraw) -> tuple[PairView, bool]:
        """Mirror one pair or not."""
        if draw(1)[0] >= self.p:
            return pair, False
        return pair.mirrored(self.axis), True
