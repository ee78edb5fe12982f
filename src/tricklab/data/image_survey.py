"""One look at every image: what is unreadable, how large it is, what it resembles, its sums for the statistics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from tricklab.data.image_list import ImageList
from tricklab.data.image_statistics import ImageMoments, moments_of, no_moments
from tricklab.data.image_threads import map_images
from tricklab.errors import UserError

THUMBNAIL = 32
_BITS = np.uint64(1) << np.arange(64, dtype=np.uint64)


@dataclass(frozen=True)
class Survey:
    """What one pass over the images found, in their order; rows of unreadable images are zero.

    Args:
        sizes: int64 (N, 2), height and width.
        thumbnails: uint8 (N, 32, 32), the image in grey, squashed with an antialiasing triangle filter.
        hashes: uint64 (N,), the 64-bit difference hash: is a pixel of the 9 × 8 grey image brighter than its left
            neighbour?
        moments: of the pixels; see :class:`ImageMoments`.
        unreadable: {number: why}.
    """

    sizes: np.ndarray
    thumbnails: np.ndarray
    hashes: np.ndarray
    moments: ImageMoments
    unreadable: dict[int, str]

    @property
    def readable(self) -> np.ndarray:
        """bool (N,)."""
        found = np.ones(len(self.sizes), dtype=bool)
        found[list(self.unreadable)] = False
        return found

    def take(self, chosen: np.ndarray) -> Survey:
        """The survey of some of the images, by their numbers or by a mask (N,), as :meth:`ImageList.take` does."""
        numbers = np.arange(len(self.sizes))[chosen].tolist()
        return Survey(
            self.sizes[numbers],
            self.thumbnails[numbers],
            self.hashes[numbers],
            self.moments.take(np.array(numbers, dtype=np.int64)),
            {new: self.unreadable[old] for new, old in enumerate(numbers) if old in self.unreadable},
        )


def survey_images(
    images: ImageList,
    *,
    unreadable: Literal["error", "skip"] = "error",
    also: Callable[[int, np.ndarray], None] | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Survey:
    """Decode every image once.

    Args:
        unreadable: ``error`` raises once every image was tried and names them all, up to a few; ``skip`` lists them.
        also: called with (number, pixels) of each readable image, in some thread: to keep it, resized or whole.
        threads: how many decode at once; null takes one per processor, at most 8.
        progress: called with (images done, images in all).

    Raises:
        UserError: unreadable images, with ``error``.
    """

    count = len(images)
    survey = Survey(
        sizes=np.zeros((count, 2), dtype=np.int64),
        thumbnails=np.zeros((count, THUMBNAIL, THUMBNAIL), dtype=np.uint8),
        hashes=np.zeros(count, dtype=np.uint64),
        moments=no_moments(count),
        unreadable={},
    )

    # rows are filled in where they stay: a million small arrays would take several times their numbers' memory
    def one(number: int) -> str | None:
        try:
            pixels = images.read(number)
        except UserError as error:
            return str(error)
        if also is not None:
            also(number, pixels)
        survey.thumbnails[number], survey.hashes[number] = thumbnail_and_hash(pixels)
        survey.sizes[number] = pixels.shape[:2]
        survey.moments.put(number, moments_of(pixels))
        return None

    found = map_images(one, count, threads=threads, progress=progress)
    survey.unreadable.update({number: why for number, why in enumerate(found) if why is not None})
    if survey.unreadable and unreadable == "error":
        told = list(survey.unreadable.values())
        raise UserError(
            f"{len(told):,} of {count:,} images cannot be read: {'; '.join(told[:5])}{' …' if len(told) > 5 else ''}",
            where=images.name,
            fix="mend or remove them, or write unreadable: skip",
        )
    return survey


def thumbnail_and_hash(pixels_HWC: np.ndarray) -> tuple[np.ndarray, np.uint64]:
    """A grey 32 × 32 thumbnail, uint8, and the 64-bit difference hash of an image, uint8 (height, width, 3).

    Source of the hash: N. Krawetz, "Kind of like that", 2013; ours shrinks with a triangle filter.
    """
    grey = Image.fromarray(pixels_HWC).convert("L")
    thumbnail = np.array(grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR))
    small = np.asarray(grey.resize((9, 8), Image.Resampling.BILINEAR))
    brighter = (small[:, 1:] > small[:, :-1]).ravel()
    return thumbnail, _BITS[brighter].sum(dtype=np.uint64)
