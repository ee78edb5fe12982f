"""A set of images with masks made ready for one block: read, split, normalised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from tricklab.data.divided_images import DividedImages
from tricklab.data.mask_dataset import MaskDataset
from tricklab.data.mask_store import MaskStore
from tricklab.data.pixel_normalisation import PixelNormalisation
from tricklab.data.split import SPLITS
from tricklab.errors import UserError


@dataclass(kw_only=True)
class MaskFold(DividedImages):
    """Everything that a task needs of a set of images with masks for one block; see :class:`DividedImages`.

    Args:
        store: gives pixels and masks.
        normalisation: from the files' values to the network's.
        crop: (height, width) that a training batch has; None: whole images. A sampler with a method ``corner_for``
            says where it is cut.
    """

    store: MaskStore
    normalisation: PixelNormalisation
    crop: tuple[int, int] | None

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the network's outputs."""
        return self.store.labels.classes

    @property
    def label_ids(self) -> tuple[int, ...]:
        """The label value in the files of each class."""
        return self.store.labels.values

    @cached_property
    def targets(self) -> dict[str, Tensor]:
        """{split: int64 (N, K)} pixels of each class of each image, in the order of ``members``."""
        return {name: self.dataset(name, augment=False).targets for name in SPLITS}

    def key(self, number: int) -> str:
        """What the image of a number is called."""
        return self.store.list.keys[number]

    def truth(self, split: str, index: int) -> Tensor:
        """The mask of an image as its file has it, never resized: int64 (height, width)."""
        return self.store.truth(int(self.members[split][index]))

    def values(self, split: str, index: int) -> Tensor:
        """What the network sees of one whole image: float32 (1, C, height, width)."""
        found: Tensor = self.dataset(split, augment=False)[index]["image"][None]
        return found

    def dataset(self, split: str, augment: bool | None = None) -> MaskDataset:
        """The images of a split: cut and changed while training, otherwise whole.

        Args:
            augment: apply the recipe's transforms and crop; by default for ``train`` only.
        """
        if not self.changes(split, augment):
            return MaskDataset(self.store, self.members[split], self.normalisation)
        corner_for = getattr(self.sampler, "corner_for", None)
        cuts = next((type(one).__name__ for one in self.transforms if getattr(one, "cuts", False)), None)
        if corner_for is not None and cuts is not None:
            raise UserError(
                f"{cuts} cuts before {type(self.sampler).__name__} could say where",
                where="data.augment, data.sampler",
                fix="keep one of them",
            )
        corner = None if corner_for is None else corner_for(self.store.counts[self.members[split]])
        return MaskDataset(
            self.store, self.members[split], self.normalisation, self.transforms, self.crop, corner, self.seeds
        )
