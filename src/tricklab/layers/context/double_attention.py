"""A²-Net's double attention: features are gathered over space, then handed out to each position."""

from __future__ import annotations

from torch import Tensor, nn

from tricklab.layers.context._base import ContextBlock, through_nodes
from tricklab.layers.context.normalisation import batch_norm
from tricklab.registry import component


@component("context", source="Chen et al., A²-Nets: Double Attention Networks, NeurIPS 2018", given=("channels",))
class A2(ContextBlock):
    """Double attention: y = x + BN(W Z), Z = G softmax over descriptors of rho(x), G = phi(x) softmax over space.

    The first softmax runs over positions (what is gathered), the second over the n descriptors (what each position
    takes). O(HW (m + n) C + m n HW) time, O(HW) memory. 4 C²/reduction weights and biases, and 2 C of the
    normalisation, whose weight starts at zero: the identity. Rank of Z at most n.

    Args:
        reduction: the m features and n descriptors are channels / reduction each.

    >>> import torch
    >>> A2(channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    def __init__(self, reduction: int = 4, *, channels: int) -> None:
        super().__init__(channels)
        hidden = self.hidden(reduction)
        self.phi = nn.Conv2d(channels, hidden, 1)
        self.theta = nn.Conv2d(channels, hidden, 1)
        self.rho = nn.Conv2d(channels, hidden, 1)
        self.extend = nn.Conv2d(hidden, channels, 1, bias=False)
        self.bn = batch_norm(channels, zero=True)

    def context(self, x: Tensor) -> Tensor:
        return x + self.bn(self.extend(self.reconstruction(x)))

    def reconstruction(self, x: Tensor) -> Tensor:
        """Z, (N, m, H, W)."""
        return through_nodes(x, self._assign, None)

    def _assign(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features_NMP = self.phi(x).flatten(2)
        over_space_NKP = self.theta(x).flatten(2).softmax(dim=2).to(features_NMP.dtype)
        over_descriptors_NKP = self.rho(x).flatten(2).softmax(dim=1).to(features_NMP.dtype)
        return over_space_NKP @ features_NMP.transpose(1, 2), over_descriptors_NKP
