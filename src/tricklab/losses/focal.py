"""Focal loss over softmax or sigmoid scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.losses.class_weights import Weighting
from tricklab.losses.pixel_loss import PixelLoss
from tricklab.losses.soft_targets import over_classes
from tricklab.losses.targets import Scoring, distribution, scoring_of
from tricklab.observe import observe
from tricklab.registry import component


@component("loss", source="Lin et al., ICCV 2017, equation 5")
class FocalLoss(PixelLoss):
    """Cross-entropy scaled down where the true class is already likely: -alpha_y (1 - p_y)^gamma log p_y.

    For one label out of K (softmax); with ``use_sigmoid`` the mean of K binary ones, as the paper and OpenMMLab have it
    (OpenMMLab's fails for several classes on a CPU). Of one channel, the score of class 1 of two, it is the binary
    focal loss. The sum is divided by the number of those targets that are not ignored, whatever alpha (``divisor:
    count``), or by that of all (``divisor: all``); all ignored gives 0. With gamma 0 and no alpha it is cross-entropy.

    Where the batch has ``soft_target``, such as Mixup's, the loss is its mean over that distribution, and ``target`` is
    not read: one-hot rows give what classes give. A row of zeros is ignored.

    Observes ``focal/factor``, the mean factor (1 - p_y)^gamma of the labelled targets (with ``use_sigmoid`` of all
    their binary ones).

    Args:
        gamma: how fast easy samples lose weight.
        alpha: another name for ``class_weight``; with ``use_sigmoid`` also one number: the weight of a class where it
            is true, 1 - alpha where it is not.
        use_sigmoid: score each class alone.
        divisor: what the sum is divided by.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float | list[float] | Weighting | None = None,
        use_sigmoid: bool = False,
        divisor: Literal["count", "all"] = "count",
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        if gamma < 0:
            raise UserError(f"must not be negative, not {gamma}", where="FocalLoss.gamma")
        self.gamma, self.divisor, self.use_sigmoid = gamma, divisor, use_sigmoid
        self.positive: float | None = None
        if isinstance(alpha, int | float):
            self.positive = float(alpha)
            if not (use_sigmoid and 0 < alpha < 1):
                raise UserError(
                    f"one number, {alpha}, must lie in (0, 1) and needs use_sigmoid",
                    where="FocalLoss.alpha",
                    fix="give one weight a class",
                )
        elif alpha is not None:
            if self.class_weight is not None:
                raise UserError("alpha and class_weight both give weights of classes", where="FocalLoss.class_weight")
            self.class_weight = self.resolved(alpha, "alpha")

    @property
    def alpha(self) -> torch.Tensor | None:
        """The K weights, if there are any."""
        return self.class_weight

    def losses(self, logits: torch.Tensor, batch: Mapping[str, Any], scoring: Scoring) -> torch.Tensor:
        """(N, ...) of class scores, class weights included; 0 if unlabelled."""
        weight = self.weights_of(logits)
        if scoring == "sigmoid":
            return self._sigmoid(logits, distribution(logits, batch, self.ignore_index), weight)
        if self.positive is not None:
            # of one channel: class 0 is where class 1 is not
            binary = logits.new_tensor([1 - self.positive, self.positive])
            weight = binary if weight is None else weight * binary
        log_share = functional.log_softmax(logits, dim=1)
        if batch.get("soft_target") is not None:
            soft = distribution(logits, batch, self.ignore_index)
            self._observe([(log_share, soft)])
            loss = soft * self._focal(log_share)
            return (loss if weight is None else loss * over_classes(weight, logits)).sum(dim=1)
        target = batch["target"]
        known = target != self.ignore_index
        chosen = target.where(known, 0)
        log_p = log_share.gather(1, chosen.unsqueeze(1)).squeeze(1)
        self._observe([(log_p, known.to(log_p.dtype))])
        loss = self._focal(log_p)
        return (loss if weight is None else loss * weight[chosen]).where(known, 0)

    def _sigmoid(self, logits: torch.Tensor, shares: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        log_p, log_q = functional.logsigmoid(logits), functional.logsigmoid(-logits)
        labelled = shares.sum(dim=1, keepdim=True)
        self._observe([(log_p, shares), (log_q, labelled - shares)])
        true, false = self._focal(log_p), self._focal(log_q)
        if self.positive is not None:
            true, false = self.positive * true, (1 - self.positive) * false
        of_class = 1 if weight is None else (shares * over_classes(weight, logits)).sum(dim=1, keepdim=True)
        return ((shares * true + (labelled - shares) * false) * of_class).mean(dim=1)

    @torch.no_grad()
    def _observe(self, parts: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Tell the mean factor over parts of (log p, share of the target)."""
        total = torch.stack(
            [((-torch.expm1(log_p)).clamp(min=0) ** self.gamma * share).sum() for log_p, share in parts]
        )
        over = torch.stack([share.sum() for _, share in parts]).sum()
        observe("focal/factor", total.sum() / over.where(over > 0, 1))

    def _focal(self, log_p: torch.Tensor) -> torch.Tensor:
        # 1 - p by expm1, so that a sure and right sample keeps its tiny weight; the clamp keeps its gradient finite
        miss = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
        return -(miss**self.gamma) * log_p

    def expected_initial(self, classes: int) -> float | None:
        """The loss of a network that gives all classes the same score, over targets as frequent as in training.

        None where it depends on where the ignored pixels, or those that a sampler keeps, are.
        """
        mined = self.sampler is not None and (self.sampler.divisor == "all" or self.class_weight is not None)
        if mined or (self.divisor == "all" and self.sampler is None) or self.positive is not None:
            return None
        number = self.training_counts(classes)
        scores, target = torch.zeros(classes, classes, dtype=torch.float64), torch.arange(classes)
        loss = self.losses(scores, {"target": target}, scoring_of(scores, self.use_sigmoid))
        return float((number * loss).sum() / number.sum()) if number.any() else None
