"""What every loss reads of a batch: scores of at least two classes, one class a pixel or a distribution over them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.losses.soft_targets import soft_target_of

NO_LABEL = -1
Scoring = Literal["softmax", "sigmoid", "one channel"]


def scoring_of(logits: torch.Tensor, use_sigmoid: bool) -> Scoring:
    """How raw scores (N, K, ...) become probabilities: one channel of two classes, K classes alone, or all together."""
    if logits.shape[1] == 1:
        return "one channel"
    return "sigmoid" if use_sigmoid else "softmax"


def class_scores(logits: torch.Tensor) -> torch.Tensor:
    """Scores (N, K, ...) in float32 or wider, K at least 2.

    One channel x, the score of class 1 against class 0, becomes (0, x): the softmax of the two is the sigmoid of x.
    """
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    return torch.cat([torch.zeros_like(logits), logits], dim=1) if logits.shape[1] == 1 else logits


def known_pixels(logits: torch.Tensor, batch: Mapping[str, Any], ignore_index: int) -> torch.Tensor:
    """Bool (N, ...): which pixels have a label. ``logits`` are class scores."""
    soft = soft_target_of(batch, logits)
    if soft is not None:
        return soft.sum(dim=1) > 0
    target: torch.Tensor = batch["target"]
    return target != ignore_index


def distribution(logits: torch.Tensor, batch: Mapping[str, Any], ignore_index: int) -> torch.Tensor:
    """(N, K, ...) share of each class in each pixel, as the logits' type; zeros where there is no label."""
    soft = soft_target_of(batch, logits)
    if soft is not None:
        return soft
    target = batch["target"]
    known = target != ignore_index
    share = known.unsqueeze(1).to(logits.dtype)
    return torch.zeros_like(logits).scatter_(1, target.where(known, 0).unsqueeze(1), share)


def log_chance(logits: torch.Tensor, batch: Mapping[str, Any], ignore_index: int, scoring: Scoring) -> torch.Tensor:
    """(N, ...) logarithm of the probability of the true class; of a distribution, its mean; 0 without a label.

    Args:
        scoring: of the raw scores; ``logits`` are class scores.
    """
    log_share = functional.logsigmoid(logits) if scoring == "sigmoid" else functional.log_softmax(logits, dim=1)
    soft = soft_target_of(batch, logits)
    if soft is not None:
        over = soft.sum(dim=1)
        return (soft * log_share).sum(dim=1) / over.where(over > 0, 1)
    target = batch["target"]
    known = target != ignore_index
    return log_share.gather(1, target.where(known, 0).unsqueeze(1)).squeeze(1).where(known, 0)


def one_class_each(batch: Mapping[str, Any], reader: str) -> torch.Tensor:
    """``batch["target"]``, for a loss that needs one class a pixel.

    Raises:
        UserError: the batch has distributions instead.
    """
    if batch.get("soft_target") is not None:
        raise UserError(
            f"{reader} needs one class a pixel, and mixing has made distributions of them",
            where="data.batch_augment",
            fix="mix by regions (CutMix, ClassMix), or take another loss",
        )
    found: torch.Tensor = batch["target"]
    return found
