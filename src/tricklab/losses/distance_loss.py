"""Base of the losses that weigh each pixel's probability by how far the pixel lies from an outline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch

from tricklab.errors import UserError
from tricklab.losses.chosen_classes import check_classes, chosen_classes
from tricklab.losses.pixel_loss import PixelLoss
from tricklab.losses.soft_targets import over_classes
from tricklab.losses.targets import Scoring, distribution, one_class_each


class DistanceLoss(PixelLoss):
    """A mean over classes, weighted by ``class_weight``, and over pixels. Ignored pixels are not of any class.

    Distances are in pixels, so that a ``weight`` of a hundredth is usual.

    Args:
        classes: ``all``, or a list of class numbers; one channel has class 1 alone.
        use_sigmoid: score each class alone.
        divisor: whether the sum is divided by the number of labelled pixels (``count``) or of all.
    """

    def __init__(
        self,
        classes: Literal["all"] | list[int] = "all",
        use_sigmoid: bool = False,
        divisor: Literal["count", "all"] = "count",
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.classes, self.divisor, self.use_sigmoid = classes, divisor, use_sigmoid
        check_classes(classes, f"{type(self).__name__}.classes")

    def of_maps(self, probability: torch.Tensor, truth: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W): the loss of each pixel and class.

        Args:
            probability: (N, C, H, W) of the C chosen classes.
            truth: bool (N, C, H, W).
            known: bool (N, 1, H, W).
        """
        raise NotImplementedError

    def losses(self, logits: torch.Tensor, batch: Mapping[str, Any], scoring: Scoring) -> torch.Tensor:
        """(N, H, W) of class scores, class weights included; 0 if unlabelled.

        Raises:
            UserError: the scores are no maps, or the batch has distributions over the classes for targets.
        """
        kind = type(self).__name__
        known = one_class_each(batch, kind) != self.ignore_index
        if logits.ndim != 4:
            raise UserError(f"{kind} reads maps of scores (N, K, H, W), not {tuple(logits.shape)}", where="losses")
        classes = list(chosen_classes(self.classes, logits.shape[1], scoring, f"{kind}.classes"))
        probability = (logits.sigmoid() if scoring == "sigmoid" else logits.softmax(dim=1))[:, classes]
        truth = distribution(logits, batch, self.ignore_index)[:, classes] > 0
        found = self.of_maps(probability, truth, known.unsqueeze(1))
        weight = self.weights_of(logits)
        if weight is None:
            return found.mean(dim=1).where(known, 0)
        # no matrix product: automatic mixed precision would take half-precision numbers for it, and distances overflow
        total = (found * over_classes(weight[classes], found)).sum(dim=1)
        over = weight[classes].sum()
        return (total / over.where(over > 0, 1)).where(known, 0)
