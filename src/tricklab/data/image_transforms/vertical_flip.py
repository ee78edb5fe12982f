"""Images mirrored, top and bottom."""

from __future__ import annotations

from tricklab.data.image_transforms.mirror import Mirror
from tricklab.registry import component


@component("image_transform", source="Krizhevsky et al., NIPS 2012, section 4.1")
class VerticalFlip(Mirror):
    """Mirror images: exchange top and bottom.

    Args:
        p: chance of each image.
    """

    axis = -2
