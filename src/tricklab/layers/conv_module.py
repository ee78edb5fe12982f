"""Convolution, normalisation, activation, with the names that OpenMMLab's networks give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from tricklab.errors import UserError
from tricklab.layers.norm_and_activation import RELU, build_activation, build_norm, norm_name


class ConvModule(nn.Module):
    """``activation(norm(conv(x)))`` with the parameter names ``conv`` and ``bn`` (``gn``, ``in``) of mmcv.

    The convolution has a bias where no normalisation follows. Weights are drawn from a normal distribution with
    variance 2 / fan_out (He et al. 2015), biases are zero, as mmcv draws them.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        kernel_size: odd; the padding keeps the size at stride 1.
        stride, dilation, groups: of the convolution.
        norm_cfg: as for :func:`~tricklab.layers.norm_and_activation.build_norm`; None: none.
        act_cfg: as for :func:`~tricklab.layers.norm_and_activation.build_activation`; None: none.
        inplace: whether the activation may overwrite its input.

    Shape:
        (N, in_channels, H, W) float → (N, out_channels, ⌈H / stride⌉, ⌈W / stride⌉).

    Raises:
        UserError: while training, a batch normalisation sees a single value per channel.

    >>> import torch
    >>> ConvModule(3, 8, 3, norm_cfg={"type": "BN"})(torch.zeros(2, 3, 5, 7)).shape
    torch.Size([2, 8, 5, 7])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        norm_cfg: Mapping[str, Any] | None = None,
        act_cfg: Mapping[str, Any] | None = RELU,
        inplace: bool = True,
    ) -> None:
        super().__init__()
        padding = kernel_size // 2 * dilation
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias=norm_cfg is None
        )
        slope = 0.0
        if act_cfg is not None and act_cfg.get("type") == "LeakyReLU":
            slope = float(act_cfg.get("negative_slope", 0.01))
        draw_convolution(self.conv, slope)
        self._norm = None if norm_cfg is None else norm_name(norm_cfg)
        if norm_cfg is not None and self._norm is not None:
            self.add_module(self._norm, build_norm(norm_cfg, out_channels))
        self.activate = None if act_cfg is None else build_activation(act_cfg, inplace)

    @property
    def out_channels(self) -> int:
        return self.conv.out_channels

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self._norm is not None:
            norm = self.get_submodule(self._norm)
            if x.shape[0] * x.shape[2] * x.shape[3] == 1 and isinstance(norm, nn.BatchNorm2d) and norm.training:
                raise UserError(
                    "a batch normalisation of one image's 1 × 1 map has a single value per channel to train on",
                    where="norm_cfg",
                    fix="take batches of at least two images, or norm_cfg: {type: GN, num_groups: 32} in this head",
                )
            x = norm(x)
        return x if self.activate is None else self.activate(x)


class DepthwiseSeparableConvModule(nn.Module):
    """A convolution of each channel by itself, then one of 1 × 1, each with normalisation and activation.

    Names of the parameters: ``depthwise_conv`` and ``pointwise_conv``, each a :class:`ConvModule`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        dilation: int = 1,
        norm_cfg: Mapping[str, Any] | None = None,
        act_cfg: Mapping[str, Any] | None = RELU,
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.depthwise_conv = ConvModule(
            in_channels, in_channels, kernel_size, 1, dilation, in_channels, norm_cfg, act_cfg
        )
        self.pointwise_conv = ConvModule(in_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise_conv(self.depthwise_conv(x))


def draw_convolution(convolution: nn.Conv2d | nn.ConvTranspose2d, negative_slope: float = 0.0) -> None:
    """He et al.'s normal distribution with variance 2 / ((1 + slope²) fan_out); the bias is zero."""
    nn.init.kaiming_normal_(convolution.weight, negative_slope, "fan_out", "leaky_relu")
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
