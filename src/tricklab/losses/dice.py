"""Dice loss."""

from __future__ import annotations

from typing import Any

import torch

from tricklab.errors import UserError
from tricklab.losses.region_loss import RegionLoss, Regions, quotient
from tricklab.registry import component


@component("loss", source="Milletari et al., 3DV 2016; OpenMMLab's DiceLoss (releases 0.x)")
class DiceLoss(RegionLoss):
    """One minus the Dice coefficient, (2 Σ p t + smooth) / (Σ p^e + Σ t^e + smooth), averaged over the classes.

    Each class counts alike however few its pixels are, and ignored pixels belong to no sum, as document and defaults of
    OpenMMLab's releases 0.x have it (softmax, one ratio a class, pixel mask). Releases 1.x take sigmoids of K exclusive
    classes, one ratio of all channels together, and take ``ignore_index`` for a channel. An image without a counted
    pixel has no ratio.

    Args:
        smooth: added above and below; 0 is allowed: an empty class that is predicted empty then costs nothing.
        exponent: e, of probabilities and truth below; 1 (Sørensen) or 2 (V-Net).
    """

    def __init__(self, smooth: float = 1.0, exponent: int = 2, **rest: Any) -> None:
        super().__init__(**rest)
        if smooth < 0 or exponent not in (1, 2):
            raise UserError(f"smooth {smooth} must not be negative, exponent {exponent} 1 or 2", where="DiceLoss")
        self.smooth, self.exponent = smooth, exponent

    def of_regions(self, regions: Regions) -> torch.Tensor:
        """(N, C): the loss of each image and class."""
        probability, truth = regions.probability * regions.counted, regions.truth * regions.counted
        both = (probability * truth).sum(dim=2)
        each = (probability**self.exponent).sum(dim=2) + (truth**self.exponent).sum(dim=2)
        return 1 - quotient(2 * both + self.smooth, each + self.smooth)
