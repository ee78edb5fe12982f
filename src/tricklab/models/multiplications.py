"""How many multiply-adds a network needs for an image, counted without computing any."""

from __future__ import annotations

import itertools
from typing import Any

import torch
import torchvision.ops  # noqa: F401  (declares its operators)
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from tricklab.errors import UserError


def count_macs(model: nn.Module, channels: int, size: tuple[int, int]) -> int:
    """Multiply-adds of convolutions (deformable ones too) and matrix products for one image in evaluation mode.

    The network runs on shapes alone, so the size costs neither time nor memory. Normalisations, activations, pooling,
    resizing and scans are not counted, as is usual in papers' tables.

    Args:
        model: any module of images; its modes are put back.
        channels: of the image.
        size: (height, width) in pixels.

    Returns:
        Multiply-adds: one for each pair of a multiplication and an addition, half the floating-point operations.

    Raises:
        UserError: the network needs values to run, as GroupMamba's scan does.

    >>> count_macs(nn.Conv2d(3, 8, 3, padding=1), 3, (10, 20))
    43200
    """
    modes = {module: module.training for module in model.modules()}
    shapes = {
        name: tensor.detach().to("meta")
        for name, tensor in itertools.chain(model.named_parameters(), model.named_buffers())
    }
    image = torch.empty(1, channels, *size, device="meta")
    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.torchvision.deform_conv2d: _deformable})
    model.eval()
    try:
        with torch.no_grad(), counter:
            functional_call(model, shapes, (image,))
    except (RuntimeError, NotImplementedError) as error:
        raise UserError(f"{type(model).__name__} does not run on shapes alone: {str(error).splitlines()[0]}") from error
    finally:
        for module, training in modes.items():
            module.training = training
    return int(counter.get_total_flops()) // 2


def _deformable(_image: Any, weight: Any, *_others: Any, out_shape: Any, **_named: Any) -> int:
    batch, _, height, width = out_shape
    return 2 * int(batch * height * width * torch.Size(weight).numel())
