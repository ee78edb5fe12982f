"""Half of the classes of one training image in another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._images import was_mixed, with_mixing
from tricklab.tricks._types import Chance, Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("classmix", tasks=("segmentation",), source="Olsson et al., WACV 2021, arXiv 2007.07936")
def classmix(recipe: Recipe, p: Chance = 1.0, off_epoch: Positive | None = None) -> Recipe:
    """Put the pixels of half of the classes of one image of a training batch, with their labels, into another.

    ``p`` is the chance of each image; from ``off_epoch`` on nothing is mixed.
    """
    return with_mixing(recipe, {"type": "ClassMix", "p": p, "off_epoch": off_epoch})


@classmix.probe(when="fit")
def classes_were_put_in(evidence: Evidence) -> Proof:
    """Images were mixed, keeping neither all nor nothing of their own."""
    return was_mixed(evidence, "ClassMix")
