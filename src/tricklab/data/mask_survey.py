"""One look at every image and its mask: sizes, classes, sums for the statistics, what resembles what, what is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tricklab.data.image_survey import THUMBNAIL, thumbnail_and_hash
from tricklab.data.image_threads import map_images
from tricklab.data.mask_list import IGNORE, MaskList
from tricklab.errors import UserError

Pair = tuple[np.ndarray, np.ndarray]
Moments = tuple[np.ndarray, np.ndarray, int]


@dataclass(frozen=True)
class Likeness:
    """What tells near copies of images with masks, small enough to be kept of all.

    Args:
        thumbnails: uint8 (N, 32, 32), grey; hashes: uint64 (N,), the 64-bit difference hash, as of labelled images.
        masks: uint8 (N, 32, 32), the classes under the centres of 32 × 32 cells, 255 without a label.
    """

    thumbnails: np.ndarray
    hashes: np.ndarray
    masks: np.ndarray


@dataclass(frozen=True)
class MaskSurvey:
    """What one pass over images and masks found, in their order; rows of what cannot be read are empty.

    Args:
        sizes: int64 (N, 2), height and width of the files.
        counts: int64 (N, K), pixels of each class.
        unlabelled: int64 (N,), pixels without a class.
        kinds: channels and dtype of each image; None of one that cannot be read.
        digests: hash of the pixels of image and mask.
        pictures: hash of the image's pixels alone.
        faults: {number: why}.
        likeness: what tells near copies; None where nobody asked.
        moments: of each image's pixels; None where nobody asked, or nothing could be read.
    """

    sizes: np.ndarray
    counts: np.ndarray
    unlabelled: np.ndarray
    kinds: list[tuple[int, np.dtype] | None]
    digests: list[str]
    pictures: list[str]
    faults: dict[int, str]
    likeness: Likeness | None
    moments: list[Moments | None]

    @property
    def readable(self) -> np.ndarray:
        """bool (N,)."""
        return np.array([kind is not None for kind in self.kinds], dtype=bool)

    def one_kind(self, images: MaskList) -> tuple[int, np.dtype]:
        """Channels and dtype that all images have.

        Raises:
            UserError: an image has others; names it.
        """
        known = [(number, kind) for number, kind in enumerate(self.kinds) if kind is not None]
        first, common = known[0]
        for number, kind in known:
            if kind != common:
                raise UserError(
                    f"{images.keys[number]} is {kind[1]} with {kind[0]} channels, "
                    f"{images.keys[first]} is {common[1]} with {common[0]}",
                    where=images.name,
                    fix="images of one kind",
                )
        return common


def survey_masks(
    images: MaskList,
    read: Callable[[int], Pair],
    classes: int,
    *,
    faults: Literal["error", "list"] = "error",
    likeness: bool = False,
    moments: bool = False,
    also: Callable[[int, Pair], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> MaskSurvey:
    """Read every image and its mask once.

    Args:
        read: image and mask of class numbers by number.
        classes: K.
        faults: ``error`` raises the first that is met; ``list`` goes on and lists them.
        likeness: keep what tells near copies.
        moments: sum up the pixels too.
        also: called with (number, pair) of each that can be read, in some thread.
        progress: called with (images done, images in all).

    Raises:
        UserError: what ``read`` raises, with ``error``.
    """
    count = len(images)
    small = (count, THUMBNAIL, THUMBNAIL)
    alike = Likeness(np.zeros(small, np.uint8), np.zeros(count, np.uint64), np.zeros(small, np.uint8))
    found = MaskSurvey(
        sizes=np.zeros((count, 2), dtype=np.int64),
        counts=np.zeros((count, classes), dtype=np.int64),
        unlabelled=np.zeros(count, dtype=np.int64),
        kinds=[None] * count,
        digests=[""] * count,
        pictures=[""] * count,
        faults={},
        likeness=alike if likeness else None,
        moments=[None] * count,
    )

    def one(number: int) -> None:
        try:
            image, mask = read(number)
        except UserError as error:
            if faults == "error":
                raise
            found.faults[number] = str(error)
            return
        if also is not None:
            also(number, (image, mask))
        found.sizes[number] = mask.shape
        pixels = np.bincount(mask.ravel(), minlength=IGNORE + 1)
        found.counts[number], found.unlabelled[number] = pixels[:classes], pixels[IGNORE]
        found.pictures[number], found.digests[number] = _digests(image, mask)
        if likeness:
            alike.thumbnails[number], alike.hashes[number] = thumbnail_and_hash(as_bytes(image))
            alike.masks[number] = mask_thumbnail(mask)
        if moments:
            found.moments[number] = moments_of(image)
        found.kinds[number] = image.shape[2], image.dtype

    map_images(one, count, progress=progress)
    return found


def pooled_moments(parts: Sequence[Moments]) -> Moments:
    """Mean and standard deviation of each channel over all pixels of some images, float64 (C,), and their number."""
    pixels = sum(count for _, _, count in parts)
    mean = np.sum([mean * count for mean, _, count in parts], axis=0) / pixels
    # within and between images, so that nothing is lost to cancellation
    variance = np.sum([(var + (own - mean) ** 2) * count for own, var, count in parts], axis=0) / pixels
    return mean, np.sqrt(variance), pixels


def moments_of(image_HWC: np.ndarray) -> Moments:
    """Mean and variance of each channel, float64 (C,), and the number of pixels."""
    values = image_HWC.reshape(-1, image_HWC.shape[2])
    if image_HWC.dtype == np.uint8:
        levels = np.arange(256, dtype=np.float64)
        found = np.stack([np.bincount(channel, minlength=256) for channel in values.T])
        mean = found @ levels / len(values)
        return mean, (found * (levels - mean[:, None]) ** 2).sum(axis=1) / len(values), len(values)
    exact = values.astype(np.float64)
    return exact.mean(axis=0), exact.var(axis=0), len(values)


def mask_thumbnail(mask_HW: np.ndarray) -> np.ndarray:
    """The values (32, 32) under the centres of 32 × 32 cells of a mask."""
    rows, columns = ((2 * np.arange(THUMBNAIL) + 1) * side // (2 * THUMBNAIL) for side in mask_HW.shape)
    return mask_HW[np.ix_(rows, columns)]


def as_bytes(image_HWC: np.ndarray) -> np.ndarray:
    """uint8 (height, width, 3): the first three bands, or the first one thrice, stretched to the image's own range."""
    bands = image_HWC[..., :3] if image_HWC.shape[2] >= 3 else image_HWC[..., :1].repeat(3, axis=2)
    if bands.dtype == np.uint8:
        return np.ascontiguousarray(bands)
    low, high = float(bands.min()), float(bands.max())
    return ((bands - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)


def _digests(image: np.ndarray, mask: np.ndarray) -> tuple[str, str]:
    state = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16)
    state.update(repr((image.shape, str(image.dtype))).encode())
    picture = state.hexdigest()
    state.update(np.ascontiguousarray(mask).data)
    return picture, state.hexdigest()
