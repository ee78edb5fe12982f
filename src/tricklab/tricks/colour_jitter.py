"""Random colours of training images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._images import with_augmentation
from tricklab.tricks._types import Amount, HalfTurn

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick(
    "colour_jitter",
    tasks=("classification", "segmentation"),
    source="Howard, arXiv 1312.5402, section 2.2; torchvision ColorJitter",
)
def colour_jitter(
    recipe: Recipe, brightness: Amount = 0.4, contrast: Amount = 0.4, saturation: Amount = 0.4, hue: HalfTurn = 0.0
) -> Recipe:
    """Change brightness, contrast, saturation and hue of training images, at random strengths in random order."""
    return with_augmentation(
        recipe,
        {"type": "ColourJitter", "brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue},
    )


@colour_jitter.probe(when="fit")
def images_were_changed(evidence: Evidence) -> Proof:
    """A share of the training images got other colours."""
    return was_drawn(evidence, "ColourJitter")
