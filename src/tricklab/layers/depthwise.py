"""Depthwise convolution of tokens: an image kept as (batch, pixels, channels) is convolved without a transposition."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def depthwise_tokens(x_BLC: Tensor, weight: Tensor, bias: Tensor | None, size: tuple[int, int]) -> Tensor:
    """Convolve each channel by a kernel of its own, zero-padded to the same size.

    Args:
        x_BLC: (batch, height * width, channels), float, pixels row by row.
        weight: (channels, 1, k, k) with odd k.
        bias: (channels,).
        size: (height, width).

    Returns:
        (batch, height * width, channels). The memory is the one that convolutions call channels-last.

    >>> import torch
    >>> depthwise_tokens(torch.zeros(2, 6, 8), torch.zeros(8, 1, 3, 3), None, (2, 3)).shape
    torch.Size([2, 6, 8])
    """
    height, width = size
    image_BCHW = x_BLC.unflatten(1, (height, width)).permute(0, 3, 1, 2)
    image_BCHW = functional.conv2d(image_BCHW, weight, bias, padding=weight.shape[-1] // 2, groups=weight.shape[0])
    return image_BCHW.flatten(2).transpose(1, 2)
