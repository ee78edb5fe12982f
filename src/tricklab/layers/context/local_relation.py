"""Local relation: weights within a window from how alike two positions are and where they lie."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.layers.context._base import ContextBlock
from tricklab.registry import component


@component(
    "context",
    source="Hu et al., Local Relation Networks for Image Recognition, ICCV 2019, arXiv 1904.11491",
    given=("channels",),
)
class LocalRelation(ContextBlock):
    """Local relation layer: y = W_o (sum over a window of softmax(-(q - k)² + prior of the offset) x).

    Queries and keys are one number for each group of ``share`` channels, which have their weights in common; the prior
    is a small network of the offset in shares of the half window. Positions outside the map are left out of the
    softmax. O(HW window² C) time and memory. No residual: the layer replaces a convolution, the block around it has
    one. No official code is known; ``hidden`` of the prior is not published.

    Args:
        window: height and width, odd.
        share: channels with common weights; divides the channels.
        hidden: hidden numbers of the prior's network.

    >>> LocalRelation(channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    def __init__(self, window: int = 7, share: int = 8, hidden: int = 16, *, channels: int) -> None:
        super().__init__(channels)
        if window < 1 or window % 2 == 0:
            raise UserError(f"window of LocalRelation must be an odd number, not {window}")
        if channels % self.at_least_one("share", share):
            raise UserError(f"share of LocalRelation must divide its {channels} channels, {share} does not")
        self.window, self.share = window, share
        groups = channels // share
        self.query = nn.Conv2d(channels, groups, 1)
        self.key = nn.Conv2d(channels, groups, 1)
        self.prior = nn.Sequential(
            nn.Linear(2, self.at_least_one("hidden", hidden)), nn.ReLU(), nn.Linear(hidden, groups)
        )
        self.out = nn.Conv2d(channels, channels, 1, bias=False)

    def context(self, x: Tensor) -> Tensor:
        weights_NGWP = self.weights(x).to(x.dtype)
        windows_NGSWP = self._windows(x).unflatten(1, (-1, self.share))
        found_NCP = torch.einsum("ngwp,ngswp->ngsp", weights_NGWP, windows_NGSWP).flatten(1, 2)
        return self.out(found_NCP.unflatten(2, tuple(x.shape[2:])))

    def weights(self, x: Tensor) -> Tensor:
        """What each position takes of its window, (N, groups, window², HW); sums to one over the window."""
        query_NG1P, keys_NGWP = self.query(x).flatten(2).unsqueeze(2), self._windows(self.key(x))
        inside_11WP = self._windows(torch.ones_like(x[:1, :1])) > 0
        similar = -(query_NG1P - keys_NGWP).square() + self._offsets(x).T[None, :, :, None]
        return similar.masked_fill(~inside_11WP, float("-inf")).softmax(dim=2)

    def _offsets(self, x: Tensor) -> Tensor:
        """The prior of each offset, (window², groups)."""
        half = self.window // 2
        steps = torch.arange(-half, half + 1, device=x.device, dtype=x.dtype) / max(half, 1)
        return self.prior(torch.cartesian_prod(steps, steps))

    def _windows(self, x: Tensor) -> Tensor:
        """(N, C, window², HW)."""
        side = self.window
        return functional.unfold(x, side, padding=side // 2).unflatten(1, (x.shape[1], side**2))
