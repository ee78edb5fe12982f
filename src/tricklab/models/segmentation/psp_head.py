"""PSPHead: pyramid pooling on the last map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tricklab.models.segmentation.decode_head import DecodeHead
from tricklab.models.segmentation.pyramid_pooling import POOL_SCALES, PPM
from tricklab.registry import component


@component("head", source="Zhao et al., CVPR 2017, arXiv 1612.01105; OpenMMLab")
class PSPHead(DecodeHead):
    """Pyramid pooling: averages over grids of several sizes beside the map itself, then one 3 × 3 convolution.

    A ``context`` block stands after that convolution.

    Args:
        pool_scales: cells along a side of each grid.

    Shape:
        maps of a backbone → (N, out_channels, H, W) at the size of the map that is read.

    Raises:
        UserError: scale 1 with batch normalisation is trained on a single image.

    >>> PSPHead(channels=8, num_classes=3, in_channels=[16])([torch.zeros(2, 16, 7, 5)]).shape
    torch.Size([2, 3, 7, 5])
    """

    in_channels: int

    def __init__(self, pool_scales: Sequence[int] = POOL_SCALES, **rest: Any) -> None:
        super().__init__(**rest)
        self.psp_modules = PPM(pool_scales, self.in_channels, self.channels, self.norm_cfg, self.act_cfg)
        self.bottleneck = self.convolution(self.in_channels + len(pool_scales) * self.channels, 3)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        x = self.select(maps)
        pooled = [self.resize(found, x) for found in self.psp_modules(x)]
        return self.classify(self.add_context(self.bottleneck(torch.cat([x, *pooled], dim=1))))
