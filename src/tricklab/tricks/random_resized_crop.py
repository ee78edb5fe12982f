"""Random parts of training images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._images import with_augmentation
from tricklab.tricks._types import Chance

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("random_resized_crop", tasks="classification", source="Szegedy et al., CVPR 2015, section 6")
def random_resized_crop(recipe: Recipe, smallest: Chance = 0.08) -> Recipe:
    """Show the network parts of training images: an area from ``smallest`` to all, an aspect from 3:4 to 4:3."""
    return with_augmentation(recipe, {"type": "RandomResizedCrop", "scale": [smallest, 1.0]})


@random_resized_crop.probe(when="fit")
def parts_were_cut(evidence: Evidence) -> Proof:
    """A share of the training images was not shown whole."""
    return was_drawn(evidence, "RandomResizedCrop")
