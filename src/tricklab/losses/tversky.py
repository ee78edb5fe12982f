"""Tversky loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch

from tricklab.errors import UserError
from tricklab.losses.class_weights import Weighting
from tricklab.losses.region_loss import Classes, RegionLoss, Regions, quotient
from tricklab.registry import Kind, component


@component("loss", source="Salehi et al., MLMI 2017; OpenMMLab's TverskyLoss", given=("class_counts",))
class TverskyLoss(RegionLoss):
    """One minus the Tversky index, (TP + smooth) / (TP + alpha FP + beta FN + smooth), averaged over the classes.

    TP = Σ p t, FP = Σ p (1 - t), FN = Σ (1 - p) t over the pixels that are not ignored. With both factors .5 it is the
    Dice loss of exponent 1 and half its ``smooth``, with both 1 the Jaccard loss. OpenMMLab wants the two to add up to
    1 exactly, which sums of decimal fractions may fail to; here any two will do.

    Args:
        on: the model's output that it reads: scores (N, K, ...); one channel is the score of class 1 of two.
        weight: factor on this term in the total.
        alpha: factor on what was wrongly found.
        beta: factor on what was missed.
        smooth: added above and below; 0 is allowed: an empty class that is predicted empty then costs nothing.
        class_weight: K weights of the mean over classes, ``balanced``, ``inverse``, ``log``, ``effective``, or None.
        classes: ``all``, ``present`` (those with a pixel) or a list of class numbers; one channel has class 1 alone.
        per_image: whether each image has its own ratio, or the batch one.
        use_sigmoid: score each class alone.
        ignore_index: target that means "no label"; None: as the task has it, else -1.
        class_beta: of the weights ``effective``.
        sampler: of kind pixel_sampler: which pixels count.
        name: what the term is called; None: by its type and output.
        class_counts: training samples a class; None if unknown.
    """

    def __init__(
        self,
        on: str = "main",
        weight: float = 1.0,
        alpha: float = 0.3,
        beta: float = 0.7,
        smooth: float = 1.0,
        class_weight: list[float] | Weighting | None = None,
        classes: Classes = "all",
        per_image: bool = True,
        use_sigmoid: bool = False,
        ignore_index: int | None = None,
        class_beta: float = 0.999,
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
            beta=class_beta,
            ignore_index=ignore_index,
            sampler=sampler,
            class_counts=class_counts,
        )
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
