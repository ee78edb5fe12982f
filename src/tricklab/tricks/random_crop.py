"""Training images shifted by a few pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._images import with_augmentation
from tricklab.tricks._types import Count

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("random_crop", tasks="classification", source="He et al., CVPR 2016, section 4.2")
def random_crop(recipe: Recipe, padding: Count = 4) -> Recipe:
    """Put a black border of this many pixels around training images and cut their size out at a random place."""
    return with_augmentation(recipe, {"type": "RandomCrop", "padding": padding})


@random_crop.probe(when="fit")
def images_were_changed(evidence: Evidence) -> Proof:
    """A share of the training images was shifted."""
    return was_drawn(evidence, "RandomCrop")
