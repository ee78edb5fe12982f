"""Images mirrored, top and bottom."""

from __future__ import annotations

import torch
from torch import Tensor

from tricklab.data.draws import Draw
from tricklab.data.image_transforms.arguments import check_chance
from tricklab.registry import component


@component("image_transform", source="Krizhevsky et al., NIPS 2012, section 4.1")
class VerticalFlip:
    """Mirror images: exchange top and bottom.

    Args:
        p: chance of each image.
    """

    stage = "image"

    def __init__(self, p: float = 0.5) -> None:
        self.p = check_chance(p, "VerticalFlip.p")

    def __call__(self, images_N3HW: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Mirror some images of a batch; see :class:`tricklab.data.image_dataset.ImageTransform`."""
        chosen = torch.from_numpy(draw(1)[:, 0] < self.p)
        images_N3HW[chosen] = images_N3HW[chosen].flip(-2)
        return images_N3HW, chosen
