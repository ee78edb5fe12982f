"""Boundary loss beside the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._losses import loss_is_trained, with_loss
from tricklab.tricks._types import Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("boundary", tasks="segmentation", source="Kervadec et al., MIDL 2019, arXiv 1812.07032")
def boundary(recipe: Recipe, weight: Positive = 0.01, on: str = "main") -> Recipe:
    """Add the boundary loss, of distances to the true outline, on one output, to the losses there are.

    Distances are in pixels, hence the small weight. val/loss is no longer comparable with that of other arms.
    """
    return with_loss(recipe, "BoundaryLoss", on, weight)


@boundary.probe(when="first_steps")
def term_is_trained(evidence: Evidence, on: str) -> Proof:
    """The loss was computed, and was neither nothing nor always the same."""
    return loss_is_trained(evidence, "BoundaryLoss", on)
