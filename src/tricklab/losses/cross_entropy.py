"""Cross-entropy with class weights, label smoothing and ignored targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.losses.pixel_loss import PixelLoss
from tricklab.losses.soft_targets import over_classes
from tricklab.losses.targets import Scoring, distribution, scoring_of
from tricklab.registry import component


@component("loss", source="torch.nn.CrossEntropyLoss; OpenMMLab's CrossEntropyLoss")
class CrossEntropyLoss(PixelLoss):
    """Cross-entropy of softmax or sigmoid scores.

    The sum over the samples, such as pixels, that are not ignored is divided by the sum of their targets' weights
    (``divisor: weights``, torch's mean), by their number (``divisor: count``, OpenMMLab's ``avg_non_ignore``), or by
    that of all, ignored ones included (``divisor: all``, OpenMMLab's default: the loss shrinks with what is ignored).
    Where every target is ignored the loss is 0 with a gradient of 0, not nan. Half-precision scores are computed in
    float32. Of one channel, the score of class 1 of two, it is the binary cross-entropy.

    Where the batch has ``soft_target``, such as Mixup's, that is the target, and ``target`` is not read. Every class
    counts by its share, in the sum and in the divisor: one-hot rows give what classes give, for any weights and
    smoothing. (torch divides soft targets by their number, whatever the weights.) A row of zeros is ignored.

    With ``use_sigmoid`` the loss of a pixel is the mean over the classes of their binary cross-entropies. The weight of
    a pixel is that of its class in every case; OpenMMLab fails on weights with sigmoids, and on ignored pixels with
    weights.

    Args:
        label_smoothing: share of the target spread evenly over all K classes.
        divisor: what the sum is divided by.
        use_sigmoid: score each class alone.
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        divisor: Literal["weights", "count", "all"] = "weights",
        use_sigmoid: bool = False,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        if not 0 <= label_smoothing < 1:
            raise UserError(f"must lie in [0, 1), not {label_smoothing}", where="CrossEntropyLoss.label_smoothing")
        self.label_smoothing, self.divisor, self.use_sigmoid = label_smoothing, divisor, use_sigmoid

    def total(self, logits: torch.Tensor, batch: Mapping[str, Any], scoring: Scoring) -> torch.Tensor:
        """The sum of ``losses``; without maps of them where it can."""
        if scoring == "sigmoid":
            return self.losses(logits, batch, scoring).sum()
        if batch.get("soft_target") is not None:
            return -self._likely(logits, batch).sum()
        return self._of_classes(logits, batch, "sum")

    def losses(self, logits: torch.Tensor, batch: Mapping[str, Any], scoring: Scoring) -> torch.Tensor:
        """(N, ...) of class scores, class weights included; 0 if unlabelled."""
        if scoring != "sigmoid":
            if batch.get("soft_target") is not None:
                return -self._likely(logits, batch).sum(dim=1)
            return self._of_classes(logits, batch, "none")
        weight, shares = self.weights_of(logits), distribution(logits, batch, self.ignore_index)
        of_class = shares if weight is None else shares * over_classes(weight, logits)
        binary = functional.softplus(logits) - logits * self._smoothed(shares)
        return (binary * of_class.sum(dim=1, keepdim=True)).mean(dim=1)

    def log_chance(
        self, losses: torch.Tensor, logits: torch.Tensor, batch: Mapping[str, Any], scoring: Scoring
    ) -> torch.Tensor:
        """(N, ...) logarithm of the probability of the true class: minus the loss, where nothing is added to it."""
        plain = self.class_weight is None and not self.label_smoothing and batch.get("soft_target") is None
        if plain and scoring != "sigmoid":
            return -losses.detach()
        return super().log_chance(losses, logits, batch, scoring)

    def _of_classes(self, logits: torch.Tensor, batch: Mapping[str, Any], reduction: str) -> torch.Tensor:
        return functional.cross_entropy(
            logits,
            batch["target"],
            self.weights_of(logits),
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            reduction=reduction,
        )

    def _likely(self, logits: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
        smoothed = self._smoothed(distribution(logits, batch, self.ignore_index))
        weight = self.weights_of(logits)
        if weight is not None:
            smoothed = smoothed * over_classes(weight, logits)
        return smoothed * functional.log_softmax(logits, dim=1)

    def _smoothed(self, shares: torch.Tensor) -> torch.Tensor:
        labelled = shares.sum(dim=1, keepdim=True)
        return shares * (1 - self.label_smoothing) + labelled * (self.label_smoothing / shares.shape[1])

    def expected_initial(self, classes: int) -> float | None:
        """The loss of a network that gives all classes the same score, over targets as frequent as in training.

        None where it depends on where the ignored pixels, or those that a sampler keeps, are.
        """
        mined = self.sampler is not None and (self.sampler.divisor == "all" or self.class_weight is not None)
        if mined or (self.divisor == "all" and self.sampler is None):
            return None
        scores, target = torch.zeros(classes, classes, dtype=torch.float64), torch.arange(classes)
        loss = self.losses(scores, {"target": target}, scoring_of(scores, self.use_sigmoid))
        number = self.training_counts(classes)
        over = (number if self.class_weight is None or self.divisor == "count" else number * self.class_weight).sum()
        return float((number * loss).sum() / over) if over > 0 else None
