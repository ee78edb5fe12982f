"""Residual blocks of ResNet, ResNeXt and Res2Net, with OpenMMLab's and the authors' parameter names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from tricklab.errors import UserError, nearest
from tricklab.layers.conv_module import draw_convolution
from tricklab.layers.deformable_convolution import DeformConv2dPack, ModulatedDeformConv2dPack
from tricklab.layers.norm_and_activation import build_norm, norm_name

_DEFORMABLE = {"DCN": DeformConv2dPack, "DCNv2": ModulatedDeformConv2dPack}


@dataclass(frozen=True)
class BlockStyle:
    """What all blocks of a network have in common.

    Attributes:
        norm_cfg: the normalisation.
        caffe: the first convolution of a bottleneck has the stride, not the second.
        zero_init: the last normalisation begins at zero, so that a block begins as the identity.
        groups, base_width, base_channels: a bottleneck's inner width is
            ``floor(planes * base_width / base_channels) * groups``, for each of its scales.
        scales: parts that Res2Net splits the inner channels into; 1: no split.
        dcn: of the 3 × 3 convolutions, ``{type: DCN | DCNv2, deform_groups, fallback_on_stride}``; None: plain ones.
    """

    norm_cfg: Mapping[str, Any]
    caffe: bool = False
    zero_init: bool = True
    groups: int = 1
    base_width: int = 64
    base_channels: int = 64
    scales: int = 1
    dcn: Mapping[str, Any] | None = None


class ResidualBlock(nn.Module):
    """``relu(branch(x) + shortcut(x))``; a subclass adds the branch's layers and says how they run.

    Args:
        inplanes: channels of the input.
        planes: channels of the output, divided by ``expansion``.
        stride, dilation: of the branch.
        downsample: the shortcut; None: x itself.
        style: what all blocks of the network have in common.
        first: whether it is its stage's first block.
    """

    expansion: ClassVar[int]
    norms: ClassVar[int]  # normalisations of the branch, which are counted from 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int,
        dilation: int,
        downsample: nn.Module | None,
        style: BlockStyle,
        first: bool,
    ) -> None:
        super().__init__()
        self._names = [f"{norm_name(style.norm_cfg)}{number + 1}" for number in range(self.norms)]
        self.out_channels, self.first_of_stage = planes * self.expansion, first
        self._add_branch(inplanes, planes, stride, dilation, style)
        self.downsample = downsample
        _zero(self.norm(self.norms), style)

    def norm(self, number: int) -> nn.Module:
        """The normalisation of this number."""
        return self.get_submodule(self._names[number - 1])

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.branch(x) + (x if self.downsample is None else self.downsample(x)))

    def branch(self, x: Tensor) -> Tensor:
        """What is added to the shortcut."""
        raise NotImplementedError

    def _add_branch(self, inplanes: int, planes: int, stride: int, dilation: int, style: BlockStyle) -> None:
        raise NotImplementedError

    def _add_norm(self, number: int, channels: int, style: BlockStyle) -> None:
        self.add_module(self._names[number - 1], build_norm(style.norm_cfg, channels))


class BasicBlock(ResidualBlock):
    """Two 3 × 3 convolutions and a shortcut; the second one is not dilated, as in OpenMMLab."""

    expansion, norms = 1, 2

    def _add_branch(self, inplanes: int, planes: int, stride: int, dilation: int, style: BlockStyle) -> None:
        self.conv1 = _convolution(inplanes, planes, 3, stride, dilation)
        self._add_norm(1, planes, style)
        self.conv2 = _convolution(planes, planes, 3)
        self._add_norm(2, planes, style)

    def branch(self, x: Tensor) -> Tensor:
        found: Tensor = self.norm(2)(self.conv2(functional.relu(self.norm(1)(self.conv1(x)))))
        return found


class Bottleneck(ResidualBlock):
    """1 × 1, 3 × 3, 1 × 1 convolutions and a shortcut; the 3 × 3 one may be grouped, dilated, deformable."""

    expansion, norms = 4, 3

    def _add_branch(self, inplanes: int, planes: int, stride: int, dilation: int, style: BlockStyle) -> None:
        self.width, inner = inner_widths(planes, style)
        before, within = (stride, 1) if style.caffe else (1, stride)
        self.conv1 = _convolution(inplanes, inner, 1, before)
        self._add_norm(1, inner, style)
        self._add_middle(within, dilation, style)
        self.conv3 = _convolution(inner, self.out_channels, 1)
        self._add_norm(3, self.out_channels, style)

    def _add_middle(self, stride: int, dilation: int, style: BlockStyle) -> None:
        self.conv2 = spatial_convolution(self.width, stride, dilation, style)
        self._add_norm(2, self.width, style)

    def middle(self, x: Tensor) -> Tensor:
        """The 3 × 3 convolution, normalised."""
        return functional.relu(self.norm(2)(self.conv2(x)))

    def branch(self, x: Tensor) -> Tensor:
        found: Tensor = self.norm(3)(self.conv3(self.middle(functional.relu(self.norm(1)(self.conv1(x))))))
        return found


class Bottle2neck(Bottleneck):
    """A bottleneck whose 3 × 3 convolution is split into a hierarchy of smaller ones (Res2Net).

    With inner channels cut into ``scales`` parts ``x_i``: ``y_1 = K_1(x_1)``, ``y_i = K_i(x_i + y_{i-1})``, and the
    last part passes as it is. In a stage's first block the parts do not add, and the last one is averaged over 3 × 3
    pixels with the block's stride. (The paper writes ``y_1 = x_1``; the authors' code is followed. mmdet averages only
    where the stride is not one; the authors, and so the published weights, always do.)
    """

    def _add_middle(self, stride: int, dilation: int, style: BlockStyle) -> None:
        count = style.scales - 1
        self.stride = stride
        self.convs = nn.ModuleList(spatial_convolution(self.width, stride, dilation, style) for _ in range(count))
        self.bns = nn.ModuleList(build_norm(style.norm_cfg, self.width) for _ in range(count))

    def middle(self, x: Tensor) -> Tensor:
        *parts, last = x.split(self.width, dim=1)
        found: list[Tensor] = []
        for part, convolution, norm in zip(parts, self.convs, self.bns, strict=True):
            joined = part if self.first_of_stage or not found else part + found[-1]
            found.append(functional.relu(norm(convolution(joined))))
        if self.first_of_stage:
            last = functional.avg_pool2d(last, 3, self.stride, 1)
        return torch.cat([*found, last], dim=1)


def inner_widths(planes: int, style: BlockStyle) -> tuple[int, int]:
    """(channels of one part, channels of all parts) inside a bottleneck."""
    width = math.floor(planes * style.base_width / style.base_channels) * style.groups
    if width < 1:
        raise UserError(f"base_width {style.base_width} leaves no channel of {planes}", where="model.backbone")
    return width, width * style.scales


def spatial_convolution(width: int, stride: int, dilation: int, style: BlockStyle) -> nn.Conv2d:
    """The 3 × 3 convolution of a bottleneck, deformable where the style says so."""
    dcn = style.dcn
    if dcn is None or dcn.get("fallback_on_stride", False):
        return _convolution(width, width, 3, stride, dilation, style.groups)
    made = _DEFORMABLE[dcn["type"]]
    return made(width, width, 3, stride, dilation, style.groups, deform_groups=dcn.get("deform_groups", 1))


def check_dcn(dcn: Mapping[str, Any]) -> None:
    """Refuse a deformable convolution that there is none of.

    Raises:
        UserError: unknown type or key, or a wrong value.
    """
    known = {"type": str, "deform_groups": int, "fallback_on_stride": bool}
    for key, value in dcn.items():
        if key not in known:
            raise UserError(f"unknown key {key!r}", where="model.backbone.dcn", fix=nearest(str(key), list(known)))
        if type(value) is not known[key]:
            raise UserError(f"{key} must be of type {known[key].__name__}, not {value!r}", where="model.backbone.dcn")
    if dcn.get("type") not in _DEFORMABLE:
        raise UserError(
            f"unknown type {dcn.get('type')!r}",
            where="model.backbone.dcn.type",
            fix=nearest(str(dcn.get("type")), list(_DEFORMABLE)),
        )


def _convolution(
    inplanes: int, planes: int, kernel: int, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Conv2d:
    made = nn.Conv2d(inplanes, planes, kernel, stride, kernel // 2 * dilation, dilation, groups, bias=False)
    draw_convolution(made)
    return made


def _zero(norm: nn.Module, style: BlockStyle) -> None:
    if style.zero_init and isinstance(weight := getattr(norm, "weight", None), nn.Parameter):
        nn.init.zeros_(weight)
