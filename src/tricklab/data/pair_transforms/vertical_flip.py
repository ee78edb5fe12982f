"""Images and masks mirrored, top and bottom."""

from __future__ import annotations

from tricklab.data.pair_transforms.mirror import Mirror
from tricklab.registry import component


@component("pair_transform", source="MMCV RandomFlip with direction 'vertical'")
class VerticalFlip(Mirror):
    """Mirror image and mask: exchange top and bottom.

    Args:
        p: chance of each image.
    """

    axis = 0
