"""Batch normalisation over the batch of all processes, for any module that calls torch's ``batch_norm``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from tricklab.ops.ranks import Ranks


class WholeBatchNorm(TorchFunctionMode):
    """Inside its ``with`` block training-mode batch normalisation uses the statistics of every process's items.

    Modules and their names stay as they are (``torch.nn.SyncBatchNorm`` is another module and needs a GPU). Mean and
    biased variance are those of the whole batch, the running variance is unbiased over it; two passes, in float32 or
    wider, whatever the number of items of each process.

    Args:
        found: the processes; each must normalise the same layers in the same order.
        counted: False where this process's items only stand in for none: they are normalised and not counted.
    """

    def __init__(self, found: Ranks, counted: bool = True) -> None:
        super().__init__()
        self.found, self.counted = found, counted

    def __torch_function__(self, function: Any, types: Any, arguments: Any = (), keywords: Any = None) -> Any:
        keywords = keywords or {}
        if function is functional.batch_norm:
            given = _functional(*arguments, **keywords)
        elif function is torch.batch_norm:
            given = _native(*arguments, **keywords)
        else:
            return function(*arguments, **keywords)
        return self._normalised(**given) if given.pop("training") else function(*arguments, **keywords)

    def _normalised(
        self,
        values: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None,
        bias: Tensor | None,
        momentum: float,
        eps: float,
    ) -> Tensor:
        wide = values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
        around = [0, *range(2, wide.ndim)]
        shape = [1, -1, *[1] * (wide.ndim - 2)]
        share = float(self.counted)
        items = wide.new_tensor([share * wide.numel() / wide.shape[1]])
        sums = self.found.total(torch.cat([wide.sum(around) * share, items]))
        number = sums[-1].detach()
        if number <= 1:
            raise ValueError(f"Expected more than 1 value per channel when training, got input size {values.shape}")
        mean = sums[:-1] / number
        centred = wide - mean.view(shape)
        variance = self.found.total(centred.square().sum(around) * share) / number
        found = centred * torch.rsqrt(variance + eps).view(shape)
        if weight is not None:
            found = found * weight.view(shape)
        if bias is not None:
            found = found + bias.view(shape)
        with torch.no_grad():
            if running_mean is not None:
                running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            if running_var is not None:
                running_var.lerp_((variance * (number / (number - 1))).to(running_var.dtype), momentum)
        return found.to(values.dtype)


def _functional(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> dict[str, Any]:
    return _named(input, running_mean, running_var, weight, bias, training, momentum, eps)


def _native(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> dict[str, Any]:
    return _named(input, running_mean, running_var, weight, bias, training, momentum, eps)


def _named(*values: Any) -> dict[str, Any]:
    names = ("values", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
    return dict(zip(names, values, strict=True))
