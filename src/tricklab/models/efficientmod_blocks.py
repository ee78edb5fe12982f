"""The parts of EfficientMod: patches, the modulation block and the attention block, on channels-last maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import StochasticDepth

from tricklab.layers.feed_forward import FeedForward

HEADS = 8
SMALLEST_HEAD = 32
CONTEXT_SIZE = 7
LAYER_SCALE = 1e-4


class Patches(nn.Module):
    """A strided convolution and a layer norm: (N, H, W, C) → (N, H', W', width)."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2)
        self.norm = nn.LayerNorm(width)

    def forward(self, x_NHWC: Tensor) -> Tensor:
        found: Tensor = self.norm(self.proj(x_NHWC.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        return found


class Context(nn.Module):
    """What stands around a pixel: project, depthwise 7 × 7 convolution, GELU, project."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.f = nn.Linear(channels, channels)
        self.context_list = nn.ModuleList(
            [nn.Conv2d(channels, channels, CONTEXT_SIZE, padding=CONTEXT_SIZE // 2, groups=channels)]
        )
        self.g = nn.Linear(channels, channels)

    def forward(self, x_NHWC: Tensor) -> Tensor:
        around = self.context_list[0](self.f(x_NHWC).permute(0, 3, 1, 2))
        found: Tensor = self.g(functional.gelu(around).permute(0, 2, 3, 1))
        return found


class Modulation(nn.Module):
    """``fc2(act(fc1(x)) · context(x))`` with the context repeated for each of the ``ratio`` copies of the channels.

    With ``ratio`` 1 there is no activation, as in the official code.
    """

    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        self.ratio = ratio
        self.fc1 = nn.Linear(channels, channels * ratio)
        self.context_layer = Context(channels)
        self.fc2 = nn.Linear(channels * ratio, channels)

    def forward(self, x_NHWC: Tensor) -> Tensor:
        context = self.context_layer(x_NHWC)
        hidden = self.fc1(x_NHWC)
        if self.ratio > 1:
            copies = functional.gelu(hidden).unflatten(-1, (self.ratio, -1))
            hidden = (copies * context.unsqueeze(-2)).flatten(-2)
        else:
            hidden = hidden * context
        found: Tensor = self.fc2(hidden)
        return found


class ModulationBlock(nn.Module):
    """``x + drop_path(gamma_1 · modulation(norm(x)))``."""

    def __init__(self, channels: int, ratio: int, drop_path: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.mlp = Modulation(channels, ratio)
        self.drop_path = StochasticDepth(drop_path, "row")
        self.gamma_1 = nn.Parameter(LAYER_SCALE * torch.ones(channels))

    def forward(self, x_NHWC: Tensor) -> Tensor:
        found: Tensor = x_NHWC + self.drop_path(self.gamma_1 * self.mlp(self.norm(x_NHWC)))
        return found


class Attention(nn.Module):
    """Self-attention over all pixels of a map: eight heads of at least 32 channels, no positions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.width = max(channels // HEADS, SMALLEST_HEAD)
        self.qkv = nn.Linear(channels, 3 * HEADS * self.width, bias=False)
        self.proj = nn.Linear(HEADS * self.width, channels)

    def forward(self, x_NLC: Tensor) -> Tensor:
        query, key, value = self.qkv(x_NLC).unflatten(-1, (3, HEADS, self.width)).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        found: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return found


class AttentionBlock(nn.Module):
    """A pre-norm transformer block over all pixels of a map."""

    def __init__(self, channels: int, ratio: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn = Attention(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = FeedForward(channels, channels * ratio)
        self.drop_path = StochasticDepth(drop_path, "row")

    def forward(self, x_NHWC: Tensor) -> Tensor:
        x_NLC = x_NHWC.flatten(1, 2)
        x_NLC = x_NLC + self.drop_path(self.attn(self.norm1(x_NLC)))
        x_NLC = x_NLC + self.drop_path(self.mlp(self.norm2(x_NLC)))
        return x_NLC.unflatten(1, x_NHWC.shape[1:3])
