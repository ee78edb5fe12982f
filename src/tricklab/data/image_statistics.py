"""Mean and standard deviation of every channel over all pixels of many images."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from PIL import Image

from tricklab.data.image_reading import read_image
from tricklab.data.image_threads import map_images

_LEVELS = np.arange(256, dtype=np.int64)


@dataclass(frozen=True)
class ChannelStatistics:
    """Statistics of each channel, of values between 0 and 1 (a pixel divided by 255).

    Args:
        mean, std: float64 (3,), over all pixels of all images, each pixel counted once; the population's deviation.
        minimum, maximum: float64 (3,).
        mean_of_image_stds: float64 (3,), the mean over images of each image's own deviation. It leaves out how images
            differ from each other, so (for images of one size) it is too small to normalise with; it is here to be
            compared.
        pixels: how many pixels were counted.
        images: how many images.
    """

    mean: np.ndarray
    std: np.ndarray
    minimum: np.ndarray
    maximum: np.ndarray
    mean_of_image_stds: np.ndarray
    pixels: int
    images: int

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return {key: item.tolist() if isinstance(item, np.ndarray) else item for key, item in vars(self).items()}


@dataclass(frozen=True)
class ImageMoments:
    """Exact sums over the pixels of each image, from which the statistics of any subset follow without a second look.

    Args:
        pixels: int64 (N,).
        sums, squares: int64 (N, 3), sums of the values 0 … 255 and of their squares.
        low, high: uint8 (N, 3), the smallest and largest value.
    """

    pixels: np.ndarray
    sums: np.ndarray
    squares: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, chosen: np.ndarray) -> ImageMoments:
        """The moments of some images, by their numbers or by a mask (N,)."""
        return ImageMoments(**{key: item[chosen] for key, item in vars(self).items()})

    def put(self, number: int, moments: ImageMoments) -> None:
        """Write the moments of one image, a list of length 1, into a row."""
        for key, item in vars(moments).items():
            getattr(self, key)[number] = item[0]

    def pooled(self) -> ChannelStatistics:
        """The statistics of all these images together.

        Sums are whole numbers, so nothing is lost to cancellation: mean and variance are exact before the last rounding
        to float64.
        """
        assert len(self), "no image"
        pixels = sum(self.pixels.tolist())
        means, stds = [], []
        for total, square in zip(_exact(self.sums), _exact(self.squares), strict=True):
            means.append(float(Fraction(total, pixels * 255)))
            stds.append(float(Fraction(square * pixels - total * total, (pixels * 255) ** 2)) ** 0.5)
        own_means = self.sums / self.pixels[:, None]
        own_variances = np.maximum(self.squares / self.pixels[:, None] - own_means**2, 0)
        return ChannelStatistics(
            mean=np.array(means),
            std=np.array(stds),
            minimum=self.low.min(axis=0) / 255,
            maximum=self.high.max(axis=0) / 255,
            mean_of_image_stds=np.sqrt(own_variances).mean(axis=0) / 255,
            pixels=pixels,
            images=len(self),
        )


def moments_of(image_HWC: np.ndarray) -> ImageMoments:
    """The moments of one image, uint8 (height, width, 3), as a list of length 1."""
    assert image_HWC.dtype == np.uint8
    # Pillow counts the bytes of all channels in one pass, twice as fast as NumPy one by one
    histogram = np.array(Image.fromarray(image_HWC).histogram(), dtype=np.int64).reshape(3, 256)
    present = histogram > 0
    return ImageMoments(
        pixels=np.array([image_HWC.shape[0] * image_HWC.shape[1]], dtype=np.int64),
        sums=(histogram @ _LEVELS)[None],
        squares=(histogram @ _LEVELS**2)[None],
        low=present.argmax(axis=1).astype(np.uint8)[None],
        high=(255 - present[:, ::-1].argmax(axis=1)).astype(np.uint8)[None],
    )


def no_moments(count: int) -> ImageMoments:
    """Rows of zeros, to be filled in."""
    sums = np.zeros((count, 3), dtype=np.int64)
    low = np.zeros((count, 3), dtype=np.uint8)
    return ImageMoments(np.zeros(count, dtype=np.int64), sums, sums.copy(), low, low.copy())


def join_moments(parts: Sequence[ImageMoments]) -> ImageMoments:
    """The moments of many images in one object, in their order."""
    return ImageMoments(**{key: np.concatenate([getattr(part, key) for part in parts]) for key in vars(parts[0])})


def pooled_statistics(
    images: Sequence[str | os.PathLike[str] | np.ndarray],
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ChannelStatistics:
    """Mean, deviation and range of every channel over all pixels of all images, one image per thread in memory.

    Large images weigh more than small ones, since every pixel counts once; equal to NumPy's ``mean`` and ``std`` over
    the concatenated pixels.

    Args:
        images: files, or uint8 arrays (height, width, 3), RGB. Give training images only.
        threads: how many decode at once; null takes one per processor, at most 8.
        progress: called with (images done, images in all).

    Raises:
        UserError: a file cannot be read as an image; names it.

    >>> grey = np.zeros((2, 2, 3), np.uint8)
    >>> pooled_statistics([grey, grey + 255]).std.tolist()
    [0.5, 0.5, 0.5]
    """
    if not len(images):
        raise ValueError("no images")

    def one(number: int) -> ImageMoments:
        item = images[number]
        return moments_of(item if isinstance(item, np.ndarray) else read_image(item))

    return join_moments(map_images(one, len(images), threads=threads, progress=progress)).pooled()


def _exact(values: np.ndarray) -> list[int]:
    """Column sums as Python integers; int64 could overflow for squares of very many pixels."""
    high, low = values >> 31, values & ((1 << 31) - 1)
    return [(int(a) << 31) + int(b) for a, b in zip(high.sum(axis=0), low.sum(axis=0), strict=True)]
