"""Training images mirrored, top and bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._images import with_augmentation
from tricklab.tricks._types import Chance

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick(
    "vertical_flip",
    tasks=("classification", "segmentation"),
    source="Krizhevsky et al., NIPS 2012, section 4.1 (mirrored images)",
)
def vertical_flip(recipe: Recipe, p: Chance = 0.5) -> Recipe:
    """Mirror training images top and bottom, each with chance p: for pictures that have no up and down."""
    return with_augmentation(recipe, {"type": "VerticalFlip", "p": p})


@vertical_flip.probe(when="fit")
def images_were_changed(evidence: Evidence) -> Proof:
    """A share of the training images was mirrored."""
    return was_drawn(evidence, "VerticalFlip")
