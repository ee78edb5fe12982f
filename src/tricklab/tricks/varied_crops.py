"""Training crops that are not all of one class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._images import with_augmentation
from tricklab.tricks._types import OpenShare

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("varied_crops", tasks=("segmentation",), source="MMSegmentation RandomCrop, cat_max_ratio")
def varied_crops(recipe: Recipe, most: OpenShare = 0.75) -> Recipe:
    """Try up to ten places for each training crop until no class has ``most`` or more of its labelled pixels."""
    return with_augmentation(recipe, {"type": "RandomCrop", "cat_max_ratio": most})


@varied_crops.probe(when="fit")
def crops_were_chosen(evidence: Evidence) -> Proof:
    """A share of the training images was cut by it."""
    return was_drawn(evidence, "RandomCrop")
