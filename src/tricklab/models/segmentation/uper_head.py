"""UPerHead: a feature pyramid with pyramid pooling on its top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tricklab.models.segmentation.decode_head import DecodeHead
from tricklab.models.segmentation.pyramid_pooling import POOL_SCALES, PPM
from tricklab.registry import component


@component("head", source="Xiao et al., ECCV 2018, arXiv 1807.10221; OpenMMLab", fixed=("input_transform",))
class UPerHead(DecodeHead):
    """Maps of all stages, each with what comes from the deeper ones added, joined at the size of the first.

    A ``context`` block stands after the convolution that joins them.

    Args:
        pool_scales: cells along a side of each grid that the last map is averaged over.
        in_index: maps of the backbone, from large to small; null: all.

    Shape:
        maps of a backbone → (N, out_channels, H, W) at the size of the first map that is read.

    Raises:
        UserError: scale 1 with batch normalisation is trained on a single image.

    >>> maps = [torch.zeros(2, 4, 14, 10), torch.zeros(2, 16, 7, 5)]
    >>> UPerHead(channels=8, num_classes=3, in_channels=[4, 16])(maps).shape
    torch.Size([2, 3, 14, 10])
    """

    in_channels: list[int]
    reads_several: ClassVar[bool] = True

    def __init__(
        self,
        pool_scales: Sequence[int] = POOL_SCALES,
        in_index: list[int] | None = None,
        *,
        in_channels: Sequence[int],
        **rest: Any,
    ) -> None:
        asked = list(range(len(in_channels))) if in_index is None else in_index
        super().__init__(in_index=asked, in_channels=in_channels, **rest)
        *early, last = self.in_channels
        self.psp_modules = PPM(pool_scales, last, self.channels, self.norm_cfg, self.act_cfg)
        self.bottleneck = self.convolution(last + len(pool_scales) * self.channels, 3)
        self.lateral_convs = nn.ModuleList(self.convolution(width, 1) for width in early)
        self.fpn_convs = nn.ModuleList(self.convolution(self.channels, 3) for _ in early)
        self.fpn_bottleneck = self.convolution(len(self.in_channels) * self.channels, 3)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        *early, last = self.select_several(maps)
        pooled = [self.resize(found, last) for found in self.psp_modules(last)]
        top = self.bottleneck(torch.cat([last, *pooled], dim=1))
        summed = [top]
        for convolution, x in zip(reversed(self.lateral_convs), reversed(early), strict=True):
            lateral = convolution(x)
            summed.append(lateral + self.resize(summed[-1], lateral))
        summed.reverse()
        found = [convolution(x) for convolution, x in zip(self.fpn_convs, summed[:-1], strict=True)]
        joined = torch.cat([self.resize(x, summed[0]) for x in [*found, top]], dim=1)
        return self.classify(self.add_context(self.fpn_bottleneck(joined)))
