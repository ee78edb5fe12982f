"""Focal loss over softmax scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.losses.class_weights import Weighting, check_beta, resolve_weights
from tricklab.losses.soft_targets import over_classes, soft_target_of
from tricklab.registry import component


@component("loss", source="Lin et al., ICCV 2017, equation 5", given=("class_counts",))
class FocalLoss(nn.Module):
    """Cross-entropy scaled down where the true class is already likely: -alpha_y (1 - p_y)^gamma log p_y.

    For one label out of K (softmax); the paper and OpenMMLab use K sigmoids. The sum is divided by the number of those
    targets that are not ignored, whatever alpha; all ignored gives 0. With gamma 0 and no alpha it is cross-entropy.

    Where the batch has ``soft_target``, such as Mixup's, the loss is its mean over that distribution, and ``target`` is
    not read: one-hot rows give what classes give. A row of zeros is ignored.

    Args:
        on: the model's output that it reads: scores (N, K, ...).
        weight: factor on this term in the total.
        gamma: how fast easy samples lose weight.
        alpha: K weights, ``balanced``, ``inverse`` or ``effective`` (see ``class_weights``), or None.
        ignore_index: target that means "no label".
        beta: of the weights ``effective``.
        class_counts: training samples a class; None if unknown.
    """

    def __init__(
        self,
        on: str = "main",
        weight: float = 1.0,
        gamma: float = 2.0,
        alpha: list[float] | Weighting | None = None,
        ignore_index: int = -1,
        beta: float = 0.999,
        *,
        class_counts: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if gamma < 0:
            raise UserError(f"must not be negative, not {gamma}", where="FocalLoss.gamma")
        check_beta(beta, "FocalLoss.beta")
        self.on, self.weight, self.gamma, self.ignore_index = on, weight, gamma, ignore_index
        self.class_counts = class_counts
        self.alpha: torch.Tensor | None
        self.register_buffer("alpha", resolve_weights(alpha, class_counts, beta, "FocalLoss.alpha"), persistent=False)

    def forward(self, logits: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
        """Scalar loss of scores (N, K, ...) and ``batch["target"]`` (N, ...) int64, or ``soft_target`` (N, K, ...)."""
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()
        log_share = functional.log_softmax(logits, dim=1)
        soft = soft_target_of(batch, logits)
        if soft is not None:
            loss = soft * self._focal(log_share)
            if self.alpha is not None:
                loss = loss * over_classes(self.alpha, logits)
            labelled = soft.sum()
            return loss.sum() / labelled.where(labelled > 0, 1)
        target = batch["target"]
        known = target != self.ignore_index
        chosen = target.where(known, 0)
        loss = self._focal(log_share.gather(1, chosen.unsqueeze(1)).squeeze(1))
        if self.alpha is not None:
            loss = loss * self.alpha.to(logits)[chosen]
        number = known.sum().to(logits.dtype)
        return loss.where(known, 0).sum() / number.clamp(min=1)

    def _focal(self, log_p: torch.Tensor) -> torch.Tensor:
        # 1 - p by expm1, so that a sure and right sample keeps its tiny weight; the clamp keeps its gradient finite
        miss = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
        return -(miss**self.gamma) * log_p

    def expected_initial(self, classes: int) -> float:
        """The loss of a network that gives all classes the same score, over targets as frequent as in training."""
        counts = [1] * classes if self.class_counts is None else list(self.class_counts)
        number = torch.tensor(counts, dtype=torch.float64)
        alpha = torch.ones(classes, dtype=torch.float64) if self.alpha is None else self.alpha
        log_k = torch.tensor(float(classes), dtype=torch.float64).log()
        return float((number * alpha).sum() / number.sum() * (1 - 1 / classes) ** self.gamma * log_k)
