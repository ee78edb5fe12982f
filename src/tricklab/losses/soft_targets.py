"""Targets that are a distribution over the classes instead of one class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from tricklab.errors import UserError


def soft_target_of(batch: Mapping[str, Any], logits: torch.Tensor) -> torch.Tensor | None:
    """``batch["soft_target"]`` (N, K, ...) as the logits' type, or None where the batch has one class each.

    A row of zeros means "no label".

    Raises:
        UserError: it has another shape than the scores.
    """
    found = batch.get("soft_target")
    if found is None:
        return None
    if found.shape != logits.shape:
        raise UserError(
            f"soft targets {tuple(found.shape)} for scores {tuple(logits.shape)}",
            where="batch soft_target",
            fix="a distribution over the classes for each score",
        )
    return torch.as_tensor(found).to(logits)


def over_classes(weight_K: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """K weights in the shape (1, K, 1, ...) that multiplies scores (N, K, ...)."""
    return weight_K.to(like).view(1, -1, *[1] * (like.ndim - 2))
