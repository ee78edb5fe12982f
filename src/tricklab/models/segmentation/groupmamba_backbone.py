"""GroupMamba without its classifier, as a pyramid of maps."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from tricklab.models.groupmamba import HEADS, SPARE, GroupMamba
from tricklab.models.initial_weights import load_weights, skips_initial_weights, with_weights_digest
from tricklab.registry import component


@component(
    "backbone",
    name="GroupMamba",
    source="Shaker et al., CVPR 2025, arXiv 2407.13772, github Amshaker/GroupMamba",
    given=("in_channels",),
    fixed=("distillation", "drop_rate", "features", "classes", "channels"),
    complete=with_weights_digest,
)
class GroupMambaBackbone(GroupMamba):
    """GroupMamba's four stages; names of the weights are the official code's, so that its ImageNet weights load.

    Args:
        weights: begin with a file's weights; classifiers and the post block in it are left out.
        weights_digest: hash of that file; filled in when the recipe is resolved.
        in_channels: of the images.

    Shape:
        (N, in_channels, H, W) float → four maps with strides 4, 8, 16, 32, each normalised.
    """

    def __init__(
        self, weights: str | None = None, weights_digest: str | None = None, *, in_channels: int, **rest: Any
    ) -> None:
        super().__init__(features=True, classes=1, channels=in_channels, **rest)
        if weights is not None and not skips_initial_weights():
            load_weights(self, weights, is_head=lambda _n, _w: False, spare=(*HEADS, *SPARE), digest=weights_digest)

    def forward(self, images: Tensor) -> list[Tensor]:  # type: ignore[override]
        return self.pyramid(images)

    def get_classifier(self) -> nn.Module:
        """An identity: there is none."""
        return nn.Identity()
