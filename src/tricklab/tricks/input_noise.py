"""Noise on training images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._images import with_augmentation
from tricklab.tricks._types import Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("input_noise", tasks=("classification", "segmentation"), source="Sietsma & Dow, Neural Networks 4(1), 1991")
def input_noise(recipe: Recipe, sigma: Positive = 0.05) -> Recipe:
    """Add normal noise of this standard deviation to training images, after normalisation."""
    return with_augmentation(recipe, {"type": "Noise", "sigma": sigma})


@input_noise.probe(when="fit")
def noise_was_added(evidence: Evidence) -> Proof:
    """A share of the training images got noise."""
    return was_drawn(evidence, "Noise")
