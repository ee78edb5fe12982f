"""Random operations of one strength."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._images import with_augmentation
from tricklab.tricks._types import Count, Level

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick(
    "randaugment",
    tasks="classification",
    source="Cubuk et al., NeurIPS 2020; timm rand-m9-mstd0.5-inc1",
)
def randaugment(recipe: Recipe, magnitude: Level = 9.0, layers: Count = 2) -> Recipe:
    """Apply random operations of about this strength (0 to 10), as timm's rand-m9-mstd0.5-inc1."""
    return with_augmentation(recipe, {"type": "RandAugment", "magnitude": magnitude, "layers": layers})


@randaugment.probe(when="fit")
def images_were_changed(evidence: Evidence) -> Proof:
    """A share of the training images was changed."""
    return was_drawn(evidence, "RandAugment")
