"""Images and masks turned by quarters."""

from __future__ import annotations

from tricklab.data.image_transforms.arguments import check_chance, whole
from tricklab.data.mask_transforms import PairDraw
from tricklab.data.pair_view import PairMove, PairView
from tricklab.registry import component


@component("pair_transform", source="albumentations RandomRotate90")
class Rotate90(PairMove):
    """Turn image and mask by one, two or three quarters, each as likely; height and width may change places.

    Args:
        p: chance of each image; 0.75 makes the four positions alike.
    """

    def __init__(self, p: float = 0.75) -> None:
        self.p = check_chance(p, "Rotate90.p")

    def move(self, pair: PairView, draw: PairDraw) -> tuple[PairView, bool]:
        """Turn one pair or not."""
        lots = draw(2)
        if lots[0] >= self.p:
            return pair, False
        return pair.rotated(1 + int(whole(lots[1:], 3)[0])), True
