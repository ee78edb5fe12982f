"""What both mirrorings of images share."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from tricklab.data.draws import Draw
from tricklab.data.image_transforms.arguments import check_chance
from tricklab.data.image_transforms.few_at_a_time import replace


class Mirror:
    """Mirror images along an axis: -2 exchanges top and bottom, -1 left and right."""

    stage = "image"
    axis: ClassVar[int]

    def __init__(self, p: float = 0.5) -> None:
        self.p = check_chance(p, f"{type(self).__name__}.p")

    def __call__(self, images_N3HW: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Mirror some images of a batch; see :class:`tricklab.data.image_dataset.ImageTransform`."""
        chosen = draw(1)[:, 0] < self.p
        replace(images_N3HW, chosen, lambda images: images.flip(self.axis))
        return images_N3HW, torch.from_numpy(chosen)
