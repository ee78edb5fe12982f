"""What both mirrorings of images and masks share."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from tricklab.data.image_transforms.arguments import check_chance
from tricklab.data.mask_transforms import PairDraw


class Mirror:
    """Mirror image and mask along an axis: 0 exchanges top and bottom, 1 left and right."""

    stage = "pair"
    axis: ClassVar[int]

    def __init__(self, p: float = 0.5) -> None:
        self.p = check_chance(p, f"{type(self).__name__}.p")

    def __call__(
        self, image_HWC: np.ndarray, mask_HW: np.ndarray, draw: PairDraw
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Mirror one pair or not; see :class:`tricklab.data.mask_transforms.PairTransform`."""
        if draw(1)[0] >= self.p:
            return image_HWC, mask_HW, False
        return np.flip(image_HWC, self.axis), np.flip(mask_HW, self.axis), True
