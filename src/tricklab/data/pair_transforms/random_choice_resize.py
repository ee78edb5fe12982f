"""Images at one of several sizes."""

from __future__ import annotations

import numpy as np

from tricklab.data.image_transforms.arguments import whole
from tricklab.data.mask_transforms import PairDraw
from tricklab.data.pair_transforms.resizing import check_scale, resized
from tricklab.errors import UserError
from tricklab.registry import component


@component("pair_transform", source="MMCV RandomChoiceResize with type Resize; MMDetection 2 multiscale_mode='value'")
class RandomChoiceResize:
    """Resize image and mask to one of several sizes, each as likely as the others.

    Any number of scales, with and without ``keep_ratio``, which means what it does in ``RandomResize``.

    Args:
        scales: at least two different **[width, height]**, as in OpenMMLab.
        keep_ratio: keep the image's shape; a scale is then an upper bound of both sides.
    """

    stage = "pair"

    def __init__(self, scales: list[tuple[int, int]], keep_ratio: bool = False) -> None:
        self.scales = [check_scale(one, f"RandomChoiceResize.scales.{place}") for place, one in enumerate(scales)]
        if len(set(self.scales)) < 2:
            raise UserError(
                "there is nothing to choose from", where="RandomChoiceResize.scales", fix="two sizes, or data.resize"
            )
        self.keep_ratio = keep_ratio

    def __call__(
        self, image_HWC: np.ndarray, mask_HW: np.ndarray, draw: PairDraw
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Resize one pair; see :class:`tricklab.data.mask_transforms.PairTransform`."""
        scale = self.scales[int(whole(draw(1), len(self.scales))[0])]
        return resized(image_HWC, mask_HW, scale, keep_ratio=self.keep_ratio)
