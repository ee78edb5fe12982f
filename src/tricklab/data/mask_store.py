"""The pixels and masks of a set of images: checked once, kept in memory or read anew each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch

from tricklab.data.free_memory import free_memory
from tricklab.data.image_threads import map_images
from tricklab.data.mask_labels import Labels
from tricklab.data.mask_list import MaskList
from tricklab.data.mask_resizing import Resizing, resize_image, resize_mask
from tricklab.data.mask_survey import Pair, moments_of, pooled_moments, survey_masks
from tricklab.errors import UserError

_MOST_MEMORY = 0.7


class MaskStore:
    """Images with masks by number.

    Every image is read once at the beginning: its size, its pixels of each class, its sums, a hash of both files'
    contents.

    Args:
        images: where they are.
        labels: from label values to classes.
        resizing: what is done to each image, mask by nearest; None for nothing.
        cache: ``memory`` keeps what was read as it is in the files' types; ``none`` reads files anew each time.
        likeness: look for what tells near copies too.
        progress: called with (images done, images in all) while they are read first.

    Attributes:
        survey: what the first look found.
        sizes: int64 (N, 2), height and width of the files.
        counts: int64 (N, K), pixels of each class.
        unlabelled: int64 (N,), pixels without a class.
        digests: of each image, hash of its pixels and its mask's.
        pictures: of each image, hash of its pixels alone.
        channels: of every image.
        dtype: of every image.

    Raises:
        UserError: image and mask of two sizes, images of several kinds, a label value without a class; names the file.
            There is too little memory to keep them.
    """

    def __init__(
        self,
        images: MaskList,
        labels: Labels,
        resizing: Resizing | None,
        cache: Literal["memory", "none"],
        likeness: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.list, self.labels, self.resizing, self.cache = images, labels, resizing, cache
        self._kept: dict[int, Pair] = {}
        self._room = free_memory() if cache == "memory" else None
        self._taken = 0
        found = self.survey = survey_masks(
            images,
            self._read,
            len(labels.classes),
            likeness=likeness,
            also=self._keep if cache == "memory" else None,
            progress=progress,
        )
        self.sizes, self.counts, self.unlabelled = found.sizes, found.counts, found.unlabelled
        self.digests, self.pictures = found.digests, found.pictures
        self.channels, self.dtype = found.one_kind(images)

    def original(self, number: int) -> Pair:
        """Image (height, width, channels) and mask uint8 (height, width) as the files have them."""
        if number in self._kept:
            return self._kept[number]
        return self._read(number)

    def pair(self, number: int) -> Pair:
        """Image and mask, resized as the recipe says."""
        image, mask = self.original(number)
        if self.resizing is None:
            return image, mask
        size = self.resizing.size_of(mask.shape[0], mask.shape[1])
        return resize_image(image, size), resize_mask(mask, size)

    def image(self, number: int) -> np.ndarray:
        """The image alone, resized as the recipe says."""
        image, _ = self.original(number)
        if self.resizing is None:
            return image
        return resize_image(image, self.resizing.size_of(image.shape[0], image.shape[1]))

    def truth(self, number: int) -> torch.Tensor:
        """The mask as the file has it, int64 (height, width), never resized: what predictions are scored against."""
        return torch.from_numpy(self.original(number)[1].astype(np.int64))

    def moments(self, chosen_N: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """Mean and standard deviation of each channel over all pixels of some images, float64 (C,), and their number.

        Values are those of the files, not resized; an image has the weight of its pixels.
        """
        return pooled_moments(
            map_images(lambda place: moments_of(self.original(int(chosen_N[place]))[0]), len(chosen_N))
        )

    def _read(self, number: int) -> Pair:
        return read_pair(self.list, self.labels, number)

    def _keep(self, number: int, pair: Pair) -> None:
        self._taken += pair[0].nbytes + pair[1].nbytes
        if self._room is not None and self._taken > _MOST_MEMORY * self._room:
            raise UserError(
                f"the first {len(self._kept) + 1:,} of {len(self.list):,} images fill {self._taken / 2**30:.1f} GiB, "
                f"{self._room / 2**30:.1f} GiB of memory were free",
                where="data.cache",
                fix="write cache: none, and train.workers for the reading",
            )
        self._kept[number] = pair


def read_pair(images: MaskList, labels: Labels, number: int) -> Pair:
    """Image (height, width, channels) and mask of class numbers, uint8 (height, width), as the files have them.

    Raises:
        UserError: the two have different sizes, or a label value has no class; names the file.
    """
    image, values = images.read_image(number), images.read_mask(number)
    if image.shape[:2] != values.shape:
        raise UserError(
            f"the mask has {values.shape[0]} × {values.shape[1]} pixels, "
            f"the image {images.keys[number]} {image.shape[0]} × {image.shape[1]}",
            where=images.mask_name(number),
        )
    return image, labels.numbers(values, images.mask_name(number))
