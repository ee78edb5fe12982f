"""Adaptive gradient clipping: the gradient of each unit against the norm of its weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

FLOOR = 1e-3
"""Weights count as at least this long (the paper's eps), so that units at zero can move."""
_SHORTEST = 1e-6


@torch.no_grad()
def clip_adaptively_(parameters: Iterable[torch.nn.Parameter], factor: float) -> Tensor:
    """Shorten, in place, the gradient of each unit to ``factor`` times the norm of the unit's weights.

    A unit is one entry of a parameter's first dimension (an output channel or neuron); a parameter of fewer than two
    dimensions is one unit. As ``timm.utils.adaptive_clip_grad``.

    Source: Brock et al., ICML 2021, arXiv 2102.06171, equation 3.

    Args:
        parameters: those without a gradient are left out.
        factor: the paper's lambda, 0.01 for batches up to 4096.

    Returns:
        Share of the units that were shortened, 0-d on the gradients' device; 0 without any gradient.

    >>> weight = torch.nn.Parameter(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> weight.grad = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    >>> round(float(clip_adaptively_([weight], 0.1)), 3)
    1.0
    >>> weight.grad
    tensor([[0.0000e+00, 5.0000e-01],
            [1.0000e-04, 0.0000e+00]])
    """
    having = [(parameter.detach(), parameter.grad) for parameter in parameters if parameter.grad is not None]
    weights, gradients = [weight for weight, _ in having], [gradient for _, gradient in having if gradient is not None]
    if not gradients:
        return torch.zeros(())
    bounds = _norms(weights).clamp_(min=FLOOR).mul_(factor)
    lengths = _norms(gradients)
    cut = lengths > bounds
    scales = torch.where(cut, bounds / lengths.clamp(min=_SHORTEST), 1.0)
    parts = scales.split([_units(gradient) for gradient in gradients])
    torch._foreach_mul_(gradients, [part.view(_shape(g)).to(g.dtype) for part, g in zip(parts, gradients, strict=True)])
    return cut.float().mean()


def _norms(tensors: list[Tensor]) -> Tensor:
    """Norms of all units of all tensors one after the other, in float32 or the tensors' own precision if higher."""
    wide = [tensor.float() if tensor.dtype.itemsize < 4 else tensor for tensor in tensors]
    flat = [tensor for tensor in wide if tensor.ndim < 2]
    vectors = iter(torch._foreach_norm(flat) if flat else ())
    norms = [
        next(vectors).view(1) if tensor.ndim < 2 else torch.linalg.vector_norm(tensor, dim=tuple(range(1, tensor.ndim)))
        for tensor in wide
    ]
    return torch.cat(norms)


def _units(tensor: Tensor) -> int:
    return 1 if tensor.ndim < 2 else tensor.shape[0]


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return (1,) * tensor.ndim if tensor.ndim < 2 else (-1, *(1,) * (tensor.ndim - 1))
