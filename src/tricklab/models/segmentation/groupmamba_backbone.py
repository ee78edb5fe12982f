"""GroupMamba without its classifier, as a pyramid of maps."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from tricklab.models.groupmamba import HEADS, SPARE, GroupMamba
from tricklab.models.initial_weights import load_weights, skips_initial_weights, with_weights_digest
from tricklab.registry import component


@component(
    "backbone",
    name="GroupMamba",
    source="Shaker et al., CVPR 2025, arXiv 2407.13772, github Amshaker/GroupMamba",
    given=("in_channels",),
    complete=with_weights_digest,
)
class GroupMambaBackbone(GroupMamba):
    """GroupMamba's four stages; names of the weights are the official code's, so that its ImageNet weights load.

    Args:
        size: ``tiny``, ``small`` or ``base``; the next four arguments replace parts of it.
        embed_dims, depths, mlp_ratios, stem_hidden_dim: as for :class:`~tricklab.models.groupmamba.GroupMamba`.
        modulation, directions, groups: of the mixers, as there.
        drop_path: probability that a branch of the last block is skipped while training.
        weights: begin with a file's weights; classifiers and the post block in it are left out.
        weights_digest: hash of that file; filled in when the recipe is resolved.
        in_channels: of the images.

    Shape:
        (N, in_channels, H, W) float → four maps with strides 4, 8, 16, 32, each normalised.
    """

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
        drop_path: float = 0.05,
        weights: str | None = None,
        weights_digest: str | None = None,
        *,
        in_channels: int,
    ) -> None:
        super().__init__(
            size, embed_dims, depths, mlp_ratios, stem_hidden_dim, modulation, directions, groups,
            drop_path=drop_path, features=True, classes=1, channels=in_channels,
        )  # fmt: skip
        if weights is not None and not skips_initial_weights():
            load_weights(self, weights, is_head=lambda _n, _w: False, spare=(*HEADS, *SPARE), digest=weights_digest)

    def forward(self, images: Tensor) -> list[Tensor]:  # type: ignore[override]
        return self.pyramid(images)

    def get_classifier(self) -> nn.Module:
        """An identity: there is none."""
        return nn.Identity()
