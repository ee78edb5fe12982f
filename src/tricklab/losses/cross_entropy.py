"""Cross-entropy with class weights, label smoothing and ignored targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.losses.class_weights import Weighting, check_beta, resolve_weights
from tricklab.losses.soft_targets import over_classes, soft_target_of
from tricklab.registry import component


@component("loss", source="torch.nn.CrossEntropyLoss", given=("class_counts",))
class CrossEntropyLoss(nn.Module):
    """Cross-entropy of softmax scores.

    The sum over the samples that are not ignored is divided by the sum of their targets' weights (``divisor: weights``,
    torch's mean) or by their number (``divisor: count``, OpenMMLab's ``avg_non_ignore``). Where every target is ignored
    the loss is 0 with a gradient of 0, not nan. Half-precision scores are computed in float32.

    Where the batch has ``soft_target``, such as Mixup's, that is the target, and ``target`` is not read. Every class
    counts by its share, in the sum and in the divisor: one-hot rows give what classes give, for any weights and
    smoothing. (torch divides soft targets by their number, whatever the weights.) A row of zeros is ignored.

    Args:
        on: the model's output that it reads: scores (N, K, ...).
        weight: factor on this term in the total.
        class_weight: K weights, ``balanced``, ``inverse`` or ``effective`` (see ``class_weights``), or None.
        label_smoothing: share of the target spread evenly over all K classes.
        ignore_index: target that means "no label".
        divisor: what the sum is divided by.
        beta: of the weights ``effective``.
        class_counts: training samples a class; None if unknown.
    """

    def __init__(
        self,
        on: str = "main",
        weight: float = 1.0,
        class_weight: list[float] | Weighting | None = None,
        label_smoothing: float = 0.0,
        ignore_index: int = -1,
        divisor: Literal["weights", "count"] = "weights",
        beta: float = 0.999,
        *,
        class_counts: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise UserError(f"must lie in [0, 1), not {label_smoothing}", where="CrossEntropyLoss.label_smoothing")
        check_beta(beta, "CrossEntropyLoss.beta")
        self.on, self.weight = on, weight
        self.label_smoothing, self.ignore_index, self.divisor = label_smoothing, ignore_index, divisor
        self.class_counts = class_counts
        self.class_weight: torch.Tensor | None
        found = resolve_weights(class_weight, class_counts, beta, "CrossEntropyLoss.class_weight")
        self.register_buffer("class_weight", found, persistent=False)

    def forward(self, logits: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
        """Scalar loss of scores (N, K, ...) and ``batch["target"]`` (N, ...) int64, or ``soft_target`` (N, K, ...)."""
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()
        soft = soft_target_of(batch, logits)
        if soft is not None:
            return self._of_soft(logits, soft)
        target = batch["target"]
        weight = None if self.class_weight is None else self.class_weight.to(logits)
        total = functional.cross_entropy(
            logits,
            target,
            weight,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            reduction="sum",
        )
        known = target != self.ignore_index
        if weight is None or self.divisor == "count":
            over = known.sum().to(logits.dtype)
        else:
            over = weight[target.where(known, 0)].where(known, 0).sum()
        return total / over.where(over > 0, 1)

    def _of_soft(self, logits: torch.Tensor, soft: torch.Tensor) -> torch.Tensor:
        labelled = soft.sum(dim=1, keepdim=True)
        smoothed = soft * (1 - self.label_smoothing) + labelled * (self.label_smoothing / logits.shape[1])
        if self.class_weight is not None:
            weight = over_classes(self.class_weight, logits)
            smoothed = smoothed * weight
            labelled = soft * weight if self.divisor == "weights" else labelled
        total = -(smoothed * functional.log_softmax(logits, dim=1)).sum()
        over = labelled.sum()
        return total / over.where(over > 0, 1)

    def expected_initial(self, classes: int) -> float:
        """The loss of a network that gives all classes the same score, over targets as frequent as in training."""
        counts = [1] * classes if self.class_counts is None else list(self.class_counts)
        loss = functional.cross_entropy(
            torch.zeros(classes, classes, dtype=torch.float64),
            torch.arange(classes),
            self.class_weight,
            label_smoothing=self.label_smoothing,
            reduction="none",
        )
        number = torch.tensor(counts, dtype=torch.float64)
        over = number if self.class_weight is None or self.divisor == "count" else number * self.class_weight
        return float((number * loss).sum() / over.sum())
