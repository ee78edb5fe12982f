"""Boundary loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import torch

from tricklab.errors import UserError
from tricklab.losses.class_weights import Weighting
from tricklab.losses.distance_maps import signed_distance
from tricklab.losses.pixel_loss import PixelLoss
from tricklab.losses.targets import Scoring, distribution, one_class_each
from tricklab.registry import Kind, component


@component("loss", source="Kervadec et al., MIDL 2019, arXiv 1812.07032, equation 6", given=("class_counts",))
class BoundaryLoss(PixelLoss):
    """Probability times signed distance to the true region, p φ, averaged over classes and pixels.

    φ is the distance in pixels to the nearest pixel of the class, 0 on the region's rim, negative inside; 0 where an
    image has nothing, or nothing else, of the class. The loss may be negative and says nothing of regions that are
    absent, so that it stands beside a loss of regions or pixels. Ignored pixels are not of the class, and count
    nothing. (OpenMMLab's loss of this name is the cross-entropy of an edge output and has no distances.)

    Args:
        on: the model's output that it reads: scores (N, K, H, W); one channel is the score of class 1 of two.
        weight: factor on this term in the total; distances are in pixels, so that a hundredth is usual.
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
            raise UserError(f"must be different class numbers, not {classes}", where="BoundaryLoss.classes")

    def losses(self, logits: torch.Tensor, batch: Mapping[str, Any], scoring: Scoring) -> torch.Tensor:
        """(N, H, W) of class scores, class weights included; 0 if unlabelled.

        Raises:
            UserError: the scores are no maps, or the batch has distributions over the classes for targets.
        """
        known = one_class_each(batch, "BoundaryLoss") != self.ignore_index
        if logits.ndim != 4:
            raise UserError(
                f"BoundaryLoss reads maps of scores (N, K, H, W), not {tuple(logits.shape)}", where="losses"
            )
        # a class of two that is scored in one channel is one region; the other is what it leaves
        first = int(scoring == "one channel")
        classes = list(self.classes) if isinstance(self.classes, list) else list(range(first, logits.shape[1]))
        if max(classes) >= logits.shape[1]:
            raise UserError(f"there is no class {max(classes)} among {logits.shape[1]}", where="BoundaryLoss.classes")
        probability = (logits.sigmoid() if scoring == "sigmoid" else logits.softmax(dim=1))[:, classes]
        truth = distribution(logits, batch, self.ignore_index)[:, classes]
        with torch.no_grad():
            distance = signed_distance(truth > 0).to(logits.dtype)
        found = probability * distance
        weight = self.weights_of(logits)
        share = logits.new_ones(len(classes)) if weight is None else weight[classes]
        return torch.einsum("nkhw,k->nhw", found, share / share.sum()).where(known, 0)
