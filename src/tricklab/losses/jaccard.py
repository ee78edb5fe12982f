"""Jaccard loss."""

from __future__ import annotations

from typing import Any

import torch

from tricklab.errors import UserError
from tricklab.losses.region_loss import RegionLoss, Regions, quotient
from tricklab.registry import component


@component("loss", source="Rahman & Wang, ISVC 2016; segmentation-models-pytorch's JaccardLoss")
class JaccardLoss(RegionLoss):
    """One minus the soft Jaccard index, (Σ p t + smooth) / (Σ p + Σ t - Σ p t + smooth), averaged over the classes.

    Ignored pixels belong to no sum. An image without a counted pixel has no ratio.

    Args:
        smooth: added above and below; 0 is allowed: an empty class that is predicted empty then costs nothing.
    """

    def __init__(self, smooth: float = 1.0, **rest: Any) -> None:
        super().__init__(**rest)
        if smooth < 0:
            raise UserError(f"must not be negative, not {smooth}", where="JaccardLoss.smooth")
        self.smooth = smooth

    def of_regions(self, regions: Regions) -> torch.Tensor:
        """(N, C): the loss of each image and class."""
        probability, truth = regions.probability * regions.counted, regions.truth * regions.counted
        both = (probability * truth).sum(dim=2)
        either = probability.sum(dim=2) + truth.sum(dim=2) - both
        return 1 - quotient(both + self.smooth, either + self.smooth)
