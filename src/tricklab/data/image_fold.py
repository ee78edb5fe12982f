"""A set of images made ready for one block: read, split, normalised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from tricklab.data.divided_images import DividedImages
from tricklab.data.image_dataset import ImageDataset
from tricklab.data.image_list import ImageList
from tricklab.data.image_normalisation import Normalisation
from tricklab.data.image_store import ImageStore


@dataclass(kw_only=True)
class ImageFold(DividedImages):
    """Everything that a task needs of a set of images for one block; see :class:`DividedImages`.

    Args:
        images: where the images are, and their classes.
        store: gives their pixels.
        normalisation: from bytes to the network's values.
    """

    images: ImageList
    store: ImageStore
    normalisation: Normalisation

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the network's outputs."""
        return self.images.classes

    @property
    def label_ids(self) -> tuple[int, ...]:
        """0 … K-1: images have no label ids of their own."""
        return tuple(range(len(self.classes)))

    @cached_property
    def targets(self) -> dict[str, Tensor]:
        """{split: int64 (N,)} classes, in the order of ``members``."""
        return {name: torch.from_numpy(self.images.labels[found]) for name, found in self.members.items()}

    def key(self, number: int) -> str:
        """What the image of a number is called."""
        return self.images.key(number)

    def dataset(self, split: str, augment: bool | None = None) -> ImageDataset:
        """The images of a split.

        Args:
            augment: apply the recipe's transforms; by default for ``train`` only.
        """
        chosen = self.transforms if self.changes(split, augment) else ()
        return ImageDataset(
            self.store, self.members[split], self.targets[split], self.normalisation, chosen, self.seeds
        )
