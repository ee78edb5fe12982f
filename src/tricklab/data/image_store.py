"""The pixels of a set of images: read once by several threads, kept as bytes, or read anew each time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from tricklab.data.image_geometry import Interpolation, Resize, as_tensor, crop_to_size, fit_to_size
from tricklab.data.image_list import ImageList
from tricklab.data.image_reading import read_image
from tricklab.errors import UserError

Cache = Literal["memory", "none"]
Job = TypeVar("Job")
Result = TypeVar("Result")


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
        self.sizes = np.zeros((len(images.labels), 2), dtype=np.int64)
        self.digests: list[str] = [""] * len(images.labels)
        self._fitted: Tensor | None = None
        self._originals: dict[int, Tensor] = {}

    def read_all(
        self, seen: Callable[[int, np.ndarray], None] | None = None, unreadable: Literal["error", "skip"] = "error"
    ) -> list[tuple[int, str]]:
        """Read every image once: sizes, hashes of the files' bytes and, with a memory cache, the pixels.

        Args:
            seen: called with an image's number and its pixels, uint8 (H, W, 3), in order.
            unreadable: ``skip`` lists images that cannot be read instead of stopping at the first.

        Returns:
            Numbers of the images that cannot be read, with the reason.

        Raises:
            UserError: an image cannot be read, or the images do not fit into memory.
        """
        count = len(self.sizes)
        if self.cache == "memory":
            self._reserve(count)
        broken: list[tuple[int, str]] = []
        for number, found in enumerate(in_threads(self._read, range(count))):
            if isinstance(found, UserError):
                if unreadable == "error":
                    raise found
                broken.append((number, str(found)))
                continue
            pixels, fitted, self.digests[number] = found
            self.sizes[number] = pixels.shape[:2]
            if self._fitted is not None:
                self._fitted[number] = fitted
                if self.keep_originals:
                    self._originals[number] = as_tensor(pixels)
            if seen is not None:
                seen(number, pixels)
        return broken

    def images(self, members_N: np.ndarray) -> Tensor:
        """uint8 (N, 3, height, width) at the network's size; a copy."""
        if self._fitted is not None:
            return self._fitted[torch.from_numpy(np.ascontiguousarray(members_N))]
        return torch.stack(list(in_threads(lambda number: self._fit(self._original(number)), members_N.tolist())))

    def crops(self, members_N: np.ndarray, boxes_N4: np.ndarray) -> Tensor:
        """uint8 (N, 3, height, width) cut out of the originals; boxes are top, left, height, width in pixels."""
        jobs = list(zip(members_N.tolist(), boxes_N4.tolist(), strict=True))

        def cut(job: tuple[int, list[float]]) -> Tensor:
            return crop_to_size(self._original(job[0]), tuple(job[1]), self.size, self.interpolation)  # type: ignore[arg-type]

        if self._originals:
            return torch.stack([cut(job) for job in jobs])
        return torch.stack(list(in_threads(cut, jobs)))

    def _original(self, number: int) -> Tensor:
        kept = self._originals.get(number)
        return as_tensor(pixels_of(self.list, number)) if kept is None else kept

    def _fit(self, image: Tensor) -> Tensor:
        return fit_to_size(image, self.size, self.resize, self.interpolation)

    def _read(self, number: int) -> tuple[np.ndarray, Tensor | None, str] | UserError:
        try:
            pixels = pixels_of(self.list, number)
        except UserError as error:
            return error
        path = self.list.paths[number]
        content = np.ascontiguousarray(pixels).tobytes() if path is None else Path(path).read_bytes()
        fitted = self._fit(as_tensor(pixels)) if self._fitted is not None else None
        return pixels, fitted, hashlib.blake2b(content, digest_size=16).hexdigest()

    def _reserve(self, count: int) -> None:
        needed = count * 3 * self.size[0] * self.size[1]
        free = free_memory()
        if free is not None and needed > 0.7 * free:
            raise UserError(
                f"{count} images of {self.size[0]} × {self.size[1]} need {needed / 2**30:.1f} GiB, "
                f"{free / 2**30:.1f} GiB of memory are free",
                where="data.cache",
                fix="write cache: none, and train.workers for the reading",
            )
        self._fitted = torch.zeros((count, 3, *self.size), dtype=torch.uint8)


def pixels_of(images: ImageList, number: int) -> np.ndarray:
    """One image, uint8 (H, W, 3)."""
    path = images.paths[number]
    if path is None:
        assert images.pixels is not None
        return images.pixels[number]
    return read_image(path)


def in_threads(work: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterable[Result]:
    """``map`` by as many threads as this process may use cores, in order, with few results waiting at a time."""
    listed: Sequence[Job] = list(jobs)
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads == 1 or len(listed) < 2:
        yield from map(work, listed)
        return
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(listed), 64 * threads):
            yield from pool.map(work, listed[start : start + 64 * threads])


def free_memory() -> int | None:
    """Bytes that the system can still give, or None where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith("MemAvailable:")), None)
    return None if found is None else int(found.split()[1]) * 1024
