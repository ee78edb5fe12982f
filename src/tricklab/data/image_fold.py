"""A set of images made ready for one block: read, split, normalised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tricklab.data.batches import Order
from tricklab.data.image_dataset import ImageDataset
from tricklab.data.image_list import ImageList
from tricklab.data.image_normalisation import Normalisation
from tricklab.data.image_store import ImageStore
from tricklab.data.split import SPLITS
from tricklab.errors import UserError, nearest
from tricklab.seeds import Seeds


@dataclass
class ImageFold:
    """Everything that a task needs of a set of images for one block.

    Args:
        images: where the images are, and their classes.
        store: gives their pixels.
        assigned: ``train``, ``val``, ``test`` or "" (unused) for each image, (N,).
        normalisation: from bytes to the network's values.
        sampler: the order of training.
        transforms: augmentation of training images.
        seeds: the block's streams.
        fitted: what was learned from data, as plain lists.
        facts: the facts that a run records, by their recorded names.
        digest: {split: hash of the files' bytes and labels}.
    """

    images: ImageList
    store: ImageStore
    assigned: np.ndarray
    normalisation: Normalisation
    sampler: Order
    transforms: Sequence[Any]
    seeds: Seeds
    fitted: dict[str, Any]
    facts: dict[str, Any]
    digest: dict[str, str]

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the network's outputs."""
        return self.images.classes

    @property
    def label_ids(self) -> tuple[int, ...]:
        """0 … K-1: images have no label ids of their own."""
        return tuple(range(len(self.classes)))

    @cached_property
    def members(self) -> dict[str, np.ndarray]:
        """{split: int64 (N,)} numbers of its images, ascending."""
        return {name: np.flatnonzero(self.assigned == name) for name in SPLITS}

    @cached_property
    def targets(self) -> dict[str, Tensor]:
        """{split: int64 (N,)} classes, in the order of ``members``."""
        return {name: torch.from_numpy(self.images.labels[found]) for name, found in self.members.items()}

    def name_of(self, split: str, index: int) -> str:
        """What an image of a split is called: its path below the images' folder."""
        return self.images.key(int(self.members[split][index]))

    def dataset(self, split: str, augment: bool | None = None) -> ImageDataset:
        """The images of a split.

        Args:
            augment: apply the recipe's transforms; by default for ``train`` only.
        """
        if split not in SPLITS:
            raise UserError(f"unknown split {split!r}", fix=nearest(split, SPLITS))
        chosen = self.transforms if (split == "train" if augment is None else augment) else ()
        return ImageDataset(
            self.store, self.members[split], self.targets[split], self.normalisation, chosen, self.seeds
        )
