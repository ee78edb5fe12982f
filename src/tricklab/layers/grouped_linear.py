"""Linear maps that act on equal groups of channels, all groups in one batched product and without a transposition."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def grouped_linear(x: Tensor, *weights_GOI: Tensor) -> tuple[Tensor, ...]:
    """Map each group of the last axis by matrices of its own: ``y[…, g, :] = W[g] @ x[…, g, :]``.

    Written into token-major memory at once, so that the result is contiguous where a plain ``bmm`` would be
    group-major and need a copy. Under autocast the product runs in its dtype.

    Args:
        x: (…, groups, inputs), float; the last axis is contiguous.
        weights_GOI: one or more weights (groups, outputs, inputs); several share the reading of ``x``.

    Returns:
        One contiguous tensor (…, groups, outputs) for each weight. Differentiable once.

    >>> y, = grouped_linear(torch.ones(5, 7, 4, 3), torch.ones(4, 2, 3))
    >>> y.shape, y.unique()
    (torch.Size([5, 7, 4, 2]), tensor([3.]))
    """
    rows_NGI = x.reshape(-1, *x.shape[-2:])
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        found = tuple(torch.einsum("ngi,goi->ngo", rows_NGI, weight) for weight in weights_GOI)
    else:
        kind = x.device.type
        if torch.is_autocast_enabled(kind):
            dtype = torch.get_autocast_dtype(kind)
            rows_NGI, weights_GOI = rows_NGI.to(dtype), tuple(weight.to(dtype) for weight in weights_GOI)
        found = _GroupedLinear.apply(rows_NGI, *weights_GOI)
    return tuple(y.reshape(*x.shape[:-1], y.shape[-1]) for y in found)


class _GroupedLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_NGI: Tensor, *weights_GOI: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(x_NGI, *weights_GOI)
        found = []
        for weight_GOI in weights_GOI:
            y_NGO = x_NGI.new_empty(len(x_NGI), *weight_GOI.shape[:2])
            torch.bmm(x_NGI.transpose(0, 1), weight_GOI.transpose(1, 2), out=y_NGO.transpose(0, 1))
            found.append(y_NGO)
        return tuple(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients_NGO: Tensor) -> tuple[Tensor | None, ...]:
        x_NGI, *weights_GOI = ctx.saved_tensors
        x_grad: Tensor | None = None
        weight_grads: list[Tensor | None] = []
        for gradient_NGO, weight_GOI, wanted in zip(gradients_NGO, weights_GOI, ctx.needs_input_grad[1:], strict=True):
            gradient_GNO = gradient_NGO.transpose(0, 1)
            if ctx.needs_input_grad[0]:
                first = x_grad is None
                if x_grad is None:
                    x_grad = torch.empty(x_NGI.shape, dtype=x_NGI.dtype, device=x_NGI.device)
                into_GNI = x_grad.transpose(0, 1)
                if first:
                    torch.bmm(gradient_GNO, weight_GOI, out=into_GNI)
                else:
                    into_GNI.baddbmm_(gradient_GNO, weight_GOI)
            weight_grads.append(torch.bmm(gradient_GNO.transpose(1, 2), x_NGI.transpose(0, 1)) if wanted else None)
        return x_grad, *weight_grads
