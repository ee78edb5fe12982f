"""One random operation of random strength."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._images import with_augmentation

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("trivial_augment", tasks="classification", source="Müller & Hutter, ICCV 2021, arXiv 2103.10158")
def trivial_augment(recipe: Recipe) -> Recipe:
    """Apply one of 14 operations to each training image, at a random strength: nothing to tune."""
    return with_augmentation(recipe, {"type": "TrivialAugment"})


@trivial_augment.probe(when="fit")
def images_were_changed(evidence: Evidence) -> Proof:
    """A share of the training images was changed."""
    return was_drawn(evidence, "TrivialAugment")
