"""Images of any kind made ready for one block: which is on which side, what they are changed by, what is known."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tricklab.data.batches import Order
from tricklab.data.split import SPLITS
from tricklab.errors import UserError, nearest
from tricklab.seeds import Seeds


@dataclass(kw_only=True)
class DividedImages(abc.ABC):
    """What all sets of images are for one block.

    Args:
        assigned: ``train``, ``val``, ``test`` or "" (unused) for each image, (N,).
        sampler: the order of training.
        transforms: augmentation of training images.
        seeds: the block's streams.
        fitted: what was learned from data, as plain lists.
        facts: the facts that a run records, by their recorded names.
        digest: {split: hash of the files' contents and labels}.
    """

    assigned: np.ndarray
    sampler: Order
    transforms: Sequence[Any]
    seeds: Seeds
    fitted: dict[str, Any]
    facts: dict[str, Any]
    digest: dict[str, str]

    @cached_property
    def members(self) -> dict[str, np.ndarray]:
        """{split: int64 (N,)} numbers of its images, ascending."""
        return {name: np.flatnonzero(self.assigned == name) for name in SPLITS}

    def name_of(self, split: str, index: int) -> str:
        """What an image of a split is called: its path below the images' folder."""
        return self.key(int(self.members[split][index]))

    @abc.abstractmethod
    def key(self, number: int) -> str:
        """What the image of a number is called."""

    @staticmethod
    def changes(split: str, augment: bool | None) -> bool:
        """Whether the images of a split are changed: those of ``train``, if nothing else is asked for.

        Raises:
            UserError: no such split.
        """
        if split not in SPLITS:
            raise UserError(f"unknown split {split!r}", fix=nearest(split, SPLITS))
        return split == "train" if augment is None else augment
