"""Training images turned by any angle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._images import with_augmentation
from tricklab.tricks._types import Angle, Chance

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick(
    "rotation",
    tasks="classification",
    source="Simard et al., ICDAR 2003 (affine distortions)",
)
def rotation(recipe: Recipe, degrees: Angle = 15.0, p: Chance = 1.0) -> Recipe:
    """Turn training images by an angle drawn evenly from -degrees to degrees; black comes in at the corners."""
    return with_augmentation(recipe, {"type": "Rotation", "degrees": degrees, "p": p})


@rotation.probe(when="fit")
def images_were_changed(evidence: Evidence) -> Proof:
    """A share of the training images was turned."""
    return was_drawn(evidence, "Rotation")
