"""Rectangles that are cut out of images."""

from __future__ import annotations

import numpy as np

from tricklab.data.draws import Draw
from tricklab.data.image_transforms.arguments import between, whole

ATTEMPTS = 10


def fitting_holes(
    draw: Draw, size: tuple[int, int], area: tuple[float, float], ratio: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Rectangles of random area and aspect, as timm and torchvision draw them for random erasing.

    Args:
        draw: numbers of each image.
        size: height and width of the images.
        area: range of the share of the image, drawn evenly.
        ratio: range of height / width, drawn evenly on a logarithmic scale.

    Returns:
        (N, 4) int64 top, left, bottom, right, and bool (N,): whether one of ten attempts was smaller than the image
        both ways; the others are empty.
    """
    height, width = size
    lots = draw(2 * ATTEMPTS).reshape(-1, ATTEMPTS, 2)
    pixels = between(lots[..., 0], *area) * height * width
    aspect = np.exp(between(lots[..., 1], np.log(ratio[0]), np.log(ratio[1])))
    tall = np.rint(np.sqrt(pixels * aspect)).astype(np.int64)
    wide = np.rint(np.sqrt(pixels / aspect)).astype(np.int64)
    fits = (tall < height) & (wide < width)
    first = fits.argmax(axis=1)
    rows = np.arange(len(first))
    sizes = np.stack([tall[rows, first], wide[rows, first]], axis=1) * fits.any(axis=1)[:, None]
    return placed(draw, size, sizes), (sizes > 0).all(axis=1)


def placed(draw: Draw, size: tuple[int, int], sizes_N2: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) top, left, bottom, right of given heights and widths, anywhere inside the image."""
    lots = draw(2)
    corner = whole(lots, np.array(size) - sizes_N2 + 1)
    return np.concatenate([corner, corner + sizes_N2], axis=1)
