"""Hausdorff distance loss beside the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._losses import loss_is_trained, with_loss
from tricklab.tricks._types import Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("hausdorff", tasks="segmentation", source="Karimi & Salcudean, TMI 2020, arXiv 1904.10030")
def hausdorff(recipe: Recipe, weight: Positive = 0.01, on: str = "main") -> Recipe:
    """Add the Hausdorff distance loss, of errors far from both outlines, to the losses there are.

    Distances are in pixels and squared, hence the small weight. It takes four distance maps of each class and image.
    val/loss is no longer comparable with that of other arms.
    """
    return with_loss(recipe, "HausdorffDistanceLoss", on, weight)


@hausdorff.probe(when="first_steps")
def term_is_trained(evidence: Evidence, on: str) -> Proof:
    """The loss was computed, and was neither nothing nor always the same."""
    return loss_is_trained(evidence, "HausdorffDistanceLoss", on)
