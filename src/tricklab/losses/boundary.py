"""Boundary loss."""

from __future__ import annotations

import torch

from tricklab.losses.distance_loss import DistanceLoss
from tricklab.losses.distance_maps import signed_distance
from tricklab.registry import component


@component("loss", source="Kervadec et al., MIDL 2019, arXiv 1812.07032, equation 6")
class BoundaryLoss(DistanceLoss):
    """Probability times signed distance to the true region, p φ, averaged over classes and pixels.

    φ is the distance in pixels to the nearest pixel of the class, 0 on the region's rim, negative inside; 0 where an
    image has nothing, or nothing else, of the class. The loss may be negative and says nothing of regions that are
    absent, so that it stands beside a loss of regions or pixels. Ignored pixels are not of the class, and count
    nothing. (OpenMMLab's loss of this name is the cross-entropy of an edge output and has no distances.)
    """

    def of_maps(self, probability: torch.Tensor, truth: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W): the loss of each pixel and class."""
        with torch.no_grad():
            distance = signed_distance(truth).to(probability.dtype)
        return probability * distance
