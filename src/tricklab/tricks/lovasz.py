"""Lovász-softmax beside the other losses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._losses import loss_is_trained, with_loss
from tricklab.tricks._types import Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("lovasz", tasks="segmentation", source="Berman et al., CVPR 2018, arXiv 1705.08790")
def lovasz(recipe: Recipe, weight: Positive = 1.0, on: str = "main") -> Recipe:
    """Add the Lovász-softmax loss, on one output, to the losses there are.

    It follows the mean IoU of the batch. val/loss is no longer comparable with that of other arms.
    """
    return with_loss(recipe, "LovaszLoss", on, weight)


@lovasz.probe(when="first_steps")
def term_is_trained(evidence: Evidence, on: str) -> Proof:
    """The loss was computed, and was neither nothing nor always the same."""
    return loss_is_trained(evidence, "LovaszLoss", on)
