"""Deformable convolutions that learn where to look, with mmcv's names, on torchvision's operator."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

from tricklab import seeds
from tricklab.errors import UserError
from tricklab.layers.conv_module import draw_convolution
from tricklab.observe import observe


class DeformConv2dPack(nn.Conv2d):
    """A convolution whose taps are moved by offsets that a second convolution computes (Dai et al. 2017, "DCN").

    ``y(p) = Σ_k w_k x(p + p_k + Δp_k(p))`` with bilinear sampling; the offsets' convolution ``conv_offset`` begins at
    zero, so that the layer begins as the plain convolution with the same weights. Parameters are ``weight``,
    ``bias`` and those of ``conv_offset``, whose channels are (dy, dx) of each tap in turn, as in mmcv.

    Args:
        in_channels, out_channels, kernel_size, stride, dilation, groups, bias: of the convolution; the padding keeps
            the size at stride 1.
        deform_groups: parts of the input's channels that have offsets of their own.

    Shape:
        (N, in_channels, H, W) float → (N, out_channels, H', W') as a plain convolution.

    Observes ``dcn/offset``, the offsets in pixels of the input.
    """

    modulated = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        deform_groups: int = 1,
    ) -> None:
        padding = kernel_size // 2 * dilation
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias)
        if deform_groups < 1 or in_channels % deform_groups:
            raise UserError(f"deform_groups {deform_groups} does not divide {in_channels} channels", where="dcn")
        draw_convolution(self)
        maps = (3 if self.modulated else 2) * deform_groups * kernel_size**2
        with seeds.aside("conv_offset"):
            self.conv_offset = nn.Conv2d(in_channels, maps, kernel_size, stride, padding, dilation)
        nn.init.zeros_(self.conv_offset.weight)
        if self.conv_offset.bias is not None:
            nn.init.zeros_(self.conv_offset.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self._deformed(x, self.conv_offset(x), None)

    def _deformed(self, x: Tensor, offset: Tensor, mask: Tensor | None) -> Tensor:
        observe("dcn/offset", offset.detach())
        padding: Any = self.padding
        return deform_conv2d(x, offset, self.weight, self.bias, self.stride, padding, self.dilation, mask)


class ModulatedDeformConv2dPack(DeformConv2dPack):
    """As :class:`DeformConv2dPack`, each tap also scaled by a number in (0, 1) (Zhu et al. 2019, "DCNv2").

    The last third of ``conv_offset``'s channels are the logits of these numbers; they begin at zero, so that the layer
    begins as half the plain convolution.
    """

    modulated = True

    def forward(self, x: Tensor) -> Tensor:
        found = self.conv_offset(x)
        third = found.shape[1] // 3
        return self._deformed(x, found[:, : 2 * third], torch.sigmoid(found[:, 2 * third :]))
