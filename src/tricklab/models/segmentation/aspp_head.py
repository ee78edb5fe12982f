"""ASPPHead, of DeepLabV3: convolutions with several dilations beside the mean of the map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tricklab.errors import UserError
from tricklab.models.segmentation.decode_head import DecodeHead
from tricklab.registry import component

DILATIONS = (1, 6, 12, 18)


@component("head", source="Chen et al., 2017, arXiv 1706.05587; OpenMMLab")
class ASPPHead(DecodeHead):
    """Atrous spatial pyramid pooling: 3 × 3 convolutions with several dilations, and the mean of the map.

    A dilation of 1 is a 1 × 1 convolution. A ``context`` block stands after the convolution that joins them.

    Args:
        dilations: one branch each; for 1/8 maps twice to four times those for 1/16.

    Shape:
        maps of a backbone → (N, out_channels, H, W) at the size of the map that is read.

    Raises:
        UserError: batch normalisation of the mean of the map is trained on a single image.

    >>> ASPPHead(channels=8, num_classes=3, in_channels=[16])([torch.zeros(2, 16, 7, 5)]).shape
    torch.Size([2, 3, 7, 5])
    """

    in_channels: int

    def __init__(self, dilations: Sequence[int] = DILATIONS, **rest: Any) -> None:
        super().__init__(**rest)
        if not dilations or min(dilations) < 1:
            raise UserError(f"it needs numbers of at least 1, not {list(dilations)}", where="dilations")
        self.image_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), self.convolution(self.in_channels, 1))
        self.aspp_modules = nn.ModuleList(self.branch(dilation) for dilation in dilations)
        self.bottleneck = self.convolution((len(dilations) + 1) * self.channels, 3)

    def branch(self, dilation: int) -> nn.Module:
        """The convolution of one dilation."""
        return self.convolution(self.in_channels, 1 if dilation == 1 else 3, dilation)

    def pyramid(self, x: Tensor) -> Tensor:
        """Features (N, channels, H, W) of a map of the same size, with context."""
        found = [self.resize(self.image_pool(x), x), *(part(x) for part in self.aspp_modules)]
        return self.add_context(self.bottleneck(torch.cat(found, dim=1)))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return self.classify(self.pyramid(self.select(maps)))
