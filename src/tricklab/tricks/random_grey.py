"""Training images without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._images import with_augmentation
from tricklab.tricks._types import Chance

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick(
    "random_grey",
    tasks=("classification", "segmentation"),
    source="Chen et al., ICML 2020, arXiv 2002.05709 (SimCLR, appendix A)",
)
def random_grey(recipe: Recipe, p: Chance = 0.1) -> Recipe:
    """Take the colour from training images, each with chance p."""
    return with_augmentation(recipe, {"type": "RandomGrey", "p": p})


@random_grey.probe(when="fit")
def images_were_changed(evidence: Evidence) -> Proof:
    """A share of the training images was greyed."""
    return was_drawn(evidence, "RandomGrey")
