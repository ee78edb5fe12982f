"""PSPHead: pyramid pooling on the last map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from tricklab.layers.norm_and_activation import BATCH_NORM, RELU
from tricklab.models.segmentation.decode_head import DecodeHead
from tricklab.models.segmentation.pyramid_pooling import POOL_SCALES, PPM
from tricklab.registry import Kind, component


@component("head", source="Zhao et al., CVPR 2017, arXiv 1612.01105; OpenMMLab", given=("num_classes", "in_channels"))
class PSPHead(DecodeHead):
    """Pyramid pooling: averages over grids of several sizes beside the map itself, then one 3 × 3 convolution.

    A ``context`` block stands after that convolution.

    Args:
        channels: of each scale and of the features that are classified.
        pool_scales: cells along a side of each grid.
        in_index, input_transform, dropout_ratio, norm_cfg, act_cfg, align_corners, out_channels, context: as for
            :class:`~tricklab.models.segmentation.decode_head.DecodeHead`.

    Shape:
        maps of a backbone → (N, out_channels, H, W) at the size of the map that is read.

    Raises:
        UserError: scale 1 with batch normalisation is trained on a single image.

    >>> PSPHead(channels=8, num_classes=3, in_channels=[16])([torch.zeros(2, 16, 7, 5)]).shape
    torch.Size([2, 3, 7, 5])
    """

    in_channels: int

    def __init__(
        self,
        channels: int,
        pool_scales: Sequence[int] = POOL_SCALES,
        in_index: int | list[int] = -1,
        input_transform: Literal["resize_concat"] | None = None,
        dropout_ratio: float = 0.1,
        norm_cfg: dict[str, Any] | None = BATCH_NORM,
        act_cfg: dict[str, Any] = RELU,
        align_corners: bool = False,
        out_channels: int | None = None,
        context: Annotated[dict[str, Any], Kind("context")] | None = None,
        *,
        num_classes: int,
        in_channels: Sequence[int],
    ) -> None:
        super().__init__(
            channels, in_index, input_transform, dropout_ratio, norm_cfg, act_cfg, align_corners, out_channels, context,
            num_classes, in_channels,
        )  # fmt: skip
        self.psp_modules = PPM(pool_scales, self.in_channels, channels, norm_cfg, act_cfg)
        self.bottleneck = self.convolution(self.in_channels + len(pool_scales) * channels, 3)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        x = self.select(maps)
        pooled = [self.resize(found, x) for found in self.psp_modules(x)]
        return self.classify(self.add_context(self.bottleneck(torch.cat([x, *pooled], dim=1))))
