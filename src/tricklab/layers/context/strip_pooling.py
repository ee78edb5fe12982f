"""SPNet's strip pooling: means along rows and columns, as a gate (SPM) and beside pooled squares (MPM)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tricklab.layers.context._base import ContextBlock
from tricklab.layers.context.normalisation import batch_norm
from tricklab.registry import component


@component(
    "context",
    source="Hou et al., Strip Pooling, CVPR 2020, arXiv 2003.13328; official code houqb/SPNet, SPBlock",
    given=("channels",),
)
class SPM(ContextBlock):
    """Strip pooling module: y = x · sigmoid(1 × 1 of relu(BN(3 × 1 of row means) + BN(1 × 3 of column means))).

    7 C² + 7 C weights, O(HW C²) for the last convolution and O(HW C) else. Not the identity at the start: gates are
    near one half. Weight names are the official ones.

    >>> SPM(channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__(channels)
        self.conv1 = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))
        self.bn1 = batch_norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, (1, 3), padding=(0, 1))
        self.bn2 = batch_norm(channels)
        self.conv3 = nn.Conv2d(channels, channels, 1)

    def context(self, x: Tensor) -> Tensor:
        rows_NCH1 = self.bn1(self.conv1(x.mean(dim=3, keepdim=True)))
        columns_NC1W = self.bn2(self.conv2(x.mean(dim=2, keepdim=True)))
        return x * self.conv3(functional.relu(rows_NCH1 + columns_NC1W)).sigmoid()


@component(
    "context",
    source="Hou et al., Strip Pooling, CVPR 2020, arXiv 2003.13328; official code houqb/SPNet, StripPooling",
    given=("channels",),
)
class MPM(ContextBlock):
    """Mixed pooling module: y = relu(x + BN(1 × 1 of [pooled squares, strips])), both of C/4 channels.

    Squares: relu(3 × 3 of itself + 3 × 3 of the map pooled to each ``pool_size``, enlarged); strips: relu(1 × 3 of
    column means + 3 × 1 of row means), each then 3 × 3. O(HW C²). Weight names are the official ones. A map smaller
    than ``pool_size`` is not pooled; the official code enlarges it first. The last normalisation's weight starts at
    zero: relu(x) at the start.

    Args:
        pool_size: side of the larger and the smaller pooled map, 20 and 12 in the paper.

    >>> MPM(channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    def __init__(self, pool_size: tuple[int, int] = (20, 12), *, channels: int) -> None:
        super().__init__(channels)
        hidden = self.hidden(4)
        self.pool_size = tuple(self.at_least_one("pool_size", size) for size in pool_size)
        self.conv1_1 = _part(channels, hidden, 1, relu=True)
        self.conv1_2 = _part(channels, hidden, 1, relu=True)
        self.conv2_0 = _part(hidden, hidden, 3)
        self.conv2_1 = _part(hidden, hidden, 3)
        self.conv2_2 = _part(hidden, hidden, 3)
        self.conv2_3 = _part(hidden, hidden, (1, 3))
        self.conv2_4 = _part(hidden, hidden, (3, 1))
        self.conv2_5 = _part(hidden, hidden, 3, relu=True)
        self.conv2_6 = _part(hidden, hidden, 3, relu=True)
        self.conv3 = nn.Sequential(nn.Conv2d(2 * hidden, channels, 1, bias=False), batch_norm(channels, zero=True))

    def context(self, x: Tensor) -> Tensor:
        squares, strips = self.conv1_1(x), self.conv1_2(x)
        pooled = self.conv2_0(squares)
        for size, conv in zip(self.pool_size, (self.conv2_1, self.conv2_2), strict=True):
            side = (min(size, x.shape[2]), min(size, x.shape[3]))
            small = conv(functional.adaptive_avg_pool2d(squares, side))
            pooled = pooled + functional.interpolate(
                small, size=tuple(x.shape[2:]), mode="bilinear", align_corners=True
            )
        crossed = self.conv2_3(strips.mean(dim=2, keepdim=True)) + self.conv2_4(strips.mean(dim=3, keepdim=True))
        parts = [self.conv2_5(functional.relu(pooled)), self.conv2_6(functional.relu(crossed))]
        return functional.relu(x + self.conv3(torch.cat(parts, dim=1)))


def _part(inputs: int, outputs: int, size: int | tuple[int, int], *, relu: bool = False) -> nn.Sequential:
    height, width = (size, size) if isinstance(size, int) else size
    conv = nn.Conv2d(inputs, outputs, (height, width), padding=(height // 2, width // 2), bias=False)
    parts: list[nn.Module] = [conv, batch_norm(outputs)]
    return nn.Sequential(*parts, nn.ReLU()) if relu else nn.Sequential(*parts)
