"""A random part of the original at the network's size."""

from __future__ import annotations

import numpy as np

from tricklab.data.draws import Draw
from tricklab.data.image_transforms.arguments import between, check_range, whole
from tricklab.registry import component

_ATTEMPTS = 10


@component("image_transform", source="Szegedy et al., CVPR 2015, section 6; torchvision.transforms.RandomResizedCrop")
class RandomResizedCrop:
    """Cut a part of random area and aspect out of the original and bring it to the network's size.

    Ten attempts at a part that fits into the original; after them the largest part from the middle whose aspect is
    allowed, as torchvision.

    Args:
        scale: range of the part's share of the original's area, drawn evenly.
        ratio: range of its width / height, drawn evenly on a logarithmic scale.
    """

    stage = "geometry"

    def __init__(self, scale: tuple[float, float] = (0.08, 1.0), ratio: tuple[float, float] = (3 / 4, 4 / 3)) -> None:
        self.scale = check_range(scale, 0, 1, "RandomResizedCrop.scale")
        self.ratio = check_range(ratio, 0, np.inf, "RandomResizedCrop.ratio")

    def boxes(self, sizes_N2: np.ndarray, draw: Draw) -> np.ndarray:
        """float64 (N, 4) top, left, height, width; see :class:`tricklab.data.image_dataset.GeometryTransform`."""
        rows, columns = sizes_N2[:, :1], sizes_N2[:, 1:]
        lots = draw(2 * _ATTEMPTS + 2)
        area = rows * columns * between(lots[:, :_ATTEMPTS], *self.scale)
        ratio = np.exp(between(lots[:, _ATTEMPTS:-2], *np.log(self.ratio)))
        width, height = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))
        fits = (width > 0) & (height > 0) & (width <= columns) & (height <= rows)
        first = np.where(fits.any(axis=1), fits.argmax(axis=1), 0)
        chosen = np.arange(len(first)), first
        parts = np.stack([height[chosen], width[chosen]], axis=1)
        corners = whole(lots[:, -2:], np.maximum(sizes_N2 - parts.astype(np.int64) + 1, 1))
        found = np.concatenate([corners, parts], axis=1)
        return np.where(fits.any(axis=1)[:, None], found, self._middle(sizes_N2))

    def _middle(self, sizes_N2: np.ndarray) -> np.ndarray:
        height, width = sizes_N2.astype(np.float64).T
        narrow, broad = width / height < self.ratio[0], width / height > self.ratio[1]
        tall = np.where(narrow, np.rint(width / self.ratio[0]), height)
        wide = np.where(broad, np.rint(height * self.ratio[1]), width)
        return np.stack([(height - tall) // 2, (width - wide) // 2, tall, wide], axis=1)
