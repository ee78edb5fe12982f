"""What all decode heads share: which maps they read, context, dropout and the last convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from tricklab import registry, seeds
from tricklab.errors import UserError
from tricklab.layers.conv_module import ConvModule
from tricklab.layers.norm_and_activation import BATCH_NORM, RELU
from tricklab.registry import Kind, component_base

CLASSIFIER = "conv_seg"


@component_base(given=("num_classes", "in_channels"))
class DecodeHead(nn.Module):
    """Base of the heads: maps of a backbone in, logits at one map's size out.

    A head of one's own subclasses it, hands ``**rest`` on, builds its layers for ``self.in_channels`` input and
    ``self.channels`` output channels, and ends its ``forward`` with :meth:`classify`; :meth:`add_context` is for the
    place where a context block belongs. With ``reads_several`` it gets the listed maps as a list: ``self.in_channels``
    are theirs, and ``input_transform`` is among the class's ``fixed`` arguments.

    Args:
        channels: of each convolution, and of the features that are classified.
        in_index: which of the backbone's maps, counted from 0 or from the end; a list with an ``input_transform``.
        input_transform: ``resize_concat``: the listed maps are brought to the first one's size and joined; null: one
            map.
        dropout_ratio: share of the channels that are zeroed before the classifier while training.
        norm_cfg, act_cfg: of the convolutions. OpenMMLab's heads have no normalisation unless a config names one; here
            the default is ``{type: BN}``, which its configs name.
        align_corners: of every resizing.
        out_channels: 1 with two classes: one logit of the second class, for a sigmoid; null: one logit a class.
        context: a block of kind context (:mod:`tricklab.layers.context`) on the head's features; null: none.
        num_classes: number of classes.
        in_channels: channels of all of the backbone's maps.

    Raises:
        UserError: an index that the backbone does not have, or numbers that do not fit together.
    """

    in_channels: int | list[int]
    reads_several: ClassVar[bool] = False

    def __init__(
        self,
        channels: int,
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
        super().__init__()
        if channels < 1:
            raise UserError(f"channels must be at least 1, not {channels}", where="channels")
        if not 0.0 <= dropout_ratio < 1.0:
            raise UserError(f"dropout_ratio must lie in [0, 1), not {dropout_ratio}", where="dropout_ratio")
        if out_channels not in (None, num_classes) and (out_channels, num_classes) != (1, 2):
            raise UserError(
                f"out_channels must be the number of classes, {num_classes}, or 1 for two classes, not {out_channels}",
                where="out_channels",
            )
        self.channels, self.align_corners, self.input_transform = channels, align_corners, input_transform
        self.norm_cfg, self.act_cfg = norm_cfg, act_cfg
        self.out_channels = num_classes if out_channels is None else out_channels
        self.backbone_channels = list(in_channels)
        self._select(in_index, self.backbone_channels)
        self.conv_seg = nn.Conv2d(channels, self.out_channels, 1)
        nn.init.normal_(self.conv_seg.weight, std=0.01)
        assert self.conv_seg.bias is not None
        nn.init.zeros_(self.conv_seg.bias)
        self.dropout = nn.Dropout2d(dropout_ratio) if dropout_ratio > 0 else None
        self.context: nn.Module | None = None
        if context is not None:
            with seeds.aside("context"):
                self.context = registry.build("context", context, channels=channels)

    def _select(self, index: int | Sequence[int], found: list[int]) -> None:
        if isinstance(index, Sequence) != (self.reads_several or self.input_transform is not None):
            raise UserError(
                f"in_index {index!r} does not go with input_transform {self.input_transform!r}",
                where="in_index",
                fix="a list of maps needs resize_concat, one map needs null",
            )
        asked = [int(one) for one in index] if isinstance(index, Sequence) else [index]
        for one in asked:
            if not -len(found) <= one < len(found):
                raise UserError(
                    f"the backbone gives {len(found)} maps, of {found} channels; there is no number {one}",
                    where="in_index",
                )
        if not asked:
            raise UserError("it names no map", where="in_index")
        chosen = [found[one] for one in asked]
        self._asked = asked
        self.in_channels = chosen if self.reads_several else sum(chosen)

    def select(self, maps: Sequence[Tensor]) -> Tensor:
        """The map that the head reads; of several, joined at the first one's size."""
        chosen = [maps[one] for one in self._asked]
        return chosen[0] if len(chosen) == 1 else torch.cat([self.resize(x, chosen[0]) for x in chosen], dim=1)

    def select_several(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The maps that the head reads, as a list."""
        return [maps[one] for one in self._asked]

    def resize(self, x: Tensor, like: Tensor) -> Tensor:
        """A map at the height and width of another, bilinear."""
        if x.shape[2:] == like.shape[2:]:
            return x
        return functional.interpolate(x, like.shape[2:], mode="bilinear", align_corners=self.align_corners)

    def convolution(self, in_channels: int, kernel_size: int, dilation: int = 1) -> ConvModule:
        """A convolution to ``channels`` channels with the head's normalisation and activation."""
        return ConvModule(
            in_channels, self.channels, kernel_size, dilation=dilation, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg
        )

    def add_context(self, x: Tensor) -> Tensor:
        """Features of ``channels`` channels through the context block, if there is one."""
        return x if self.context is None else self.context(x)

    def classify(self, x: Tensor) -> Tensor:
        """Logits (N, out_channels, H, W) of features (N, channels, H, W)."""
        found: Tensor = self.conv_seg(x if self.dropout is None else self.dropout(x))
        return found

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        raise NotImplementedError
