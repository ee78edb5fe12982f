"""Class weights from class counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from tricklab.errors import UserError

Weighting = Literal["balanced", "inverse", "log", "effective"]


def class_weights(kind: Weighting, counts: Sequence[int], beta: float = 0.999) -> torch.Tensor:
    """Weights (K,) float64 of K classes from their numbers of training samples.

    Args:
        kind: ``balanced``: n / (P n_c) as scikit-learn, with a mean of 1 over the training samples; ``inverse``:
            1 / n_c, ``log``: 1 / ln(1.02 + n_c / n) (ENet, Paszke et al. 2016) and ``effective``: (1 - beta) /
            (1 - beta^n_c) (Cui et al., CVPR 2019), all three scaled to a mean of 1 over the P classes with samples.
        beta: of ``effective``; 0 gives equal weights, towards 1 gives ``inverse``. Pixels are many: with .999 all
            classes of some ten thousand weigh the same.

    A class without training samples gets 0: nothing was learned about it. ``balanced`` and ``inverse`` differ by one
    factor, which a loss that divides by the sum of weights cancels.

    Raises:
        UserError: no class has a sample, or ``beta`` lies outside [0, 1).
    """
    check_beta(beta, "losses.beta")
    number = torch.as_tensor(counts, dtype=torch.float64)
    present = number > 0
    if not present.any():
        raise UserError("class weights need at least one class with training samples", where="losses.class_weight")
    safe = number.clamp(min=1)
    if kind == "balanced":
        return torch.where(present, number.sum() / (present.sum() * safe), 0.0)
    if kind == "log":
        found = 1 / torch.log(1.02 + number / number.sum())
    else:
        found = 1 / safe if kind == "inverse" else (1 - beta) / (1 - beta**safe)
    found = torch.where(present, found, 0.0)
    return found * present.sum() / found.sum()


def check_beta(beta: float, where: str) -> None:
    """Refuse a ``beta`` outside [0, 1): at 1 the effective numbers are 0 / 0."""
    if not 0 <= beta < 1:
        raise UserError(f"must lie in [0, 1), not {beta}", where=where)


def resolve_weights(
    given: list[float] | Weighting | None, counts: Sequence[int] | None, beta: float, where: str
) -> torch.Tensor | None:
    """The recipe's ``class_weight`` as a tensor (K,) float64, or None for equal weights."""
    if given is None:
        return None
    if isinstance(given, str):
        if counts is None:
            raise UserError("class counts are not known here", where=where, fix="give the weights as a list")
        return class_weights(given, counts, beta)
    found = torch.tensor(given, dtype=torch.float64)
    if counts is not None and len(given) != len(counts):
        raise UserError(f"{len(given)} weights for {len(counts)} classes", where=where)
    if (found < 0).any() or not found.any() or not found.isfinite().all():
        raise UserError("weights must be finite, not negative and not all zero", where=where)
    return found
