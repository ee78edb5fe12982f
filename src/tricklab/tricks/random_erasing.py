"""Holes in training images, after normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._images import with_augmentation
from tricklab.tricks._types import Chance

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("random_erasing", tasks=("classification", "segmentation"), source="Zhong et al., AAAI 2020, arXiv 1708.04896")
def random_erasing(recipe: Recipe, p: Chance = 0.25, mode: Literal["pixel", "rand", "const"] = "pixel") -> Recipe:
    """Erase a rectangle of 2 to 33 % of training images with chance p, after normalisation.

    ``pixel`` fills it with normal noise, ``rand`` with one random colour, ``const`` with 0.
    """
    return with_augmentation(recipe, {"type": "RandomErasing", "p": p, "mode": mode})


@random_erasing.probe(when="fit")
def parts_were_erased(evidence: Evidence) -> Proof:
    """A share of the training images got holes."""
    return was_drawn(evidence, "RandomErasing")
