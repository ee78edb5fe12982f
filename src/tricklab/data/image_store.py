"""The pixels of a set of images: kept as bytes, or read anew each time."""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tricklab.data.free_memory import free_memory
from tricklab.data.image_geometry import Interpolation, Resize, as_tensor, crop_to_size, fit_to_size
from tricklab.data.image_list import ImageList
from tricklab.data.image_threads import map_images
from tricklab.errors import UserError

Cache = Literal["memory", "none"]
_MOST_MEMORY = 0.7
_WORTH_A_LOOK = 1 << 28


class ImageStore:
    """Images by number, at the network's size, or cut out of the originals.

    Args:
        images: where they are.
        size: (height, width) that the network sees.
        resize: how an image is brought to it.
        interpolation: of every resizing.
        cache: ``memory`` keeps every image as bytes once it was read; ``none`` reads files anew each time.
        originals: keep originals too, for transforms that cut parts out of them.
    """

    def __init__(
        self,
        images: ImageList,
        size: tuple[int, int],
        resize: Resize = "squash",
        interpolation: Interpolation = "bilinear",
        cache: Cache = "memory",
        originals: bool = False,
    ) -> None:
        self.list, self.size, self.resize, self.interpolation = images, size, resize, interpolation
        self.cache, self.keep_originals = cache, originals
        self.sizes = np.zeros((len(images), 2), dtype=np.int64)
        self.digests: list[str] = [""] * len(images)
        self._fitted = self._reserved(len(images))
        self._originals: dict[int, Tensor] = {}
        self._held = 0

    def keep(self, number: int, pixels_HW3: np.ndarray) -> None:
        """Take in one image, uint8 (H, W, 3): its size, a hash of its pixels and, with a memory cache, the pixels.

        Raises:
            UserError: the originals, as many and as large as they are so far, will not fit into memory.
        """
        self.sizes[number] = pixels_HW3.shape[:2]
        content = np.ascontiguousarray(pixels_HW3)
        self.digests[number] = hashlib.blake2b(content.data, digest_size=16).hexdigest()
        if self.cache == "none":
            return
        image = as_tensor(content)
        self._fitted[number] = self._fit(image)
        if self.keep_originals:
            self._originals[number] = image
            self._held += image.numel()
            self._refuse_too_many_originals()

    def images(self, members_N: np.ndarray) -> Tensor:
        """uint8 (N, 3, height, width) at the network's size; a copy."""
        if self.cache == "memory":
            return self._fitted[torch.from_numpy(np.ascontiguousarray(members_N))]
        numbers = members_N.tolist()
        return torch.stack(map_images(lambda place: self._fit(self._original(numbers[place])), len(numbers)))

    def crops(self, members_N: np.ndarray, boxes_N4: np.ndarray) -> Tensor:
        """uint8 (N, 3, height, width) cut out of the originals; boxes are top, left, height, width in pixels."""
        numbers, boxes = members_N.tolist(), boxes_N4.tolist()

        def cut(place: int) -> Tensor:
            found = crop_to_size(self._original(numbers[place]), boxes[place], self.size, self.interpolation)
            return found.contiguous()

        return torch.stack(map_images(cut, len(numbers)))

    def _original(self, number: int) -> Tensor:
        kept = self._originals.get(number)
        return as_tensor(self.list.read(number)) if kept is None else kept

    def _fit(self, image: Tensor) -> Tensor:
        return fit_to_size(image, self.size, self.resize, self.interpolation).contiguous()

    def _refuse_too_many_originals(self) -> None:
        if self._held < _WORTH_A_LOOK:
            return
        kept, count, free = len(self._originals), len(self.list), free_memory()
        needed = self._held / kept * (count - kept)
        if free is not None and needed > _MOST_MEMORY * free:
            raise UserError(
                f"the originals that are cut out of need {(self._held + needed) / 2**30:.1f} GiB for {count:,} images, "
                f"{(self._held + free) / 2**30:.1f} GiB of memory are free",
                where="data.cache",
                fix="write cache: none, and train.workers for the reading; or make the files smaller",
            )

    def _reserved(self, count: int) -> Tensor:
        if self.cache == "none":
            return torch.zeros(0, dtype=torch.uint8)
        needed = count * 3 * self.size[0] * self.size[1]
        free = free_memory()
        if free is not None and needed > _MOST_MEMORY * free:
            raise UserError(
                f"{count:,} images of {self.size[0]} × {self.size[1]} need {needed / 2**30:.1f} GiB, "
                f"{free / 2**30:.1f} GiB of memory are free",
                where="data.cache",
                fix="write cache: none, and train.workers for the reading",
            )
        return torch.zeros((count, 3, *self.size), dtype=torch.uint8)
