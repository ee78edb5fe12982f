"""Images mirrored, left and right."""

from __future__ import annotations

from tricklab.data.image_transforms.mirror import Mirror
from tricklab.registry import component


@component("image_transform", source="Krizhevsky et al., NIPS 2012, section 4.1")
class HorizontalFlip(Mirror):
    """Mirror images: exchange left and right.

    Args:
        p: chance of each image.
    """

    axis = -1
