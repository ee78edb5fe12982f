"""FCNHead: a few convolutions and a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tricklab.errors import UserError
from tricklab.layers.conv_module import ConvModule
from tricklab.models.segmentation.decode_head import DecodeHead
from tricklab.registry import component


@component("head", source="Long et al., CVPR 2015, arXiv 1411.4038; OpenMMLab")
class FCNHead(DecodeHead):
    """Convolutions on one map of the backbone, joined with their input, and a classifier.

    A ``context`` block stands between the first convolution and the second, as in OpenMMLab's ``NLHead``; after them
    if there is one alone.

    Args:
        num_convs: how many; 0 classifies the map itself.
        kernel_size: odd.
        concat_input: one more convolution on the input and the others' result together.
        dilation: of the convolutions.

    Shape:
        maps of a backbone → (N, out_channels, H, W) at the size of the map that is read.

    >>> FCNHead(channels=8, num_classes=3, in_channels=[16, 32])([torch.zeros(2, c, 4, 6) for c in (16, 32)]).shape
    torch.Size([2, 3, 4, 6])
    """

    in_channels: int

    def __init__(
        self,
        num_convs: int = 2,
        kernel_size: int = 3,
        concat_input: bool = True,
        dilation: int = 1,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        if num_convs < 0 or dilation < 1 or kernel_size < 1 or kernel_size % 2 == 0:
            raise UserError(
                f"FCNHead needs num_convs from 0, dilation from 1 and an odd kernel_size, not "
                f"{num_convs}, {dilation}, {kernel_size}",
                where="num_convs",
            )
        if num_convs == 0 and self.in_channels != self.channels:
            raise UserError(
                f"without convolutions channels are those of the map, {self.in_channels}, not {self.channels}",
                where="channels",
            )
        widths = [self.in_channels, *[self.channels] * num_convs]
        self.convs = nn.Sequential(*(self.convolution(before, kernel_size, dilation) for before in widths[:-1]))
        self.conv_cat: ConvModule | None = None
        if concat_input:
            self.conv_cat = self.convolution(self.in_channels + self.channels, kernel_size)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        x = self.select(maps)
        found = self.add_context(self.convs[:1](x))
        found = self.convs[1:](found)
        if self.conv_cat is not None:
            found = self.conv_cat(torch.cat([x, found], dim=1))
        return self.classify(found)
