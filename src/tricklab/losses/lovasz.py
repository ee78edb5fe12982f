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
            errors = functional.relu(1 - (2 * regions.truth - 1) * regions.hinge)
        # uncounted pixels come last: there they change no index of those before them
        order = falling_order(errors.detach().masked_fill(~regions.counted, -1))
        truth = ((regions.truth > 0) & regions.counted).gather(2, order)
        counted = torch.arange(order.shape[2], device=order.device) < regions.counted.sum(dim=2, keepdim=True)
        return (errors.gather(2, order) * jaccard_slope(truth, counted, errors.dtype)).sum(dim=2)


def falling_order(errors: torch.Tensor) -> torch.Tensor:
    """Indices (..., P) int64 of errors from 0 up in falling order, of equal ones the first first, then those below 0.

    On a CPU the bits of a float32 and its place are sorted as one integer, which is several times as fast.

    >>> falling_order(torch.tensor([0.5, -1.0, 0.7, 0.5]))
    tensor([2, 0, 3, 1])
    """
    if errors.device.type != "cpu" or errors.dtype != torch.float32:
        return errors.argsort(dim=-1, descending=True, stable=True)
    # the bits of a number from 0 up grow with it, and those of all below 0 are a negative integer
    keys = errors.contiguous().view(torch.int32).long().neg_().bitwise_left_shift_(32)
    keys |= torch.arange(errors.shape[-1])
    keys.numpy().sort(axis=-1)
    return keys.bitwise_and_(2**32 - 1)


def jaccard_slope(truth: torch.Tensor, counted: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """How the Jaccard loss grows with each further wrong pixel, in order of falling errors.

    With what is found so far, I pixels in common and U together, a pixel of the class adds 1 / U, another one
    I / (U (U - 1)). Published code takes differences of 1 - I / U instead, which float32 cannot tell apart where pixels
    are many: of a million, a slope may be wrong by a tenth.

    Args:
        truth: bool (..., P), whether the pixel is of the class; no uncounted one is.
        counted: bool (..., P).

    >>> jaccard_slope(torch.tensor([True, False, True]), torch.ones(3, dtype=torch.bool))
    tensor([0.5000, 0.1667, 0.3333])
    """
    total = truth.sum(dim=-1, keepdim=True, dtype=torch.int32)
    both = (total - truth.cumsum(dim=-1, dtype=torch.int32)).to(dtype)
    either = (total + (counted & ~truth).cumsum(dim=-1, dtype=torch.int32)).to(dtype)
    slope = torch.where(truth, 1, both / (either - 1).clamp(min=1)) / either.clamp(min=1)
    # where nothing is of the class the loss of one wrong pixel is 1 already
    first = torch.zeros_like(truth)
    first[..., 0] = True
    return torch.where(first & (total == 0), 1, slope).where(counted, 0)
