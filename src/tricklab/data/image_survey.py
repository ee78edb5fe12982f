"""One look at every image: what is unreadable, how large it is, what it resembles, its sums for the statistics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from tricklab.data.image_list import ImageList
from tricklab.data.image_statistics import ImageMoments, join_moments, moments_of
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

    def one(number: int) -> tuple[np.ndarray, np.uint64, ImageMoments, tuple[int, int]] | str:
        try:
            pixels = images.read(number)
        except UserError as error:
            return str(error)
        if also is not None:
            also(number, pixels)
        thumbnail, difference_hash = thumbnail_and_hash(pixels)
        return thumbnail, difference_hash, moments_of(pixels), pixels.shape[:2]

    found = map_images(one, len(images), threads=threads, progress=progress)
    broken = {number: item for number, item in enumerate(found) if isinstance(item, str)}
    if broken and unreadable == "error":
        raise UserError(
            f"{len(broken):,} of {len(images):,} images cannot be read: " + "; ".join(list(broken.values())[:5])
            + (" …" if len(broken) > 5 else ""),
            where=images.name,
            fix="mend or remove them, or write unreadable: skip",
        )  # fmt: skip
    nothing = (np.zeros((THUMBNAIL, THUMBNAIL), np.uint8), np.uint64(0), _no_moments(), (0, 0))
    rows = [nothing if isinstance(item, str) else item for item in found]
    return Survey(
        sizes=np.array([row[3] for row in rows], dtype=np.int64),
        thumbnails=np.stack([row[0] for row in rows]),
        hashes=np.array([row[1] for row in rows], dtype=np.uint64),
        moments=join_moments([row[2] for row in rows]),
        unreadable=broken,
    )


def thumbnail_and_hash(pixels_HWC: np.ndarray) -> tuple[np.ndarray, np.uint64]:
    """A grey 32 × 32 thumbnail, uint8, and the 64-bit difference hash of an image, uint8 (height, width, 3).

    Source of the hash: N. Krawetz, "Kind of like that", 2013; ours shrinks with a triangle filter.
    """
    grey = Image.fromarray(pixels_HWC).convert("L")
    thumbnail = np.array(grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR))
    small = np.asarray(grey.resize((9, 8), Image.Resampling.BILINEAR))
    brighter = (small[:, 1:] > small[:, :-1]).ravel()
    return thumbnail, _BITS[brighter].sum(dtype=np.uint64)


def _no_moments() -> ImageMoments:
    zero = np.zeros((1, 3), dtype=np.int64)
    return ImageMoments(np.zeros(1, dtype=np.int64), zero, zero, zero.astype(np.uint8), zero.astype(np.uint8))
