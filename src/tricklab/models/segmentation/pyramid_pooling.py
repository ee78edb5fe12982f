"""Pyramid pooling: a map averaged over grids of several sizes, for PSPNet and UPerNet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from tricklab.errors import UserError
from tricklab.layers.conv_module import ConvModule

POOL_SCALES = (1, 2, 3, 6)


class PPM(nn.ModuleList):
    """One average over a grid of s × s cells and a 1 × 1 convolution for each scale s.

    Shape:
        (N, in_channels, H, W) → a list of maps (N, channels, s, s).
    """

    def __init__(
        self,
        pool_scales: Sequence[int],
        in_channels: int,
        channels: int,
        norm_cfg: Mapping[str, Any] | None,
        act_cfg: Mapping[str, Any] | None,
    ) -> None:
        if not pool_scales or min(pool_scales) < 1:
            raise UserError(f"it needs sizes of at least 1, not {list(pool_scales)}", where="pool_scales")
        super().__init__(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(scale),
                ConvModule(in_channels, channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg),
            )
            for scale in pool_scales
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        return [part(x) for part in self]
