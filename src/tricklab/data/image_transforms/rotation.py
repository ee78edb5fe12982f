"""Images turned by any angle."""

from __future__ import annotations

import torch
from torch import Tensor

from tricklab.data.draws import Draw
from tricklab.data.image_transforms.arguments import between, check_chance, check_colour
from tricklab.data.image_transforms.few_at_a_time import replace
from tricklab.data.image_transforms.warping import rotations, warp
from tricklab.errors import UserError
from tricklab.registry import component


@component("image_transform", source="torchvision.transforms.RandomRotation")
class Rotation:
    """Turn images about their centre by an angle drawn evenly from -degrees to degrees; bilinear.

    Args:
        degrees: largest angle, above 0 and up to 180.
        p: chance of each image.
        fill: colour of what was outside the image.
    """

    stage = "image"

    def __init__(self, degrees: float = 15.0, p: float = 1.0, fill: tuple[int, int, int] = (0, 0, 0)) -> None:
        if not 0 < degrees <= 180:
            raise UserError(f"must be above 0 and at most 180, not {degrees}", where="Rotation.degrees")
        self.degrees = float(degrees)
        self.p = check_chance(p, "Rotation.p")
        self.fill = check_colour(fill, "Rotation.fill")

    def __call__(self, images_N3HW: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Turn some images of a batch; see :class:`tricklab.data.image_dataset.ImageTransform`."""
        lots = draw(2)
        chosen = lots[:, 0] < self.p
        angles = between(lots[:, 1], -self.degrees, self.degrees)
        replace(images_N3HW, chosen, self._turned, angles)
        return images_N3HW, torch.from_numpy(chosen)

    def _turned(self, images_N3HW: Tensor, degrees_N: Tensor) -> Tensor:
        return warp(images_N3HW, rotations(degrees_N, *images_N3HW.shape[-2:]), self.fill)
