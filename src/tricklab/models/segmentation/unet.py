"""UNet as a backbone, whose maps are those of the way back up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.layers.conv_module import ConvModule, draw_convolution
from tricklab.layers.norm_and_activation import BATCH_NORM, RELU, build_activation, build_norm
from tricklab.registry import component


class BasicConvBlock(nn.Module):
    """3 × 3 convolutions one after the other, the first with the stride, the others with the dilation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_convs: int,
        stride: int,
        dilation: int,
        norm_cfg: Mapping[str, Any] | None,
        act_cfg: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.convs = nn.Sequential(
            *(
                ConvModule(
                    out_channels if number else in_channels,
                    out_channels,
                    3,
                    1 if number else stride,
                    dilation if number else 1,
                    norm_cfg=norm_cfg,
                    act_cfg=act_cfg,
                )
                for number in range(num_convs)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.convs(x)
        return found


class InterpConv(nn.Module):
    """A map brought bilinearly to another one's size, then a 1 × 1 convolution: ``interp_upsample.1``."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        norm_cfg: Mapping[str, Any] | None,
        act_cfg: Mapping[str, Any],
    ) -> None:
        super().__init__()
        made = ConvModule(in_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.interp_upsample = nn.ModuleDict({"1": made})

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        found: Tensor = self.interp_upsample["1"](functional.interpolate(x, size, mode="bilinear", align_corners=False))
        return found


class DeconvModule(nn.Module):
    """A transposed convolution of 4 × 4 with stride 2: ``deconv_upsamping`` (OpenMMLab's spelling)."""

    def __init__(
        self, in_channels: int, out_channels: int, norm_cfg: Mapping[str, Any] | None, act_cfg: Mapping[str, Any]
    ) -> None:
        super().__init__()
        made = nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1)
        draw_convolution(made)
        norm = [] if norm_cfg is None else [build_norm(norm_cfg, out_channels)]
        self.deconv_upsamping = nn.Sequential(made, *norm, build_activation(act_cfg))

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        found: Tensor = self.deconv_upsamping(x)
        if found.shape[2:] == torch.Size(size):
            return found
        return functional.interpolate(found, size, mode="bilinear", align_corners=False)


class UpConvBlock(nn.Module):
    """A deep map brought to the size and channels of an early one, joined with it, and convolved."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_convs: int,
        dilation: int,
        upsample: str | None,
        norm_cfg: Mapping[str, Any] | None,
        act_cfg: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.conv_block = BasicConvBlock(2 * out_channels, out_channels, num_convs, 1, dilation, norm_cfg, act_cfg)
        self.upsample: nn.Module
        if upsample is None:
            self.upsample = ConvModule(in_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)
        else:
            made = InterpConv if upsample == "InterpConv" else DeconvModule
            self.upsample = made(in_channels, out_channels, norm_cfg, act_cfg)

    def forward(self, early: Tensor, deep: Tensor) -> Tensor:
        if isinstance(self.upsample, ConvModule):
            raised = self.upsample(deep)
        else:
            raised = self.upsample(deep, early.shape[2:])
        found: Tensor = self.conv_block(torch.cat([early, raised], dim=1))
        return found


@component("backbone", source="Ronneberger et al., MICCAI 2015, arXiv 1505.04597; OpenMMLab", given=("in_channels",))
class UNet(nn.Module):
    """UNet: an encoder, and a decoder that joins each of its stages' maps on the way back up.

    The five maps of the usual five stages are the deepest one and those of the decoder, so ``in_index: -1`` of a head
    is the full size and ``in_index: 3`` half of it. Images may have any height and width (OpenMMLab demands multiples
    of 16): maps are brought to the size of the one that they are joined with.

    Args:
        base_channels: of the first stage, doubled in each further one.
        num_stages: of the encoder.
        strides: of each stage's first convolution.
        enc_num_convs, dec_num_convs: convolutions of each stage; the decoder's lists are one shorter and begin with
            the largest map.
        downsamples: whether a stage but the first begins with 2 × 2 max pooling, where its stride is 1.
        enc_dilations, dec_dilations: of the second and further convolutions.
        upsample_cfg: ``{type: InterpConv}``, bilinear and a 1 × 1 convolution, or ``{type: DeconvModule}``.
        norm_cfg, act_cfg: of the convolutions.
        norm_eval: batch normalisations keep their running statistics while training.
        in_channels: of the images.

    Shape:
        (N, in_channels, H, W) float → ``num_stages`` maps, from the deepest to (N, base_channels, H, W).

    Raises:
        UserError: lists that do not fit the stages, or images too small for them.

    >>> [tuple(x.shape) for x in UNet(base_channels=4, in_channels=3)(torch.zeros(1, 3, 33, 48))][-2:]
    [(1, 8, 16, 24), (1, 4, 33, 48)]
    """

    def __init__(
        self,
        base_channels: int = 64,
        num_stages: int = 5,
        strides: Sequence[int] = (1, 1, 1, 1, 1),
        enc_num_convs: Sequence[int] = (2, 2, 2, 2, 2),
        dec_num_convs: Sequence[int] = (2, 2, 2, 2),
        downsamples: Sequence[bool] = (True, True, True, True),
        enc_dilations: Sequence[int] = (1, 1, 1, 1, 1),
        dec_dilations: Sequence[int] = (1, 1, 1, 1),
        upsample_cfg: dict[Literal["type"], Literal["InterpConv", "DeconvModule"]] = {"type": "InterpConv"},  # noqa: B006
        norm_cfg: dict[str, Any] | None = BATCH_NORM,
        act_cfg: dict[str, Any] = RELU,
        norm_eval: bool = False,
        *,
        in_channels: int,
    ) -> None:
        super().__init__()
        for name, values, length in (
            ("strides", strides, num_stages), ("enc_num_convs", enc_num_convs, num_stages),
            ("enc_dilations", enc_dilations, num_stages), ("downsamples", downsamples, num_stages - 1),
            ("dec_num_convs", dec_num_convs, num_stages - 1), ("dec_dilations", dec_dilations, num_stages - 1),
        ):  # fmt: skip
            if len(values) != length or (name != "downsamples" and min(values, default=1) < 1):
                raise UserError(f"it needs {length} numbers, not {list(values)}", where=f"model.backbone.{name}")
        if num_stages < 2 or base_channels < 1:
            raise UserError("UNet needs at least two stages and one channel", where="model.backbone.num_stages")
        self.norm_eval = norm_eval
        widths = [base_channels * 2**stage for stage in range(num_stages)]
        self.channels = (widths[-1], *widths[-2::-1])
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        for stage, width in enumerate(widths):
            smaller = stage > 0 and (strides[stage] != 1 or downsamples[stage - 1])
            pool = [nn.MaxPool2d(2)] if smaller and strides[stage] == 1 else []
            before = widths[stage - 1] if stage else in_channels
            block = BasicConvBlock(
                before, width, enc_num_convs[stage], strides[stage], enc_dilations[stage], norm_cfg, act_cfg
            )
            self.encoder.append(nn.Sequential(*pool, block))
            if stage:
                convs, dilation = dec_num_convs[stage - 1], dec_dilations[stage - 1]
                upsample = upsample_cfg["type"] if smaller else None
                self.decoder.append(UpConvBlock(width, before, convs, dilation, upsample, norm_cfg, act_cfg))
        self._smallest = 2 ** sum(isinstance(part[0], nn.MaxPool2d) for part in self.encoder)  # type: ignore[index]

    def forward(self, images: Tensor) -> list[Tensor]:
        if min(images.shape[2:]) < self._smallest:
            raise UserError(
                f"images of {tuple(images.shape[2:])} pixels vanish in this UNet's poolings",
                where="model.backbone",
                fix=f"take crops of at least {self._smallest} pixels, or fewer stages",
            )
        found = []
        x = images
        for part in self.encoder:
            x = part(x)
            found.append(x)
        maps = [x]
        for part, early in zip(reversed(self.decoder), found[-2::-1], strict=True):
            maps.append(part(early, maps[-1]))
        return maps

    def train(self, mode: bool = True) -> UNet:
        """Training mode, but with ``norm_eval`` for the batch normalisations."""
        super().train(mode)
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self
