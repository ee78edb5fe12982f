"""GloRe: global reasoning on a graph of nodes."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from tricklab.layers.context._base import ContextBlock, summed_over_pixels, through_nodes
from tricklab.layers.context.normalisation import batch_norm
from tricklab.registry import component


class NodeGraph(nn.Module):
    """GloRe's graph convolution: W relu((I + A) V), both matrices learned; (N, K, states) to the same shape."""

    def __init__(self, states: int, nodes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(nodes, nodes, 1)
        self.conv2 = nn.Conv1d(states, states, 1, bias=False)

    def forward(self, nodes_NKC: Tensor) -> Tensor:
        mixed_NKC = functional.relu(nodes_NKC + self.conv1(nodes_NKC))
        return self.conv2(mixed_NKC.transpose(1, 2)).transpose(1, 2)


@component(
    "context",
    source="Chen et al., Graph-Based Global Reasoning Networks, CVPR 2019, arXiv 1811.12814; facebookresearch/GloRe",
    given=("channels",),
)
class GloRe(ContextBlock):
    """Global reasoning: y = x + BN(W (P^T reason(P S^T))), states S and projection P by 1 × 1 convolutions, no softmax.

    K = num_mid nodes of 2 num_mid states. O(HW num_mid (C + num_mid)) time, O(HW) memory. Rank of what is added, less
    the normalisation's shift, at most K. Weight names are the official ones.

    Two differences: the normalisation's weight starts at zero (the official comment asks for it, the code does not do
    it), so that the block starts as the identity; and ``normalize`` is on, since without it nodes grow with the number
    of pixels, and a network trained on crops meets other features on whole images.

    Args:
        num_mid: nodes; null: channels / 4, at least one.
        normalize: divide by the number of pixels.
        reason: ``identity`` leaves out the graph convolution.

    >>> import torch
    >>> GloRe(channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    def __init__(
        self,
        num_mid: int | None = None,
        normalize: bool = True,
        reason: Literal["graph", "identity"] = "graph",
        *,
        channels: int,
    ) -> None:
        super().__init__(channels)
        self.nodes = self.hidden(4) if num_mid is None else self.at_least_one("num_mid", num_mid)
        self.normalize = normalize
        states = 2 * self.nodes
        self.conv_state = nn.Conv2d(channels, states, 1)
        self.conv_proj = nn.Conv2d(channels, self.nodes, 1)
        self.gcn = NodeGraph(states, self.nodes) if reason == "graph" else None
        self.conv_extend = nn.Conv2d(states, channels, 1, bias=False)
        self.blocker = batch_norm(channels, zero=True, eps=1e-4)

    def context(self, x: Tensor) -> Tensor:
        return x + self.blocker(self.conv_extend(self.reconstruction(x)))

    def reconstruction(self, x: Tensor) -> Tensor:
        """The nodes spread over the pixels, (N, 2 num_mid, H, W)."""
        return through_nodes(x, self.assign, self.gcn)

    def assign(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Nodes (N, num_mid, 2 num_mid) and their maps (N, num_mid, HW)."""
        states_NCP, maps_NKP = self.conv_state(x).flatten(2), self.conv_proj(x).flatten(2)
        nodes_NKC = summed_over_pixels(maps_NKP, states_NCP.transpose(1, 2))
        if self.normalize:
            nodes_NKC = nodes_NKC / maps_NKP.shape[2]
        return nodes_NKC.to(maps_NKP.dtype), maps_NKP
