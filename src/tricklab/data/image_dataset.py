"""Images in batches: decoded once, kept as bytes, changed and normalised a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from tricklab.data.drawn_items import Asked, DrawnItems
from tricklab.data.draws import Draw, unique_names
from tricklab.data.image_store import ImageStore
from tricklab.seeds import Seeds

Normalise = Callable[[Tensor], Tensor]


class ImageTransform(Protocol):
    """What a component of kind ``image_transform`` offers. Its numbers come from ``draw`` alone (see ``draws.py``).

    Attributes:
        stage: ``image``: bytes before normalisation; ``tensor``: normalised values.
    """

    stage: ClassVar[Literal["image", "tensor"]]

    def __call__(self, images_N3HW: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Change a batch.

        Args:
            images_N3HW: uint8 or, at stage ``tensor``, float32 (N, 3, H, W); may be changed in place.
            draw: ``draw(columns)`` gives float64 (N, columns) in [0, 1).

        Returns:
            The images, and bool (N,) that says which were changed.
        """
        ...


class GeometryTransform(Protocol):
    """A transform that cuts the network's image out of the original; at most one, before all others.

    Attributes:
        stage: ``geometry``.
    """

    stage: ClassVar[Literal["geometry"]]

    def boxes(self, sizes_N2: np.ndarray, draw: Draw) -> np.ndarray:
        """float64 (N, 4): top, left, height, width in pixels of originals of sizes int64 (N, 2); may reach outside."""
        ...


class ImageDataset(DrawnItems):
    """The images of one split, as batches that :class:`DrawnItems` describes.

    Args:
        store: gives the pixels.
        members_N: numbers of the split's images in the store, int64 (N,).
        targets_N: int64 (N,).
        normalise: from uint8 to float32, a batch at a time.
        transforms: in order.
        seeds: where the transforms' numbers come from; needed with transforms.
    """

    def __init__(
        self,
        store: ImageStore,
        members_N: np.ndarray,
        targets_N: Tensor,
        normalise: Normalise,
        transforms: Sequence[Any] = (),
        seeds: Seeds | None = None,
    ) -> None:
        assert len(members_N) == len(targets_N)
        super().__init__(targets_N, transforms, seeds)
        self.store, self.members, self.normalise = store, members_N, normalise
        named = list(zip(unique_names(transforms), transforms, strict=True))
        self.geometry = next(((name, one) for name, one in named if one.stage == "geometry"), None)
        self.on_bytes = [(name, one) for name, one in named if one.stage == "image"]
        self.on_values = [(name, one) for name, one in named if one.stage == "tensor"]

    def make(self, asked: Asked) -> tuple[Tensor, dict[str, Tensor]]:
        """Images (N, 3, H, W), and what changed them."""
        members = self.members[asked.index]
        drawn: dict[str, Tensor] = {}
        if self.geometry is None:
            images = self.store.images(members)
        else:
            name, geometry = self.geometry
            sizes = self.store.sizes[members]
            boxes = geometry.boxes(sizes, self.draw(name, asked))
            images = self.store.crops(members, boxes)
            whole = np.concatenate([np.zeros_like(sizes), sizes], axis=1)
            drawn[name] = torch.from_numpy((np.rint(boxes) != whole).any(axis=1))
        for name, transform in self.on_bytes:
            images, drawn[name] = transform(images, self.draw(name, asked))
        values = self.normalise(images)
        for name, transform in self.on_values:
            values, drawn[name] = transform(values, self.draw(name, asked))
        return values, drawn
