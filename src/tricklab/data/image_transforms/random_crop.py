"""Images shifted by a few pixels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from tricklab.data.draws import Draw
from tricklab.data.image_transforms.arguments import whole
from tricklab.errors import UserError
from tricklab.registry import component


@component(
    "image_transform", source="torchvision.transforms.RandomCrop(size, padding); He et al., CVPR 2016, section 4.2"
)
class RandomCrop:
    """Put a border around an image of the network's size and cut that size out again at a random place.

    Args:
        padding: width of the border in pixels (4 for images of 32 × 32 in the paper), smaller than the image.
        border: ``black``, ``reflect`` (without repeating the edge) or ``edge`` (the edge's colour).
    """

    stage = "image"

    def __init__(self, padding: int = 4, border: Literal["black", "reflect", "edge"] = "black") -> None:
        if padding < 1:
            raise UserError(f"must be 1 or more, not {padding}", where="RandomCrop.padding")
        self.padding, self.border = padding, border

    def __call__(self, images_N3HW: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Shift the images of a batch; see :class:`tricklab.data.image_dataset.ImageTransform`."""
        height, width = images_N3HW.shape[-2:]
        if self.padding >= min(height, width):
            raise UserError(
                f"a border of {self.padding} pixels is as wide as the images of {height} × {width}",
                where="RandomCrop.padding",
            )
        shift = whole(draw(2), 2 * self.padding + 1) - self.padding
        bordered = self._bordered(images_N3HW)
        found = torch.empty_like(images_N3HW)
        for image, wide, (down, right) in zip(found, bordered, (shift + self.padding).tolist(), strict=True):
            image.copy_(wide[:, down : down + height, right : right + width])
        return found, torch.from_numpy((shift != 0).any(axis=1))

    def _bordered(self, images_N3HW: Tensor) -> Tensor:
        if self.border == "black":
            return functional.pad(images_N3HW, [self.padding] * 4)
        rows, columns = (self._places(length) for length in images_N3HW.shape[-2:])
        return images_N3HW.index_select(2, rows).index_select(3, columns)

    def _places(self, length: int) -> Tensor:
        """Which row or column of the image each one of the bordered image shows, int64."""
        places = torch.arange(-self.padding, length + self.padding)
        if self.border == "reflect":
            places = places.abs()
            return torch.minimum(places, 2 * (length - 1) - places)
        return places.clamp(0, length - 1)
