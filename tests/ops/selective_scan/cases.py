"""Random inputs of the selective scan, and all its results at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tricklab.ops.selective_scan import DIRECTIONS, selective_scan

NAMES = ("y", "u", "delta", "A", "B", "C", "D", "delta_bias")


def inputs(batch: int, length: int, channels: int, orders: int, groups: int = 4, seed: int = 0) -> list[Tensor]:
    """The seven tensors in float64; steps of about 0.3, rates from 0 to -2."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    wide, order = (batch, length, groups * channels), (batch, length, groups, orders)
    rates = -2 * torch.rand(groups * channels, orders, generator=random, dtype=torch.float64)
    ends = (normal(groups * channels), normal(groups * channels))
    return [normal(*wide), normal(*wide) - 1, rates, normal(*order), normal(*order), *ends]


def results(
    tensors: Sequence[Tensor | None],
    size: tuple[int, int],
    backend: str,
    dtype: torch.dtype = torch.float64,
    softplus: bool = True,
    directions: Sequence[str] = DIRECTIONS,
) -> list[Tensor]:
    """y and the gradient of every tensor that is there, all from a fixed gradient of y."""
    leaves = [None if tensor is None else tensor.detach().to(dtype).requires_grad_() for tensor in tensors]
    y = selective_scan(*leaves, directions=directions, size=size, softplus=softplus, backend=backend)
    random = torch.Generator().manual_seed(1)
    dy = torch.randn(y.shape, generator=random, dtype=torch.float64)
    return [y.detach(), *torch.autograd.grad(y, [leaf for leaf in leaves if leaf is not None], dy.to(y))]


def largest_error(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Over all tensors: the largest difference, as a share of the tensor's largest value."""
    worst = 0.0
    for got, want in zip(found, expected, strict=True):
        assert got.shape == want.shape
        if want.numel():
            difference, scale = float((got.double() - want.double()).abs().max()), float(want.abs().max())
            worst = max(worst, difference / scale if scale else difference)
            assert difference == difference, "NaN"
    return worst
