"""How many multiply-adds a network needs for an image, counted without computing any."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torchvision.ops  # noqa: F401  (declares its operators)
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from tricklab.errors import UserError


@dataclass(frozen=True)
class Cost:
    """What a network needs for one image.

    Attributes:
        macs: multiply-adds: one for each pair of a multiplication and an addition, half the floating-point operations.
        parts: {dotted name of a module that computes: its multiply-adds, with those of the modules in it}; auxiliary
            heads compute in training alone and are not there.
    """

    macs: int
    parts: dict[str, int]

    def of(self, name: str, module: nn.Module) -> int:
        """Multiply-adds of one module; of one that only holds others, as ``nn.ModuleList``, the sum of theirs."""
        if name in self.parts:
            return self.parts[name]
        return sum(self.of(f"{name}.{key}", child) for key, child in module.named_children())


def cost_of(model: nn.Module, channels: int, size: tuple[int, int]) -> Cost:
    """Multiply-adds of convolutions (deformable ones too) and matrix products for one image in evaluation mode.

    The network runs on shapes alone, so the size costs neither time nor memory; one that needs values, as GroupMamba's
    scan does, computes an image of zeros. Normalisations, activations, pooling, resizing and scans are not counted, as
    is usual in papers' tables.

    Args:
        model: any module of images; its modes are put back.
        channels: of the image.
        size: (height, width) in pixels.

    Raises:
        UserError: the network cannot compute an image of this size.
    """
    shapes = {
        name: tensor.detach().to("meta")
        for name, tensor in itertools.chain(model.named_parameters(), model.named_buffers())
    }
    image = torch.empty(1, channels, *size, device="meta")
    try:
        return _counted(model, lambda: functional_call(model, shapes, (image,)))
    except (RuntimeError, NotImplementedError):
        zeros = torch.zeros(1, channels, *size)
    try:
        return _counted(model, lambda: model(zeros))
    except (RuntimeError, ValueError, AssertionError) as error:
        height, width = size
        raise UserError(
            f"{type(model).__name__} does not compute {channels} x {height} x {width}: {str(error).splitlines()[0]}"
        ) from error


def count_macs(model: nn.Module, channels: int, size: tuple[int, int]) -> int:
    """The multiply-adds of ``cost_of``.

    >>> count_macs(nn.Conv2d(3, 8, 3, padding=1), 3, (10, 20))
    43200
    """
    return cost_of(model, channels, size).macs


def _counted(model: nn.Module, compute: Callable[[], Any]) -> Cost:
    modes = {module: module.training for module in model.modules()}
    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.torchvision.deform_conv2d: _deformable})
    model.eval()
    try:
        with torch.no_grad(), counter:
            compute()
    finally:
        for module, training in modes.items():
            module.training = training
    own = f"{type(model).__name__}."
    return Cost(
        int(counter.get_total_flops()) // 2,
        {
            name.removeprefix(own): sum(flops.values()) // 2
            for name, flops in counter.get_flop_counts().items()
            if name.startswith(own) and flops
        },
    )


def _deformable(_image: Any, weight: Any, *_others: Any, out_shape: Any, **_named: Any) -> int:
    batch, _, height, width = out_shape
    return 2 * int(batch * height * width * torch.Size(weight).numel())
