"""Images and masks turned by quarters."""

from __future__ import annotations

import numpy as np

from tricklab.data.image_transforms.arguments import check_chance, whole
from tricklab.data.mask_transforms import PairDraw
from tricklab.registry import component


@component("pair_transform", source="albumentations RandomRotate90")
class Rotate90:
    """Turn image and mask by one, two or three quarters, each as likely; height and width may change places.

    Args:
        p: chance of each image; 0.75 makes the four positions alike.
    """

    stage = "pair"

    def __init__(self, p: float = 0.75) -> None:
        self.p = check_chance(p, "Rotate90.p")

    def __call__(
        self, image_HWC: np.ndarray, mask_HW: np.ndarray, draw: PairDraw
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Turn one pair or not; see :class:`tricklab.data.mask_transforms.PairTransform`."""
        lots = draw(2)
        if lots[0] >= self.p:
            return image_HWC, mask_HW, False
        quarters = 1 + int(whole(lots[1:], 3)[0])
        return np.rot90(image_HWC, quarters), np.rot90(mask_HW, quarters), True
