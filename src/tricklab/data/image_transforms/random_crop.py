"""Images shifted by a few pixels."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

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
        rows, columns = self._places(shift[:, :1], height), self._places(shift[:, 1:], width)
        number, channel = torch.arange(len(shift)).view(-1, 1, 1, 1), torch.arange(3).view(1, -1, 1, 1)
        found = images_N3HW[number, channel, rows.view(-1, 1, height, 1), columns.view(-1, 1, 1, width)]
        if self.border == "black":
            inside = _inside(shift[:, :1], height).unsqueeze(2) & _inside(shift[:, 1:], width).unsqueeze(1)
            found *= inside.unsqueeze(1)
        return found, torch.from_numpy((shift != 0).any(axis=1))

    def _places(self, shift_N1: np.ndarray, length: int) -> Tensor:
        """Which row or column of the image each one of the result shows, int64 (N, length)."""
        places = torch.arange(length) + torch.from_numpy(shift_N1)
        if self.border == "reflect":
            places = places.abs()
            return torch.minimum(places, 2 * (length - 1) - places)
        return places.clamp(0, length - 1)


def _inside(shift_N1: np.ndarray, length: int) -> Tensor:
    places = torch.arange(length) + torch.from_numpy(shift_N1)
    return (places >= 0) & (places < length)
