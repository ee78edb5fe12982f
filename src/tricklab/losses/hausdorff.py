"""Hausdorff distance loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import torch

from tricklab.errors import UserError
from tricklab.losses.class_weights import Weighting
from tricklab.losses.distance_maps import rim_distance
from tricklab.losses.pixel_loss import PixelLoss
from tricklab.losses.targets import Scoring, distribution, one_class_each
from tricklab.registry import Kind, component


@component("loss", source="Karimi & Salcudean, TMI 2020, arXiv 1904.10030, equation 8", given=("class_counts",))
class HausdorffDistanceLoss(PixelLoss):
    """(p - t)² (d_p^alpha + d_t^alpha), averaged over classes and pixels: errors far from both outlines cost most.

    d_t is the distance in pixels from the outline of the true region, d_p from that of the pixels with p above .5, on
    both sides of it; each is 0 where there is no outline. d_p has no gradient. Ignored pixels are not of the class, and
    count nothing. (OpenMMLab's HuasdorffDisstanceLoss compares probabilities with class numbers.)

    Args:
        on: the model's output that it reads: scores (N, K, H, W); one channel is the score of class 1 of two.
        weight: factor on this term in the total; distances are in pixels, so that a hundredth is usual.
        alpha: power of the distances, above 0.
        class_weight: K weights of the mean over classes, ``balanced``, ``inverse``, ``log``, ``effective``, or None.
        classes: ``all``, or a list of class numbers; one channel has class 1 alone.
        use_sigmoid: score each class alone.
        ignore_index: target that means "no label"; None: as the task has it, else -1.
        divisor: whether the sum is divided by the number of labelled pixels (``count``) or of all.
        beta: of the weights ``effective``.
        sampler: of kind pixel_sampler: which pixels count.
        name: what the term is called; None: by its type and output.
        class_counts: training samples a class; None if unknown.
    """

    def __init__(
        self,
        on: str = "main",
        weight: float = 1.0,
        alpha: float = 2.0,
        class_weight: list[float] | Weighting | None = None,
        classes: Literal["all"] | list[int] = "all",
        use_sigmoid: bool = False,
        ignore_index: int | None = None,
        divisor: Literal["count", "all"] = "count",
        beta: float = 0.999,
        sampler: Annotated[dict[str, Any], Kind("pixel_sampler")] | None = None,
        name: str | None = None,
        *,
        class_counts: Sequence[int] | None = None,
    ) -> None:
        super().__init__(on, weight, name, class_weight, beta, ignore_index, sampler, class_counts)
        self.classes, self.divisor, self.use_sigmoid = classes, divisor, use_sigmoid
        if isinstance(classes, list) and (not classes or min(classes) < 0 or len(set(classes)) < len(classes)):
            raise UserError(f"must be different class numbers, not {classes}", where="HausdorffDistanceLoss.classes")
        if alpha <= 0:
            raise UserError(f"must be above 0, not {alpha}", where="HausdorffDistanceLoss.alpha")
        self.alpha = alpha

    def losses(self, logits: torch.Tensor, batch: Mapping[str, Any], scoring: Scoring) -> torch.Tensor:
        """(N, H, W) of class scores, class weights included; 0 if unlabelled.

        Raises:
            UserError: the scores are no maps, or the batch has distributions over the classes for targets.
        """
        known = one_class_each(batch, "HausdorffDistanceLoss") != self.ignore_index
        if logits.ndim != 4:
            raise UserError(
                f"HausdorffDistanceLoss reads maps of scores (N, K, H, W), not {tuple(logits.shape)}", where="losses"
            )
        # a class of two that is scored in one channel is one region; the other is what it leaves
        first = int(scoring == "one channel")
        classes = list(self.classes) if isinstance(self.classes, list) else list(range(first, logits.shape[1]))
        if max(classes) >= logits.shape[1]:
            raise UserError(
                f"there is no class {max(classes)} among {logits.shape[1]}", where="HausdorffDistanceLoss.classes"
            )
        probability = (logits.sigmoid() if scoring == "sigmoid" else logits.softmax(dim=1))[:, classes]
        truth = distribution(logits, batch, self.ignore_index)[:, classes]
        with torch.no_grad():
            # an ignored pixel is on neither side of an outline that the network draws
            drawn = (probability > 0.5) & known.unsqueeze(1)
            far = rim_distance(drawn) ** self.alpha + rim_distance(truth > 0) ** self.alpha
        found = (probability - truth) ** 2 * far.to(logits.dtype)
        weight = self.weights_of(logits)
        share = logits.new_ones(len(classes)) if weight is None else weight[classes]
        return torch.einsum("nkhw,k->nhw", found, share / share.sum()).where(known, 0)
