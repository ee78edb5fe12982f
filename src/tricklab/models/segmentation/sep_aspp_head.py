"""DepthwiseSeparableASPPHead, of DeepLabV3+: separable dilated convolutions, refined by an early map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tricklab.errors import UserError
from tricklab.layers.conv_module import ConvModule, DepthwiseSeparableConvModule
from tricklab.models.segmentation.aspp_head import ASPPHead
from tricklab.registry import component


@component("head", source="Chen et al., ECCV 2018, arXiv 1802.02611; OpenMMLab")
class DepthwiseSeparableASPPHead(ASPPHead):
    """Atrous pyramid with depthwise-separable convolutions, whose result is joined with the backbone's first map.

    Args:
        c1_channels: that the backbone's first map is brought to (OpenMMLab's configs: 48); 0 leaves it out.

    Shape:
        maps of a backbone → (N, out_channels, H, W) at the size of the backbone's first map, or with ``c1_channels: 0``
        of the one that is read.

    Raises:
        UserError: batch normalisation of the mean of the map is trained on a single image.

    >>> maps = [torch.zeros(2, 4, 14, 10), torch.zeros(2, 16, 7, 5)]
    >>> DepthwiseSeparableASPPHead(channels=8, c1_channels=2, num_classes=3, in_channels=[4, 16])(maps).shape
    torch.Size([2, 3, 14, 10])
    """

    def __init__(self, c1_channels: int, **rest: Any) -> None:
        super().__init__(**rest)
        if c1_channels < 0:
            raise UserError(f"it must be at least 0, not {c1_channels}", where="c1_channels")
        self.c1_bottleneck: ConvModule | None = None
        if c1_channels:
            self.c1_bottleneck = ConvModule(
                self.backbone_channels[0], c1_channels, 1, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg
            )
        self.sep_bottleneck = nn.Sequential(
            self._separable(self.channels + c1_channels, 1),
            self._separable(self.channels, 1),
        )

    def branch(self, dilation: int) -> nn.Module:
        return super().branch(1) if dilation == 1 else self._separable(self.in_channels, dilation)

    def _separable(self, in_channels: int, dilation: int) -> DepthwiseSeparableConvModule:
        return DepthwiseSeparableConvModule(in_channels, self.channels, 3, dilation, self.norm_cfg, self.act_cfg)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        found = self.pyramid(self.select(maps))
        if self.c1_bottleneck is not None:
            early = self.c1_bottleneck(maps[0])
            found = torch.cat([self.resize(found, early), early], dim=1)
        return self.classify(self.sep_bottleneck(found))
