"""EfficientMod: modulation by what stands around a pixel, then attention in the deeper stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from tricklab.errors import UserError
from tricklab.models.efficientmod_blocks import AttentionBlock, ModulationBlock, Patches
from tricklab.models.initial_weights import load_weights, skips_initial_weights, with_weights_digest
from tricklab.registry import component


@dataclass(frozen=True)
class Size:
    """What a published size is made of: one number for each stage; modulation ratios alternate 1, ``ratio``."""

    widths: tuple[int, ...]
    modulations: tuple[int, ...]
    attentions: tuple[int, ...]
    ratio: int
    attention_ratios: tuple[int, ...]
    drop_path: float


SIZES = {
    "xxs": Size((32, 64, 128, 256), (2, 2, 6, 2), (0, 0, 1, 2), 6, (4, 4, 4, 4), 0.0),
    "xs": Size((32, 64, 144, 288), (3, 3, 4, 2), (0, 0, 3, 3), 4, (4, 4, 4, 4), 0.0),
    "s": Size((32, 64, 144, 312), (4, 4, 8, 4), (0, 0, 4, 4), 6, (4, 4, 4, 5), 0.02),
    "s_conv": Size((40, 80, 160, 344), (4, 4, 12, 8), (0, 0, 0, 0), 6, (4, 4, 4, 4), 0.02),
}


class Stage(nn.Module):
    """Blocks one after the other, then the convolution to the next stage's map, if there is a next."""

    def __init__(self, blocks: list[nn.Module], downsample: nn.Module | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def forward(self, x_NHWC: Tensor) -> Tensor:
        for block in self.blocks:
            x_NHWC = block(x_NHWC)
        return x_NHWC if self.downsample is None else self.downsample(x_NHWC)


@component(
    "model",
    source="Ma et al., Efficient Modulation for Vision Networks, ICLR 2024, github ma-xu/EfficientMod",
    given=("classes", "channels"),
    complete=with_weights_digest,
)
class EfficientMod(nn.Module):
    """EfficientMod: projections gated by a 7 × 7 context, with attention blocks in the two deeper stages.

    Parameters at 1000 classes, as published: ``xxs`` 4,736,264, ``xs`` 6,627,544, ``s`` 12,897,184, ``s_conv``
    (without attention) 12,872,336; at 12 classes 4,482,348, 6,342,012, 12,587,940, 12,531,476.
    Names of the weights and the initial distributions are the official code's, whose convolutions keep torch's
    defaults. Images may have any height and width.

    Args:
        size: ``xxs``, ``xs``, ``s`` or ``s_conv``.
        drop_path: probability that a branch of the last block is skipped for an image while training, growing linearly
            from 0 at the first; null: the size's own (0, 0, 0.02, 0.02).
        drop_rate: share of the features that are zeroed before the head while training.
        weights: begin with a file's weights; a head for another number of classes keeps its fresh values.
        weights_digest: hash of that file; filled in when the recipe is resolved.
        classes: number of classes.
        channels: channels of an image.

    Shape:
        (N, channels, H, W) float → ``{"main": logits (N, classes)}``.

    Raises:
        UserError: a probability outside [0, 1), weights that do not fit.

    >>> import torch
    >>> EfficientMod(size="xxs", classes=12).eval()(torch.zeros(2, 3, 50, 37))["main"].shape
    torch.Size([2, 12])
    """

    def __init__(
        self,
        size: Literal["xxs", "xs", "s", "s_conv"] = "xxs",
        drop_path: float | None = None,
        drop_rate: float = 0.0,
        weights: str | None = None,
        weights_digest: str | None = None,
        *,
        classes: int,
        channels: int = 3,
    ) -> None:
        super().__init__()
        chosen = SIZES[size]
        highest = chosen.drop_path if drop_path is None else drop_path
        for name, rate in {"drop_path": highest, "drop_rate": drop_rate}.items():
            if not 0.0 <= rate < 1.0:
                raise UserError(f"{name} must lie in [0, 1), not {rate}", where=f"model.{name}")
        self.in_channels = channels
        self.patch_embed = Patches(channels, chosen.widths[0], 7, 4)
        number = sum(chosen.modulations) + sum(chosen.attentions)
        rates = iter(highest * place / (number - 1) for place in range(number))
        stages = []
        for stage, width in enumerate(chosen.widths):
            blocks: list[nn.Module] = [
                ModulationBlock(width, 1 if place % 2 == 0 else chosen.ratio, next(rates))
                for place in range(chosen.modulations[stage])
            ]
            ratio = chosen.attention_ratios[stage]
            blocks += [AttentionBlock(width, ratio, next(rates)) for _ in range(chosen.attentions[stage])]
            following = chosen.widths[stage + 1 : stage + 2]
            stages.append(Stage(blocks, Patches(width, following[0], 3, 2) if following else None))
        self.layers = nn.ModuleList(stages)
        self.norm = nn.LayerNorm(chosen.widths[-1])
        self.dropout = nn.Dropout(drop_rate)
        self.head = nn.Linear(chosen.widths[-1], classes)
        self.apply(_initialise)
        if weights is not None and not skips_initial_weights():
            load_weights(self, weights, is_head=_is_head, digest=weights_digest)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        if images.ndim != 4 or images.shape[1] != self.in_channels:
            raise UserError(
                f"EfficientMod was built for images of shape (N, {self.in_channels}, H, W), "
                f"but is given {tuple(images.shape)}"
            )
        x_NHWC = self.patch_embed(images.permute(0, 2, 3, 1))
        for stage in self.layers:
            x_NHWC = stage(x_NHWC)
        return {"main": self.head(self.dropout(self.norm(x_NHWC).mean((1, 2))))}

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """The layers from the input on, in timm's format: the stem, each block, the head with the last norm.

        The convolution to the next stage belongs to the block before it; ``coarse``: a stage is one layer.
        """
        if coarse:
            return {"stem": r"^patch_embed", "blocks": r"^layers\.(\d+)"}
        blocks = [(r"^layers\.(\d+)\.blocks\.(\d+)", None), (r"^layers\.(\d+)\.downsample", (99999,))]
        return {"stem": r"^patch_embed", "blocks": blocks}

    def get_classifier(self) -> nn.Module:
        """The head."""
        return self.head


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _is_head(name: str, _tensor: Tensor) -> bool:
    return name.startswith("head.")
