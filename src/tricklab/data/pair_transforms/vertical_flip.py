"""Images and masks mirrored, top and bottom."""

from __future__ import annotations

import numpy as np

from tricklab.data.image_transforms.arguments import check_chance
from tricklab.data.mask_transforms import PairDraw
from tricklab.registry import component


@component("pair_transform", source="MMCV RandomFlip with direction 'vertical'")
class VerticalFlip:
    """Mirror image and mask: exchange top and bottom.

    Args:
        p: chance of each image.
    """

    stage = "pair"

    def __init__(self, p: float = 0.5) -> None:
        self.p = check_chance(p, "VerticalFlip.p")

    def __call__(
        self, image_HWC: np.ndarray, mask_HW: np.ndarray, draw: PairDraw
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Mirror one pair or not; see :class:`tricklab.data.mask_transforms.PairTransform`."""
        if draw(1)[0] >= self.p:
            return image_HWC, mask_HW, False
        return image_HWC[::-1], mask_HW[::-1], True
