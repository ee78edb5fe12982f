"""Images and crops drawn for their rare classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._drawn import was_drawn
from tricklab.tricks._types import Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("rare_class_crops", tasks=("segmentation",), source="Hoyer et al., CVPR 2022 (DAFormer), section 3.3")
def rare_class_crops(recipe: Recipe, temperature: Positive = 0.01) -> Recipe:
    """Draw a class, rare ones more often, then an image that has it, then a crop that shows it.

    The smaller ``temperature``, the more the rarest classes are preferred.
    """
    return recipe.set("data.sampler", {"type": "RareClassCrops", "temperature": temperature})


@rare_class_crops.probe(when="fit")
def crops_were_laid_around_classes(evidence: Evidence) -> Proof:
    """A share of the training crops was laid around a pixel of the drawn class; without crops, images were drawn so."""
    laid = was_drawn(evidence, "RareClassCrops")
    if laid.live:
        return laid
    drawn = evidence.fact("data/epoch_class_counts")
    natural = evidence.fact("data/class_counts", {}).get("train")
    if not drawn or not natural or not sum(drawn) or not sum(natural):
        return Proof(False, "neither crops nor the class counts that were drawn are recorded")
    rarest = min((count, number) for number, count in enumerate(natural) if count)[1]
    had, got = natural[rarest] / sum(natural), drawn[rarest] / sum(drawn)
    text = f"the rarest class has {had:.3%} of the training pixels and {got:.3%} of those in the images drawn"
    return Proof(got > had, text, {"training": had, "drawn": got})
