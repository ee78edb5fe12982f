"""Images and masks mirrored, left and right."""

from __future__ import annotations

from tricklab.data.pair_transforms.mirror import Mirror
from tricklab.registry import component


@component("pair_transform", source="MMCV RandomFlip with direction 'horizontal'")
class HorizontalFlip(Mirror):
    """Mirror image and mask: exchange left and right.

    Args:
        p: chance of each image.
    """

    axis = 1
