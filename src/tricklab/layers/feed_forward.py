"""The two-layer perceptrons of vision transformers and state-space networks, with and without a convolution."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from tricklab.layers.depthwise import depthwise_tokens


class FeedForward(nn.Module):
    """``fc2(gelu(fc1(x)))`` on the last axis, with the exact GELU.

    Args:
        channels: width of input and output.
        hidden: width in between.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(…, channels) → the same shape."""
        return self.fc2(functional.gelu(self.fc1(x)))


class DepthwiseConv(nn.Module):
    """A 3 × 3 depthwise convolution with bias of tokens (batch, pixels, channels); its weights are ``dwconv.*``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """(batch, pixels, channels) → the same shape; ``size`` is (height, width)."""
        return depthwise_tokens(x, self.dwconv.weight, self.dwconv.bias, size)


class ConvFeedForward(nn.Module):
    """``fc2(gelu(dwconv(fc1(x))))``: a perceptron whose hidden units see their 3 × 3 neighbourhood.

    Source: Wang et al., PVT v2, CVM 8(3) 2022; the weights are named ``fc1``, ``dwconv.dwconv``, ``fc2`` as there.

    Args:
        channels: width of input and output.
        hidden: width in between.

    >>> import torch
    >>> ConvFeedForward(8, 16)(torch.zeros(2, 6, 8), (2, 3)).shape
    torch.Size([2, 6, 8])
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.dwconv = DepthwiseConv(hidden)
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """(batch, pixels, channels) → the same shape; ``size`` is (height, width)."""
        return self.fc2(functional.gelu(self.dwconv(self.fc1(x), size)))
