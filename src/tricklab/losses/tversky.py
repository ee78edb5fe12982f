"""Tversky loss."""

from __future__ import annotations

from typing import Any

import torch

from tricklab.errors import UserError
from tricklab.losses.region_loss import RegionLoss, Regions, quotient
from tricklab.registry import component


@component("loss", source="Salehi et al., MLMI 2017; OpenMMLab's TverskyLoss")
class TverskyLoss(RegionLoss):
    """One minus the Tversky index, (TP + smooth) / (TP + alpha FP + beta FN + smooth), averaged over the classes.

    TP = Σ p t, FP = Σ p (1 - t), FN = Σ (1 - p) t over the pixels that are not ignored. With both factors .5 it is the
    Dice loss of exponent 1 and half its ``smooth``, with both 1 the Jaccard loss. OpenMMLab wants the two to add up to
    1 exactly, which sums of decimal fractions may fail to; here any two will do.

    Args:
        alpha: factor on what was wrongly found.
        beta: factor on what was missed.
        smooth: added above and below; 0 is allowed: an empty class that is predicted empty then costs nothing.
        class_beta: of the weights ``effective``.
    """

    def __init__(
        self, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0, class_beta: float = 0.999, **rest: Any
    ) -> None:
        super().__init__(beta=class_beta, **rest)
        if min(alpha, beta, smooth) < 0 or not alpha + beta:
            raise UserError(
                f"alpha {alpha}, beta {beta} and smooth {smooth} must not be negative, the first two not both 0",
                where="TverskyLoss",
            )
        self.alpha, self.beta, self.smooth = alpha, beta, smooth

    def of_regions(self, regions: Regions) -> torch.Tensor:
        """(N, C): the loss of each image and class."""
        probability, truth = regions.probability * regions.counted, regions.truth * regions.counted
        both = (probability * truth).sum(dim=2)
        wrong, missed = probability.sum(dim=2) - both, truth.sum(dim=2) - both
        return 1 - quotient(both + self.smooth, both + self.alpha * wrong + self.beta * missed + self.smooth)
