"""APCNet's adaptive pyramid context: each pixel weighs the means of a few regions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.layers.context._base import ContextBlock, through_nodes
from tricklab.layers.context.normalisation import conv_norm
from tricklab.registry import component


class ACM(nn.Module):
    """Adaptive context module of one scale: s² region means, weighed per pixel by sigmoids of local and global sight.

    (N, inputs, H, W) to (N, channels, H, W). Weight names are OpenMMLab's.
    """

    def __init__(self, inputs: int, channels: int, pool_scale: int, fusion: bool) -> None:
        super().__init__()
        self.pool_scale = pool_scale
        self.pooled_redu_conv = conv_norm(inputs, channels)
        self.input_redu_conv = conv_norm(inputs, channels)
        self.global_info = conv_norm(channels, channels)
        self.gla = nn.Conv2d(channels, pool_scale**2, 1)
        self.residual_conv = conv_norm(channels, channels)
        self.fusion_conv = conv_norm(channels, channels) if fusion else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.input_redu_conv(x)
        return self.fusion_conv(functional.relu(self.residual_conv(self.reconstruction(x, narrow)) + narrow))

    def reconstruction(self, x: Tensor, narrow: Tensor) -> Tensor:
        """What each pixel takes of the regions, of rank at most s²."""

        def assign(x: Tensor) -> tuple[Tensor, Tensor]:
            regions_NKC = self.pooled_redu_conv(functional.adaptive_avg_pool2d(x, self.pool_scale)).flatten(2).mT
            sight = narrow + self.global_info(functional.adaptive_avg_pool2d(narrow, 1))
            return regions_NKC, self.gla(sight).flatten(2).sigmoid()

        return through_nodes(x, assign, None)


@component(
    "context",
    source="He et al., Adaptive Pyramid Context Network, CVPR 2019; OpenMMLab's APCHead",
    given=("channels",),
)
class APCNet(ContextBlock):
    """Adaptive pyramid context: y = relu(BN(3 × 3 of [x, ACM of each scale])).

    Scale s: region means Y (s² of them), weights alpha = sigmoid(1 × 1 of (x' + global x')), z = relu(1 × 1 of
    alpha Y + x'). O(HW s² C/r) time and O(HW s²) memory a scale. Not the identity at the start. A batch of one trains
    too: the published normalisation of the 1 × 1 global map refuses it.

    Args:
        pool_scales: s of each scale.
        fusion: a last 1 × 1 convolution in each scale.
        reduction: how many times fewer channels each scale has.

    >>> APCNet(channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    def __init__(
        self,
        pool_scales: list[int] = [1, 2, 3, 6],  # noqa: B006 - read only
        fusion: bool = True,
        reduction: int = 4,
        *,
        channels: int,
    ) -> None:
        super().__init__(channels)
        hidden = self.hidden(reduction)
        if not pool_scales or min(pool_scales) < 1:
            raise UserError(f"pool_scales of APCNet must be numbers of at least 1, not {pool_scales}")
        self.acm_modules = nn.ModuleList(ACM(channels, hidden, scale, fusion) for scale in pool_scales)
        self.bottleneck = conv_norm(channels + len(pool_scales) * hidden, channels, 3)

    def context(self, x: Tensor) -> Tensor:
        return self.bottleneck(torch.cat([x, *(module(x) for module in self.acm_modules)], dim=1))
