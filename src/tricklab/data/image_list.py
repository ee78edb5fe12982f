"""Labelled images as a layout finds them, before any split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tricklab.data.image_reading import read_image


@dataclass(frozen=True)
class ImageList:
    """Images and their labels, in a fixed order.

    Args:
        paths: the file of each image; None where its pixels are in memory.
        labels: int64 (N,), the number of each image's class.
        classes: the class names, in the order of the labels.
        name: the folder or file they come from, for messages.
        given: ``train``, ``val``, ``test`` or "" (left out) for each image, where the layout knows it.
        groups: what each image belongs to (a plant, a patient), where the layout knows it.
        pixels: uint8 (N, height, width, 3), RGB, or None where the images are files.
        root: the folder that keys are relative to.
        skipped: files that lie among the images and are none.
        names: what to call images that are no files.
    """

    paths: tuple[Path | None, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    name: str
    given: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    pixels: np.ndarray | None = None
    root: Path | None = None
    skipped: tuple[Path, ...] = ()
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        count = len(self.paths)
        assert self.labels.shape == (count,)
        assert self.labels.dtype == np.int64
        assert self.given is None or len(self.given) == count
        assert self.groups is None or len(self.groups) == count
        if self.pixels is not None:
            assert self.pixels.dtype == np.uint8
            assert self.names is not None
            assert len(self.pixels) == len(self.names) == count

    def __len__(self) -> int:
        return len(self.paths)

    def key(self, number: int) -> str:
        """What names an image in a manifest and in messages: its path below ``root`` with ``/``, or its own name."""
        path = self.paths[number]
        if path is None:
            assert self.names is not None
            return self.names[number]
        if self.root is not None and path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return path.as_posix()

    def read(self, number: int) -> np.ndarray:
        """The pixels of one image, uint8 (height, width, 3), RGB.

        Raises:
            UserError: the file cannot be read as an image; names it.
        """
        path = self.paths[number]
        if path is None:
            assert self.pixels is not None
            return self.pixels[number]
        return read_image(path)

    def take(self, chosen: np.ndarray) -> ImageList:
        """Some of the images, by their numbers or by a mask (N,); the classes stay as they are."""
        numbers = np.arange(len(self))[chosen]
        return replace(
            self,
            paths=tuple(self.paths[number] for number in numbers),
            labels=self.labels[numbers],
            given=None if self.given is None else tuple(self.given[number] for number in numbers),
            groups=None if self.groups is None else tuple(self.groups[number] for number in numbers),
            pixels=None if self.pixels is None else self.pixels[numbers],
            names=None if self.names is None else tuple(self.names[number] for number in numbers),
        )

    def counts(self, chosen: np.ndarray | None = None) -> np.ndarray:
        """Images per class, int64 (K,), of all or of those in a mask (N,)."""
        labels = self.labels if chosen is None else self.labels[chosen]
        return np.bincount(labels, minlength=len(self.classes)).astype(np.int64)
