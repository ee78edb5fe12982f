"""Affine maps of batches of images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tricklab.data.image_transforms import kernels


def warp(images_N3HW: Tensor, matrices_N23: Tensor, fill: Sequence[int]) -> Tensor:
    """Move pixels by affine maps, bilinear, each image by its own.

    Args:
        images_N3HW: uint8 (N, 3, H, W).
        matrices_N23: float64 (N, 2, 3), from places (x, y, 1) of the result to places (x, y) of the image, in pixels;
            the centre of the first pixel is (0.5, 0.5), as in Pillow's ``Image.transform``.
        fill: colour of places outside the image.

    Returns:
        uint8 (N, 3, H, W), rounded. Places less than half a pixel inside the edge take the edge's value, as in Pillow.
    """
    found = torch.empty(images_N3HW.shape, dtype=torch.uint8)
    colour = np.asarray(fill, dtype=np.uint8)
    kernels.warp(
        images_N3HW.contiguous().numpy(), matrices_N23.to(torch.float64).contiguous().numpy(), colour, found.numpy()
    )
    return found


def rotations(degrees_N: Tensor, height: int, width: int) -> Tensor:
    """Maps (N, 2, 3) that turn images counterclockwise about their centre."""
    angle = torch.deg2rad(degrees_N.to(torch.float64))
    cosine, sine = angle.cos(), angle.sin()
    across, down = width / 2, height / 2
    first = torch.stack([cosine, -sine, across - cosine * across + sine * down], dim=1)
    second = torch.stack([sine, cosine, down - sine * across - cosine * down], dim=1)
    return torch.stack([first, second], dim=1)


def shears(x_N: Tensor, y_N: Tensor) -> Tensor:
    """Maps (N, 2, 3) that read (x + x_N y, y + y_N x): the image's first corner stays."""
    maps = torch.eye(2, 3, dtype=torch.float64).repeat(len(x_N), 1, 1)
    maps[:, 0, 1], maps[:, 1, 0] = x_N.to(torch.float64), y_N.to(torch.float64)
    return maps


def translations(x_N: Tensor, y_N: Tensor) -> Tensor:
    """Maps (N, 2, 3) that read (x + x_N, y + y_N), in pixels: the image moves left and up."""
    maps = torch.eye(2, 3, dtype=torch.float64).repeat(len(x_N), 1, 1)
    maps[:, 0, 2], maps[:, 1, 2] = x_N.to(torch.float64), y_N.to(torch.float64)
    return maps
