"""Jaccard loss beside the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._losses import loss_is_trained, with_loss
from tricklab.tricks._types import Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("jaccard", tasks="segmentation", source="Rahman & Wang, ISVC 2016")
def jaccard(recipe: Recipe, weight: Positive = 1.0, on: str = "main") -> Recipe:
    """Add the Jaccard loss, one minus the soft IoU of each class and image, to the losses there are.

    Like ``dice``, but a class that is found badly costs more. val/loss is no longer comparable with that of other arms.
    """
    return with_loss(recipe, "JaccardLoss", on, weight)


@jaccard.probe(when="first_steps")
def term_is_trained(evidence: Evidence, on: str) -> Proof:
    """The loss was computed, and was neither nothing nor always the same."""
    return loss_is_trained(evidence, "JaccardLoss", on)
