"""DepthwiseSeparableASPPHead, of DeepLabV3+: separable dilated convolutions, refined by an early map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from tricklab.errors import UserError
from tricklab.layers.conv_module import ConvModule, DepthwiseSeparableConvModule
from tricklab.layers.norm_and_activation import BATCH_NORM, RELU
from tricklab.models.segmentation.aspp_head import DILATIONS, ASPPHead
from tricklab.registry import Kind, component


@component("head", source="Chen et al., ECCV 2018, arXiv 1802.02611; OpenMMLab", given=("num_classes", "in_channels"))
class DepthwiseSeparableASPPHead(ASPPHead):
    """Atrous pyramid with depthwise-separable convolutions, whose result is joined with the backbone's first map.

    Args:
        channels: of each convolution and of the features that are classified.
        c1_channels: that the backbone's first map is brought to (OpenMMLab's configs: 48); 0 leaves it out.
        dilations: one branch each; 1 is a plain 1 × 1 convolution.
        in_index, input_transform, dropout_ratio, norm_cfg, act_cfg, align_corners, out_channels, context: as for
            :class:`~tricklab.models.segmentation.decode_head.DecodeHead`.

    Shape:
        maps of a backbone → (N, out_channels, H, W) at the size of the backbone's first map, or with ``c1_channels: 0``
        of the one that is read.

    Raises:
        UserError: batch normalisation of the mean of the map is trained on a single image.

    >>> maps = [torch.zeros(2, 4, 14, 10), torch.zeros(2, 16, 7, 5)]
    >>> DepthwiseSeparableASPPHead(channels=8, c1_channels=2, num_classes=3, in_channels=[4, 16])(maps).shape
    torch.Size([2, 3, 14, 10])
    """

    def __init__(
        self,
        channels: int,
        c1_channels: int,
        dilations: Sequence[int] = DILATIONS,
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
            channels, dilations, in_index, input_transform, dropout_ratio, norm_cfg, act_cfg, align_corners,
            out_channels, context, num_classes=num_classes, in_channels=in_channels,
        )  # fmt: skip
        if c1_channels < 0:
            raise UserError(f"it must be at least 0, not {c1_channels}", where="c1_channels")
        self.c1_bottleneck: ConvModule | None = None
        if c1_channels:
            self.c1_bottleneck = ConvModule(in_channels[0], c1_channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.sep_bottleneck = nn.Sequential(
            self._separable(channels + c1_channels, 1),
            self._separable(channels, 1),
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
