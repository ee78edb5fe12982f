"""Polynomial decay of the learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tricklab.tricks._base import Proof, Recipe, trick
from tricklab.tricks._schedules import falls_below, with_decay
from tricklab.tricks._types import Positive, Share

if TYPE_CHECKING:
    from tricklab.records.evidence import Evidence


@trick("poly", source="Liu et al., ParseNet, 2015, arXiv 1506.04579; DeepLab; torch.optim.lr_scheduler.PolynomialLR")
def poly(recipe: Recipe, power: Positive = 0.9, eta_min_ratio: Share = 0.0) -> Recipe:
    """Lower the learning rate by (1 - t / T) ^ power, the usual decay of semantic segmentation.

    ``eta_min_ratio`` is the share of the learning rate that is left at the end. Takes the place of another decay;
    multiplies with a warm-up.
    """
    return with_decay(recipe, {"type": "Poly", "power": power, "eta_min_ratio": eta_min_ratio})


@poly.probe(when="fit")
def rate_fell(evidence: Evidence, eta_min_ratio: float) -> Proof:
    """The learning rate fell at least three quarters of the way from its highest to the share that was asked for."""
    return falls_below(evidence, "Poly", 0.25 + 0.75 * eta_min_ratio)
