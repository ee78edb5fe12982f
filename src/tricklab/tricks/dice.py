"""Dice loss beside the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._losses import loss_is_trained, with_loss
from tricklab.tricks._types import Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick(
    "dice",
    tasks="segmentation",
    source="Milletari et al., 3DV 2016; OpenMMLab's UNet configurations (cross-entropy and 3 Dice)",
)
def dice(recipe: Recipe, weight: Positive = 3.0, on: str = "main") -> Recipe:
    """Add the Dice loss, on one output, to the losses there are.

    A mean over softmax's classes with ignored pixels masked, three times as heavy as the cross-entropy by default.
    val/loss is no longer comparable with that of other arms.
    """
    return with_loss(recipe, "DiceLoss", on, weight)


@dice.probe(when="first_steps")
def term_is_trained(evidence: Evidence, on: str) -> Proof:
    """The loss was computed, and was neither nothing nor always the same."""
    return loss_is_trained(evidence, "DiceLoss", on)
