"""Logits and log-probabilities of masks; a network with one channel for two classes is one of two classes here."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

from tricklab.errors import UserError


def single(values: Tensor) -> Tensor:
    """float32, or float64 where that is what they are."""
    return values if values.dtype == torch.float64 else values.float()


def log_probabilities(logits: Tensor) -> Tensor:
    """Log-probabilities (N, K, …) of logits (N, K, …), at least float32; of one channel, whose sigmoid is class 1, two.

    >>> log_probabilities(torch.zeros(1, 1, 2, 2)).exp()[0, :, 0, 0]
    tensor([0.5000, 0.5000])
    """
    values = single(logits)
    if values.shape[1] == 1:
        return torch.cat([functional.logsigmoid(-values), functional.logsigmoid(values)], dim=1)
    return values.log_softmax(dim=1)


def answered(logits: Tensor) -> Tensor:
    """Where logits (N, K, …) name a class, bool (N, …): their largest is a finite number.

    Without this a NaN would be the largest, and the answer the first class that has one.

    >>> answered(torch.tensor([[0.0, float("-inf")], [float("nan"), 1.0], [float("inf"), 1.0]]))
    tensor([ True, False, False])
    """
    return logits.amax(dim=1).isfinite()


def require_answered(logits: Tensor, where: str) -> None:
    """Refuse logits that name no class somewhere.

    Raises:
        UserError: says at how many pixels.
    """
    lost = int((~answered(logits)).sum())
    if lost:
        raise UserError(f"the network's scores are no numbers at {lost:,} pixels", where=where)


def as_logits(log_probabilities_NK: Tensor, channels: int) -> Tensor:
    """Logits with as many channels as the network has: for one channel the log-odds of class 1."""
    if channels == 1:
        return log_probabilities_NK[:, 1:] - log_probabilities_NK[:, :1]
    return log_probabilities_NK


def mean_scores(found: Iterable[Tensor]) -> Tensor:
    """Logits whose probabilities are the mean of those of several logits (N, K, …), one of them in memory at a time.

    Outputs of one channel are averaged as sigmoids and given back as log-odds: whoever takes the sigmoid of the answer
    takes it once.

    >>> torch.sigmoid(mean_scores([torch.tensor([[-9.0]]), torch.tensor([[9.0]])]))
    tensor([[0.5000]])
    """
    total: Tensor | None = None
    count, channels = 0, 0
    for logits in found:
        each = log_probabilities(logits)
        total = each if total is None else torch.logaddexp(total, each)
        count, channels = count + 1, logits.shape[1]
    assert total is not None
    return as_logits(total - math.log(count), channels)
