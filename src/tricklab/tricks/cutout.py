"""Holes in training images, before normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._images import with_augmentation
from tricklab.tricks._types import Byte, Chance, Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick(
    "cutout",
    tasks=("classification", "segmentation"),
    source="DeVries & Taylor, arXiv 1708.04552; torchtoolbox transforms.Cutout",
)
def cutout(
    recipe: Recipe,
    p: Chance = 0.5,
    value: Byte | Literal["grey", "mean"] = "grey",
    square: Positive | None = None,
) -> Recipe:
    """Cut a rectangle of 2 to 40 % out of training images with chance p and fill it with one random grey value.

    Before normalisation, as torchtoolbox; ``random_erasing(mode=const)`` fills with 0 after it. ``value`` fills with
    the image's ``mean`` colour or one grey value instead; ``square`` cuts squares whose side is that share of the
    image's, centred anywhere, as DeVries & Taylor do.
    """
    return with_augmentation(recipe, {"type": "Cutout", "p": p, "value": value, "square": square})


@cutout.probe(when="fit")
def images_were_changed(evidence: Evidence) -> Proof:
    """A share of the training images got holes."""
    return was_drawn(evidence, "Cutout")
