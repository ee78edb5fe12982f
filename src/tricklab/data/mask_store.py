"""The pixels and masks of a set of images: checked once, kept in memory or read anew each time."""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np
import torch

from tricklab.data.image_threads import map_images
from tricklab.data.mask_labels import Labels
from tricklab.data.mask_list import IGNORE, MaskList
from tricklab.data.mask_resizing import Resizing, resize_image, resize_mask
from tricklab.errors import UserError

Pair = tuple[np.ndarray, np.ndarray]


class MaskStore:
    """Images with masks by number.

    Every image is read once at the beginning: its size, its pixels of each class, its sums, a hash of both files'
    contents.

    Args:
        images: where they are.
        labels: from label values to classes.
        resizing: what is done to each image, mask by nearest; None for nothing.
        cache: ``memory`` keeps what was read as it is in the files' types; ``none`` reads files anew each time.

    Attributes:
        sizes: int64 (N, 2), height and width of the files.
        counts: int64 (N, K), pixels of each class.
        unlabelled: int64 (N,), pixels without a class.
        channels: of every image.
        dtype: of every image.

    Raises:
        UserError: image and mask of two sizes, images of several kinds, a label value without a class; names the file.
    """

    def __init__(
        self, images: MaskList, labels: Labels, resizing: Resizing | None, cache: Literal["memory", "none"]
    ) -> None:
        self.list, self.labels, self.resizing, self.cache = images, labels, resizing, cache
        count = len(images)
        self.sizes = np.zeros((count, 2), dtype=np.int64)
        self.counts = np.zeros((count, len(labels.classes)), dtype=np.int64)
        self.unlabelled = np.zeros(count, dtype=np.int64)
        self.digests = [""] * count
        self._kept: dict[int, Pair] = {}
        kinds = map_images(self._survey, count)
        for number, kind in enumerate(kinds):
            if kind != kinds[0]:
                raise UserError(
                    f"{images.keys[number]} is {kind[1]} with {kind[0]} channels, "
                    f"{images.keys[0]} is {kinds[0][1]} with {kinds[0][0]}",
                    where=images.name,
                    fix="images of one kind",
                )
        self.channels, self.dtype = kinds[0]

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
        parts = map_images(lambda place: _sums(self.original(int(chosen_N[place]))[0]), len(chosen_N))
        pixels = sum(count for _, _, count in parts)
        mean = np.sum([mean * count for mean, _, count in parts], axis=0) / pixels
        # within and between images, so that nothing is lost to cancellation
        variance = np.sum([(var + (own - mean) ** 2) * count for own, var, count in parts], axis=0) / pixels
        return mean, np.sqrt(variance), pixels

    def _read(self, number: int) -> Pair:
        image, values = self.list.read_image(number), self.list.read_mask(number)
        if image.shape[:2] != values.shape:
            raise UserError(
                f"the mask has {values.shape[0]} × {values.shape[1]} pixels, "
                f"the image {self.list.keys[number]} {image.shape[0]} × {image.shape[1]}",
                where=self.list.mask_name(number),
            )
        return image, self.labels.numbers(values, self.list.mask_name(number))

    def _survey(self, number: int) -> tuple[int, np.dtype]:
        image, mask = self._read(number)
        self.sizes[number] = mask.shape
        found = np.bincount(mask.ravel(), minlength=IGNORE + 1)
        self.counts[number] = found[: self.counts.shape[1]]
        self.unlabelled[number] = found[IGNORE]
        state = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16)
        state.update(repr((image.shape, str(image.dtype))).encode())
        state.update(np.ascontiguousarray(mask).data)
        self.digests[number] = state.hexdigest()
        if self.cache == "memory":
            self._kept[number] = (image, mask)
        return image.shape[2], image.dtype


def _sums(image_HWC: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    values = image_HWC.reshape(-1, image_HWC.shape[2])
    if image_HWC.dtype == np.uint8:
        levels = np.arange(256, dtype=np.float64)
        found = np.stack([np.bincount(channel, minlength=256) for channel in values.T])
        mean = found @ levels / len(values)
        return mean, (found * (levels - mean[:, None]) ** 2).sum(axis=1) / len(values), len(values)
    exact = values.astype(np.float64)
    return exact.mean(axis=0), exact.var(axis=0), len(values)
