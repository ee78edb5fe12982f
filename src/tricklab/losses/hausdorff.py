"""Hausdorff distance loss."""

from __future__ import annotations

from typing import Any

import torch

from tricklab.errors import UserError
from tricklab.losses.distance_loss import DistanceLoss
from tricklab.losses.distance_maps import rim_distance
from tricklab.registry import component


@component("loss", source="Karimi & Salcudean, TMI 2020, arXiv 1904.10030, equation 8")
class HausdorffDistanceLoss(DistanceLoss):
    """(p - t)² (d_p^alpha + d_t^alpha), averaged over classes and pixels: errors far from both outlines cost most.

    d_t is the distance in pixels from the outline of the true region, d_p from that of the pixels with p above .5, on
    both sides of it; each is 0 where there is no outline. d_p has no gradient. Ignored pixels are not of the class, and
    count nothing. (OpenMMLab's HuasdorffDisstanceLoss compares probabilities with class numbers.)

    Args:
        alpha: power of the distances, above 0.
    """

    def __init__(self, alpha: float = 2.0, **rest: Any) -> None:
        super().__init__(**rest)
        if alpha <= 0:
            raise UserError(f"must be above 0, not {alpha}", where="HausdorffDistanceLoss.alpha")
        self.alpha = alpha

    def of_maps(self, probability: torch.Tensor, truth: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W): the loss of each pixel and class."""
        with torch.no_grad():
            # an ignored pixel is on neither side of an outline that the network draws
            drawn = (probability > 0.5) & known
            far = rim_distance(drawn) ** self.alpha + rim_distance(truth) ** self.alpha
        return (probability - truth.to(probability.dtype)) ** 2 * far.to(probability.dtype)
