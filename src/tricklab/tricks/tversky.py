"""Tversky loss beside the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._losses import loss_is_trained, with_loss
from tricklab.tricks._types import Amount, Positive

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("tversky", tasks="segmentation", source="Salehi et al., MLMI 2017, arXiv 1706.05721")
def tversky(
    recipe: Recipe, alpha: Amount = 0.3, beta: Amount = 0.7, weight: Positive = 1.0, on: str = "main"
) -> Recipe:
    """Add the Tversky loss, a Dice loss that tells the missed from the wrongly found, to the losses there are.

    ``beta`` above ``alpha`` finds more of thin and rare things, and more that is not there. val/loss is no longer
    comparable with that of other arms.
    """
    return with_loss(recipe, "TverskyLoss", on, weight, alpha=alpha, beta=beta)


@tversky.probe(when="first_steps")
def term_is_trained(evidence: Evidence, on: str) -> Proof:
    """The loss was computed, and was neither nothing nor always the same."""
    return loss_is_trained(evidence, "TverskyLoss", on)
