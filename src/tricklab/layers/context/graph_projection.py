"""Beyond Grids: pixels are assigned to learned centres, a graph of the centres is convolved, and spread back."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from tricklab.layers.context._base import ContextBlock, single, summed_over_pixels, through_nodes, without_autocast
from tricklab.layers.context.normalisation import batch_norm, conv_norm
from tricklab.registry import component

LLOYD_STEPS = 10


class GraphUnit(nn.Module):
    """One graph of K centres in C channels: ``weight`` (K, C), ``sigma`` (K, C) before the sigmoid, ``graph`` C × C."""

    def __init__(self, channels: int, nodes: int, reason: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(nodes, channels))
        self.sigma = nn.Parameter(torch.zeros(nodes, channels))
        self.graph = nn.Linear(channels, channels, bias=False) if reason == "graph" else None

    def forward(self, x: Tensor) -> Tensor:
        return through_nodes(x, self.assign, None if self.graph is None else self.think)

    def assign(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Unit nodes (N, K, C) and soft assignments (N, K, HW) that sum to one over the nodes of each pixel.

        In single precision at least: squares of features overflow in half precision.
        """
        with without_autocast(x):
            pixels_NCP = single(x).flatten(2)
            weight_KC, inverse_KC = single(self.weight), 1 / single(self.sigma).sigmoid()
            square_KC = inverse_KC.square()
            # the squared distance without a (N, K, HW, C) array
            distance_NKP = (
                square_KC @ pixels_NCP.square()
                - 2 * (square_KC * weight_KC) @ pixels_NCP
                + (square_KC * weight_KC.square()).sum(dim=1)[:, None]
            )
            maps_NKP = (-0.5 * distance_NKP).softmax(dim=1)
            mass_NK1 = maps_NKP.sum(dim=2, keepdim=True)
            # a node that no pixel takes has no mass: it stays zero
            means_NKC = maps_NKP @ pixels_NCP.transpose(1, 2) - weight_KC * mass_NK1
            nodes_NKC = means_NKC * inverse_KC / mass_NK1.clamp_min(1e-12)
            return functional.normalize(nodes_NKC, dim=2).to(x.dtype), maps_NKP.to(x.dtype)

    def think(self, nodes_NKC: Tensor) -> Tensor:
        """relu(A Z W), A = Z Z^T."""
        assert self.graph is not None
        return functional.relu(nodes_NKC @ nodes_NKC.transpose(1, 2) @ self.graph(nodes_NKC))

    @torch.no_grad()
    def fit_centres(self, pixels_MC: Tensor) -> None:
        """Set the centres by k-means of (M, C) features, deterministically; a centre that loses all pixels stays."""
        nodes = self.weight.shape[0]
        pixels_MC = single(pixels_MC)
        starts = torch.linspace(0, len(pixels_MC) - 1, nodes, device=pixels_MC.device).round().long()
        centres_KC = pixels_MC[starts]
        for _ in range(LLOYD_STEPS):
            member_MK = functional.one_hot(torch.cdist(pixels_MC, centres_KC).argmin(dim=1), nodes).to(pixels_MC.dtype)
            count_K1 = member_MK.sum(dim=0)[:, None]
            sums_KC = summed_over_pixels(member_MK.T, pixels_MC)
            centres_KC = torch.where(count_K1 > 0, sums_KC / count_K1.clamp_min(1), centres_KC)
        self.weight.copy_(centres_KC)


@component(
    "context",
    source="Li & Gupta, Beyond Grids: Learning Graph Representations for Visual Recognition, NeurIPS 2018",
    given=("channels",),
)
class GCU(ContextBlock):
    """Graph convolution units: soft assignment to learned centres, graph convolution of them, projection back.

    q_ik = softmax over k of -|(x_i - w_k) / s_k|² / 2; z_k the unit vector of the mean of (x_i - w_k) / s_k under q;
    z' = relu(Z Z^T Z W); pixel i gets the sum of q_ik z'_k. y = x + BN(1 × 1 convolution of all units). O(HW K C/r)
    time, O(HW K) memory, K the sum of ``nodes``. Rank of what is put together at most K. The normalisation's weight
    starts at zero: the identity. The paper works on all channels and appends; here a 1 × 1 convolution narrows first.
    A node that no pixel takes is zero, not 0/0. No official code is known.

    Args:
        nodes: number of centres of each unit, side by side.
        reduction: how many times fewer channels the units have.
        centres: ``first_batch`` places them by k-means of the first training batch (of the first process, for all),
            as the paper does with features of a trained network; ``random`` leaves them normally distributed.
        reason: ``identity`` leaves out the graph convolution.

    >>> GCU(nodes=[2, 4], channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    fitted: Tensor

    def __init__(
        self,
        nodes: list[int] = [2, 4, 8, 32],  # noqa: B006 - read only
        reduction: int = 4,
        centres: Literal["first_batch", "random"] = "first_batch",
        reason: Literal["graph", "identity"] = "graph",
        *,
        channels: int,
    ) -> None:
        super().__init__(channels)
        hidden = self.hidden(reduction)
        self.at_least_one("the number of nodes", len(nodes))
        self.narrow = conv_norm(channels, hidden)
        self.units = nn.ModuleList(GraphUnit(hidden, self.at_least_one("nodes", count), reason) for count in nodes)
        self.extend = nn.Conv2d(hidden * len(nodes), channels, 1, bias=False)
        self.bn = batch_norm(channels, zero=True)
        self.register_buffer("fitted", torch.tensor(centres == "random"))
        self._asked = centres == "random"

    def context(self, x: Tensor) -> Tensor:
        return x + self.bn(self.extend(self.reconstruction(x)))

    def reconstruction(self, x: Tensor) -> Tensor:
        """What all units give, (N, units · C/reduction, H, W)."""
        narrow = self.narrow(x)
        if self.training and not self._asked:
            # asked once: reading the buffer waits for the device
            self._asked = True
            if not self.fitted:
                self._fit(narrow.detach())
        return torch.cat([unit(narrow) for unit in self.units], dim=1)

    def _fit(self, narrow: Tensor) -> None:
        pixels_MC = narrow.movedim(1, -1).flatten(0, 2)
        for unit in self.units:
            assert isinstance(unit, GraphUnit)
            unit.fit_centres(pixels_MC)
            if torch.distributed.is_available() and torch.distributed.is_initialized():
                torch.distributed.broadcast(unit.weight.data, 0)
        self.fitted.fill_(True)
