"""Lovász losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional

from tricklab.losses.region_loss import Classes, RegionLoss, Regions
from tricklab.losses.targets import one_class_each
from tricklab.registry import component


@component("loss", source="Berman et al., CVPR 2018, arXiv 1705.08790, algorithm 1")
class LovaszLoss(RegionLoss):
    """Lovász-softmax: one minus the Jaccard index, closed convexly over the errors |t - p|, averaged over the classes.

    Of one channel, the score x of class 1 of two, it is the Lovász hinge, of the errors 1 - (2 t - 1) x. Ignored pixels
    belong to no region. Published defaults (``classes: present``, the batch as one image) work as they stand;
    OpenMMLab's fail with them, and its version does not see the pixels that a sampler drops.

    Args:
        classes: ``all``, ``present`` (those with a pixel) or a list of class numbers; one channel has class 1 alone.
        per_image: whether each image has its own value, or the batch one.
    """

    def __init__(self, classes: Classes = "present", per_image: bool = False, **rest: Any) -> None:
        super().__init__(classes, per_image, **rest)

    def forward(self, logits: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
        """Scalar loss of scores (N, K, ...) and ``batch["target"]`` (N, ...) int64.

        Raises:
            UserError: the batch has distributions over the classes for targets.
        """
        one_class_each(batch, type(self).__name__)
        return super().forward(logits, batch)

    def of_regions(self, regions: Regions) -> torch.Tensor:
        """(N, C): the loss of each image and class."""
        if regions.hinge is None:
            errors = (regions.truth - regions.probability).abs()
        else:
            errors = 1 - (2 * regions.truth - 1) * regions.hinge
        # uncounted pixels come last: there they change no index of those before them
        order = errors.masked_fill(~regions.counted, -torch.inf).argsort(dim=2, descending=True, stable=True)
        truth = (regions.truth * regions.counted).gather(2, order)
        counted = regions.counted.expand_as(order).gather(2, order)
        slope = jaccard_slope(truth, counted)
        return (functional.relu(errors).gather(2, order) * slope).sum(dim=2)


def jaccard_slope(truth: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """How the Jaccard loss grows with each further wrong pixel, in order of falling errors.

    Args:
        truth: (..., P) 1 where the pixel is of the class, uncounted ones 0.
        counted: bool (..., P).

    >>> jaccard_slope(torch.tensor([1.0, 0.0, 1.0]), torch.ones(3, dtype=torch.bool))
    tensor([0.5000, 0.1667, 0.3333])
    """
    total = truth.sum(dim=-1, keepdim=True)
    both = total - truth.cumsum(dim=-1)
    either = total + (counted.to(truth.dtype) - truth).cumsum(dim=-1)
    jaccard = 1 - both / either.where(either > 0, 1)
    # where nothing is of the class the loss of one wrong pixel is 1 already
    slope = torch.cat([jaccard[..., :1], jaccard[..., 1:] - jaccard[..., :-1]], dim=-1)
    return slope.where(counted, 0)
