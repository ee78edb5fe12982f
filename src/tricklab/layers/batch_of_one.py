"""Right gradients of batch normalisation for one image whose numbers lie transposed in memory, on CPUs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def guard_batches_of_one(model: nn.Module) -> None:
    """Let every batch normalisation of a model, or the model if it is one, give right gradients for batches of one.

    On a CPU PyTorch (seen up to 2.15) confuses memory formats in the backward of a batch normalisation of one map,
    where its input or the gradient of its output is the transpose of (1, HW, C), as behind
    ``y.flatten(2).transpose(1, 2)`` in networks that turn maps into tokens, timm's EfficientFormer among them: all
    gradients before it are wrong, without a word. Such arrays are copied into order first. To call it twice changes
    nothing.
    """
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and _output not in module._forward_hooks.values():
            module.register_forward_pre_hook(_input)
            # before blocks that are inserted after the module
            module.register_forward_hook(_output, prepend=True)


def _input(_module: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
    if not arguments or not _may_confuse(arguments[0]):
        return None
    return (_in_order(arguments[0]), *arguments[1:])


def _output(_module: nn.Module, _arguments: Any, output: Tensor) -> None:
    if _may_confuse(output) and output.requires_grad:
        output.register_hook(_gradient_in_order)


def _may_confuse(x: Tensor) -> bool:
    # a compiled or exported graph has a backward of its own, and must not be asked how many images it has
    return not torch.compiler.is_compiling() and x.ndim > 3 and x.shape[0] == 1 and x.device.type == "cpu"


def _in_order(x: Tensor) -> Tensor:
    return x if x.stride(0) == x.numel() else x.contiguous()


def _gradient_in_order(gradient: Tensor | None) -> Tensor | None:
    return None if gradient is None else _in_order(gradient)
