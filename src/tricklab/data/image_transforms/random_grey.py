"""Images without colour."""

from __future__ import annotations

import torch
from torch import Tensor

from tricklab.data.draws import Draw
from tricklab.data.image_transforms.arguments import check_chance
from tricklab.data.image_transforms.colours import grey
from tricklab.data.image_transforms.few_at_a_time import replace
from tricklab.registry import component


@component("image_transform", source="torchvision.transforms.RandomGrayscale; Chen et al., ICML 2020 (SimCLR)")
class RandomGrey:
    """Take the colour from images: all three channels become the grey value (Pillow's mode L).

    Args:
        p: chance of each image.
    """

    stage = "image"

    def __init__(self, p: float = 0.1) -> None:
        self.p = check_chance(p, "RandomGrey.p")

    def __call__(self, images_N3HW: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Grey some images of a batch; see :class:`tricklab.data.image_dataset.ImageTransform`."""
        chosen = draw(1)[:, 0] < self.p
        replace(images_N3HW, chosen, grey)
        return images_N3HW, torch.from_numpy(chosen)
