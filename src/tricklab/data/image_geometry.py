"""Bring an image of any size to the size that the network sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

Resize = Literal["squash", "crop", "pad"]
Interpolation = Literal["bilinear", "bicubic"]


def fit_to_size(
    image_3HW: Tensor, size: tuple[int, int], how: Resize = "squash", interpolation: Interpolation = "bilinear"
) -> Tensor:
    """Resize an image, antialiased.

    Args:
        image_3HW: uint8 (3, H, W).
        size: (height, width) wanted.
        how: ``squash`` changes the aspect ratio; ``crop`` fills the frame and cuts the middle out; ``pad`` fits the
            whole image and puts black around it.

    Returns:
        uint8 (3, height, width).

    >>> fit_to_size(torch.zeros(3, 50, 100, dtype=torch.uint8), (20, 20), "crop").shape
    torch.Size([3, 20, 20])
    """
    height, width = size
    if how == "squash":
        return _resized(image_3HW, height, width, interpolation)
    rows, columns = image_3HW.shape[-2:]
    scales = height / rows, width / columns
    scale = max(scales) if how == "crop" else min(scales)
    inner = max(round(rows * scale), 1), max(round(columns * scale), 1)
    resized = _resized(image_3HW, *inner, interpolation)
    return functional.center_crop(resized, [height, width])


def crop_to_size(
    image_3HW: Tensor,
    box: Sequence[float],
    size: tuple[int, int],
    interpolation: Interpolation = "bilinear",
) -> Tensor:
    """Cut (top, left, height, width), in pixels, out of an image and resize it; what lies outside is black."""
    top, left = round(box[0]), round(box[1])
    rows, columns = max(round(box[2]), 1), max(round(box[3]), 1)
    return _resized(functional.crop(image_3HW, top, left, rows, columns), *size, interpolation)


def _resized(image_3HW: Tensor, height: int, width: int, interpolation: Interpolation) -> Tensor:
    if image_3HW.shape[-2:] == (height, width):
        return image_3HW
    mode = InterpolationMode.BILINEAR if interpolation == "bilinear" else InterpolationMode.BICUBIC
    if height == width == 1:
        # torch's kernel for bytes takes a single pixel for another memory layout and stops
        values = functional.resize(image_3HW.float(), [1, 1], interpolation=mode, antialias=True)
        return values.round().clamp(0, 255).to(torch.uint8)
    return functional.resize(image_3HW, [height, width], interpolation=mode, antialias=True)


def as_tensor(image_HW3: object) -> Tensor:
    """uint8 (3, H, W) of an array uint8 (H, W, 3), whose memory it shares: torch resizes interleaved colours faster."""
    return torch.as_tensor(image_HW3).permute(2, 0, 1)
