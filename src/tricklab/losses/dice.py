"""Dice loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch

from tricklab.errors import UserError
from tricklab.losses.class_weights import Weighting
from tricklab.losses.region_loss import Classes, RegionLoss, Regions, quotient
from tricklab.registry import Kind, component


@component("loss", source="Milletari et al., 3DV 2016; OpenMMLab's DiceLoss (releases 0.x)", given=("class_counts",))
class DiceLoss(RegionLoss):
    """One minus the Dice coefficient, (2 Σ p t + smooth) / (Σ p^e + Σ t^e + smooth), averaged over the classes.

    Each class counts alike however few its pixels are, and ignored pixels belong to no sum, as document and defaults of
    OpenMMLab's releases 0.x have it (softmax, one ratio a class, pixel mask). Releases 1.x take sigmoids of K exclusive
    classes, one ratio of all channels together, and take ``ignore_index`` for a channel. An image without a counted
    pixel has no ratio.

    Args:
        on: the model's output that it reads: scores (N, K, ...); one channel is the score of class 1 of two.
        weight: factor on this term in the total.
        smooth: added above and below; 0 is allowed: an empty class that is predicted empty then costs nothing.
        exponent: e, of probabilities and truth below; 1 (Sørensen) or 2 (V-Net).
        class_weight: K weights of the mean over classes, ``balanced``, ``inverse``, ``log``, ``effective``, or None.
        classes: ``all``, ``present`` (those with a pixel) or a list of class numbers; one channel has class 1 alone.
        per_image: whether each image has its own ratio, or the batch one.
        use_sigmoid: score each class alone.
        ignore_index: target that means "no label"; None: as the task has it, else -1.
        beta: of the weights ``effective``.
        sampler: of kind pixel_sampler: which pixels count.
        name: what the term is called; None: by its type and output.
        class_counts: training samples a class; None if unknown.
    """

    def __init__(
        self,
        on: str = "main",
        weight: float = 1.0,
        smooth: float = 1.0,
        exponent: int = 2,
        class_weight: list[float] | Weighting | None = None,
        classes: Classes = "all",
        per_image: bool = True,
        use_sigmoid: bool = False,
        ignore_index: int | None = None,
        beta: float = 0.999,
        sampler: Annotated[dict[str, Any], Kind("pixel_sampler")] | None = None,
        name: str | None = None,
        *,
        class_counts: Sequence[int] | None = None,
    ) -> None:
        super().__init__(
            classes,
            per_image,
            use_sigmoid,
            on=on,
            weight=weight,
            name=name,
            class_weight=class_weight,
            beta=beta,
            ignore_index=ignore_index,
            sampler=sampler,
            class_counts=class_counts,
        )
        if smooth < 0 or exponent not in (1, 2):
            raise UserError(f"smooth {smooth} must not be negative, exponent {exponent} 1 or 2", where="DiceLoss")
        self.smooth, self.exponent = smooth, exponent

    def of_regions(self, regions: Regions) -> torch.Tensor:
        """(N, C): the loss of each image and class."""
        probability, truth = regions.probability * regions.counted, regions.truth * regions.counted
        both = (probability * truth).sum(dim=2)
        each = (probability**self.exponent).sum(dim=2) + (truth**self.exponent).sum(dim=2)
        return 1 - quotient(2 * both + self.smooth, each + self.smooth)
