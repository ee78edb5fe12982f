"""GroupMamba: four stages of blocks that scan quarters of the channels in four directions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.models.groupmamba_blocks import EPSILON, REDUCTION, Block, ClassBlock, Downsample, Stem
from tricklab.models.initial_weights import load_weights, skips_initial_weights, with_weights_digest
from tricklab.registry import component

STRIDES = (4, 8, 16, 32)
HEADS = ("head.", "dist_head.")
SPARE = ("post_network.",)  # a backbone has none


@dataclass(frozen=True)
class Size:
    """What a published size is made of: one number for each stage."""

    stem_hidden_dim: int
    embed_dims: tuple[int, ...]
    depths: tuple[int, ...]
    mlp_ratios: tuple[int, ...] = (8, 8, 4, 4)


SIZES = {
    "tiny": Size(32, (64, 128, 348, 448), (3, 4, 9, 3)),
    "small": Size(64, (64, 128, 348, 512), (3, 4, 16, 3)),
    "base": Size(64, (96, 192, 424, 512), (3, 6, 21, 3)),
}


@component(
    "model",
    source="Shaker et al., CVPR 2025, arXiv 2407.13772, github Amshaker/GroupMamba",
    given=("classes", "channels"),
    complete=with_weights_digest,
)
class GroupMamba(nn.Module):
    """GroupMamba: a hierarchical state-space network whose groups of channels scan in different directions.

    Parameters at 1000 classes with the distillation head, as published: tiny 23,361,917, small 34,781,555,
    base 57,150,838; at 12 classes without it 22,469,305, 33,761,711, 56,130,994. Names of the weights and the initial
    distributions are the official code's. Images may have any height and width. The fields ``strides`` and
    ``channels`` describe the four maps of :meth:`pyramid`.

    Args:
        size: ``tiny``, ``small`` or ``base``; the next four arguments replace parts of it.
        embed_dims: channels of the four stages, multiples of ``groups``, at least 16; null: those of the size.
        depths: blocks of the four stages; null: those of the size.
        mlp_ratios: hidden units of the perceptrons in multiples of the channels; null: those of the size.
        stem_hidden_dim: channels of the stem's first three convolutions; null: those of the size.
        modulation: weigh channels by what their means say (the paper's channel affinity modulation).
        directions: of the scans: 4 rows, columns and both backwards; 2 rows forwards and backwards; 1 rows.
        groups: 4 mixers on a quarter of the channels each; 1 mixer on all channels, scanned in every direction.
        distillation: a second head that learns from a teacher's decisions: its logits are the output
            ``distillation`` while training, and ``main`` is the mean of both heads otherwise (the official default is
            true and returns a pair).
        drop_path: probability that a branch of the last block is skipped for an image while training; it grows
            linearly from 0 at the first block. The official training uses 0.05 for every size.
        drop_rate: share of the features that are zeroed before the heads while training.
        features: no post block and no heads; the outputs are the maps ``stride4`` to ``stride32`` of :meth:`pyramid`.
        weights: begin with a file's weights, as :func:`tricklab.models.groupmamba_weights.load_weights` reads them.
        weights_digest: hash of that file; filled in when the recipe is resolved.
        classes: number of classes.
        channels: channels of an image.

    Shape:
        (N, channels, H, W) float → ``{"main": logits (N, classes)}``; while training with ``distillation`` also
        ``{"distillation": logits (N, classes)}``.

    Observes ``groupmamba/modulation``, the channel weights in (0, 1).

    Raises:
        UserError: not four stages, a width that the groups do not divide or below 16, a probability outside [0, 1).

    >>> import torch
    >>> model = GroupMamba(embed_dims=[16, 16, 32, 32], depths=[1, 1, 1, 1], classes=12).eval()
    >>> model(torch.zeros(2, 3, 50, 37))["main"].shape
    torch.Size([2, 12])
    >>> [tuple(found.shape) for found in model.pyramid(torch.zeros(2, 3, 50, 37))]
    [(2, 16, 13, 10), (2, 16, 7, 5), (2, 32, 4, 3), (2, 32, 2, 2)]
    """

    strides = STRIDES

    def __init__(
        self,
        size: Literal["tiny", "small", "base"] = "tiny",
        embed_dims: list[int] | None = None,
        depths: list[int] | None = None,
        mlp_ratios: list[int] | None = None,
        stem_hidden_dim: int | None = None,
        modulation: bool = True,
        directions: Literal[1, 2, 4] = 4,
        groups: Literal[1, 4] = 4,
        distillation: bool = False,
        drop_path: float = 0.05,
        drop_rate: float = 0.0,
        features: bool = False,
        weights: str | None = None,
        weights_digest: str | None = None,
        *,
        classes: int,
        channels: int = 3,
    ) -> None:
        super().__init__()
        preset = SIZES[size]
        widths = _four("embed_dims", embed_dims, preset.embed_dims)
        blocks = _four("depths", depths, preset.depths)
        ratios = _four("mlp_ratios", mlp_ratios, preset.mlp_ratios)
        stem = preset.stem_hidden_dim if stem_hidden_dim is None else stem_hidden_dim
        _check(widths, stem, groups, {"drop_path": drop_path, "drop_rate": drop_rate}, features, distillation)
        self.channels, self.in_channels, self.features = widths, channels, features
        self.drop_rate = drop_rate
        last = max(sum(blocks) - 1, 1)
        rates = iter(drop_path * number / last for number in range(sum(blocks)))
        before = channels
        for stage, (width, depth, ratio) in enumerate(zip(widths, blocks, ratios, strict=True), start=1):
            embedding = Stem(channels, stem, width) if stage == 1 else Downsample(before, width)
            made = [Block(width, width * ratio, next(rates), groups, directions, modulation) for _ in range(depth)]
            self.add_module(f"patch_embed{stage}", embedding)
            self.add_module(f"block{stage}", nn.ModuleList(made))
            self.add_module(f"norm{stage}", nn.LayerNorm(width, eps=EPSILON))
            before = width
        if not features:
            post = ClassBlock(before, before * ratios[-1], groups, directions, modulation)
            self.post_network = nn.ModuleList([post])
            self.head = nn.Linear(before, classes)
        self.distillation = distillation
        if distillation:
            self.dist_head = nn.Linear(before, classes)
        self.apply(_initialise)
        if weights is not None and not skips_initial_weights():
            load_weights(self, weights, is_head=is_head, spare=SPARE, digest=weights_digest)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        if self.features:
            return {f"stride{stride}": found for stride, found in zip(STRIDES, self.pyramid(images), strict=True)}
        tokens_BLC, _ = self._stages(images)[-1]
        token_B1C = tokens_BLC.mean(1, keepdim=True)
        for block in self.post_network:
            token_B1C = block(token_B1C)
        found_BC = self.get_submodule("norm4")(token_B1C)[:, 0]
        found_BC = functional.dropout(found_BC, self.drop_rate, self.training)
        if not self.distillation:
            return {"main": self.head(found_BC)}
        main, distilled = self.head(found_BC), self.dist_head(found_BC)
        return {"main": main, "distillation": distilled} if self.training else {"main": (main + distilled) / 2}

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Normalised maps of the four stages, for heads of segmentation and detection.

        The last one is normalised by the weights that the classifier applies to its token.

        Shape:
            (N, channels, H, W) float → four maps (N, channels[i], ⌈H / strides[i]⌉, ⌈W / strides[i]⌉).
        """
        found = []
        for stage, (tokens_BLC, size) in enumerate(self._stages(images), start=1):
            if stage == len(STRIDES):
                tokens_BLC = self.get_submodule(f"norm{stage}")(tokens_BLC)
            found.append(_image(tokens_BLC, size))
        return found

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """The layers from the input on, in timm's format: the stem, each block, the head with the post block.

        A stage's embedding belongs to its first block, its norm to its last; ``coarse``: a stage is one layer.
        """
        if coarse:
            blocks: Any = r"^(?:patch_embed|block|norm)([1-4])"
        else:
            blocks = [
                (r"^patch_embed([2-4])", (0,)),
                (r"^block([1-4])\.(\d+)", None),
                (r"^norm([1-4])", (99999,)),
            ]
        return {"stem": r"^patch_embed1", "blocks": blocks}

    def get_classifier(self) -> nn.Module | tuple[nn.Module, ...]:
        """The head; with ``distillation`` both heads; with ``features`` an identity, as timm's models give one."""
        if self.features:
            return nn.Identity()
        return (self.head, self.dist_head) if self.distillation else self.head

    def _stages(self, images: Tensor) -> list[tuple[Tensor, tuple[int, int]]]:
        """Tokens (N, L, C) and (height, width) of the four stages, all but the last normalised."""
        if images.ndim != 4 or images.shape[1] != self.in_channels:
            raise UserError(
                f"GroupMamba was built for images of shape (N, {self.in_channels}, H, W), "
                f"but is given {tuple(images.shape)}"
            )
        found = []
        for stage in range(1, len(STRIDES) + 1):
            tokens_BLC, size = self.get_submodule(f"patch_embed{stage}")(images)
            for block in self.get_submodule(f"block{stage}").children():
                tokens_BLC = block(tokens_BLC, size)
            if stage < len(STRIDES):
                tokens_BLC = self.get_submodule(f"norm{stage}")(tokens_BLC)
                images = _image(tokens_BLC, size)
            found.append((tokens_BLC, size))
        return found


def is_head(name: str, _tensor: Tensor) -> bool:
    """Whether a weight belongs to one of the classifiers."""
    return name.startswith(HEADS)


def _image(tokens_BLC: Tensor, size: tuple[int, int]) -> Tensor:
    return tokens_BLC.unflatten(1, size).permute(0, 3, 1, 2)


def _initialise(module: nn.Module) -> None:
    """The official initial weights; what the scans draw for themselves stays."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
    elif isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2.0 / fan_out))
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def _four(name: str, given: list[int] | None, preset: tuple[int, ...]) -> tuple[int, ...]:
    if given is None:
        return preset
    if len(given) != len(STRIDES) or min(given) < 1:
        raise UserError(f"{name} needs four numbers of at least 1, not {given}", where=f"model.{name}")
    return tuple(given)


def _check(
    widths: tuple[int, ...], stem: int, groups: int, rates: dict[str, float], features: bool, distillation: bool
) -> None:
    for width in widths:
        if width % groups or width < REDUCTION:
            raise UserError(
                f"a stage of {width} channels cannot be cut into {groups} groups with channel modulation",
                where="model.embed_dims",
                fix=f"take multiples of {groups} of at least {REDUCTION}",
            )
    if stem < 1:
        raise UserError(f"stem_hidden_dim must be at least 1, not {stem}", where="model.stem_hidden_dim")
    for name, rate in rates.items():
        if not 0.0 <= rate < 1.0:
            raise UserError(f"{name} must lie in [0, 1), not {rate}", where=f"model.{name}")
    if features and distillation:
        raise UserError("with features: true there are no heads, so nothing to distil into", where="model.distillation")
