"""LatentGNN: messages between pixels through a few latent nodes."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.layers.context._base import ContextBlock, single, through_nodes
from tricklab.layers.context.normalisation import batch_norm
from tricklab.registry import component


class LatentKernel(nn.Module):
    """One set of latent nodes; gives the pixels' share of them, (N, C, H, W)."""

    def __init__(self, channels: int, nodes: int, mode: str, reason: str) -> None:
        super().__init__()
        self.reasons = reason == "graph"
        if mode == "asymmetric":
            self.psi_v2l, self.psi_l2v = _maps(channels, nodes), _maps(channels, nodes)
        else:
            self.psi = _maps(channels, nodes)
        self.mode = mode

    def forward(self, to_latent: Tensor, to_visible: Tensor) -> Tensor:
        def assign(x: Tensor) -> tuple[Tensor, Tensor]:
            if self.mode == "asymmetric":
                gather_NKP = _unit(self.psi_v2l(x).flatten(2), dim=2)
                spread_NKP = _unit(self.psi_l2v(to_visible).flatten(2), dim=1)
            else:
                gather_NKP = spread_NKP = _unit(self.psi(x).flatten(2), dim=1)
            return gather_NKP @ x.flatten(2).transpose(1, 2), spread_NKP

        return through_nodes(to_latent, assign, self.think if self.reasons else None)

    def think(self, nodes_NKC: Tensor) -> Tensor:
        """Softmax of the nodes' cosines, times the nodes."""
        unit = _unit(nodes_NKC, dim=2)
        return (unit @ unit.transpose(1, 2)).softmax(dim=2).to(nodes_NKC.dtype) @ nodes_NKC


@component(
    "context",
    source="Zhang et al., LatentGNN, ICML 2019, arXiv 1905.11634; latentgnn/LatentGNN-V1-PyTorch",
    given=("channels",),
)
class LatentGNN(ContextBlock):
    """Latent graph: pixels to latent nodes, softmax of the nodes' cosines, latent nodes to pixels.

    y = x + gamma · BN(W [kernels]). Maps of nodes are relu(BN(1 × 1)) of unit features, of unit length over the pixels
    (gather) or over the nodes (spread). O(HW K C/stride + K² C/stride) time, K the sum of ``latent_dims``; O(HW K)
    memory; rank of a kernel at most its nodes. ``gamma`` starts at 0: the identity. Weight names are the official ones.

    Args:
        latent_dims: latent nodes of each kernel.
        channel_stride: how many times fewer channels inside.
        mode: ``symmetric`` uses one set of maps, of unit length over the nodes, in both directions.
        reason: ``identity`` leaves the latent nodes as they were gathered.

    >>> LatentGNN(latent_dims=[6], channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    def __init__(
        self,
        latent_dims: list[int] = [100, 100],  # noqa: B006 - read only
        channel_stride: int = 8,
        mode: Literal["asymmetric", "symmetric"] = "asymmetric",
        reason: Literal["graph", "identity"] = "graph",
        *,
        channels: int,
    ) -> None:
        super().__init__(channels)
        hidden = max(channels // self.at_least_one("channel_stride", channel_stride), 1)
        if not latent_dims or min(latent_dims) < 1:
            raise UserError(f"latent_dims of LatentGNN must be numbers of at least 1, not {latent_dims}")
        self.mode, self.kernels = mode, len(latent_dims)
        if mode == "asymmetric":
            self.down_channel_v2l, self.down_channel_l2v = _narrow(channels, hidden), _narrow(channels, hidden)
        else:
            self.down_channel = _narrow(channels, hidden)
        for number, nodes in enumerate(latent_dims):
            self.add_module(f"LatentGNN_Kernel_{number}", LatentKernel(hidden, nodes, mode, reason))
        self.up_channel = nn.Sequential(nn.Conv2d(hidden * self.kernels, channels, 1, bias=False), batch_norm(channels))
        self.gamma = nn.Parameter(torch.zeros(1))

    def context(self, x: Tensor) -> Tensor:
        return x + self.gamma * self.up_channel(self.reconstruction(x))

    def reconstruction(self, x: Tensor) -> Tensor:
        """What all kernels give, (N, kernels · C/stride, H, W)."""
        if self.mode == "asymmetric":
            to_latent, to_visible = self.down_channel_v2l(x), self.down_channel_l2v(x)
        else:
            to_latent = to_visible = self.down_channel(x)
        to_latent, to_visible = _unit(to_latent, dim=1), _unit(to_visible, dim=1)
        kernels = [self.get_submodule(f"LatentGNN_Kernel_{number}") for number in range(self.kernels)]
        return torch.cat([kernel(to_latent, to_visible) for kernel in kernels], dim=1)


def _narrow(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), batch_norm(outputs))


def _maps(inputs: int, nodes: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, nodes, 1, bias=False), batch_norm(nodes), nn.ReLU())


def _unit(x: Tensor, dim: int) -> Tensor:
    """Vectors of length one along a dimension; a zero stays zero, in half precision too."""
    return functional.normalize(single(x), dim=dim).to(x.dtype)
