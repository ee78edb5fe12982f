"""Symbolic graph reasoning: pixels vote for symbols, a given graph of symbols is convolved, and mapped back."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from tricklab.errors import UserError
from tricklab.layers.context._base import ContextBlock, single, summed_over_pixels, through_nodes
from tricklab.registry import component


@component(
    "context",
    source="Liang et al., Symbolic Graph Reasoning Meets Convolutions, NeurIPS 2018",
    given=("channels",),
)
class SGR(ContextBlock):
    """Symbolic graph reasoning: y = x + relu(A_sp H' W), H' = relu(D^-1/2 (A + I) D^-1/2 [H, S] W_g).

    Each pixel votes for M symbols (softmax over symbols), H are the votes' sums divided by their mass, A the graph of
    symbols, S their word vectors; A_sp a softmax over symbols of how well symbol and pixel fit. O(HW M C/r) time,
    O(HW M) memory. Rank before the last ReLU at most M. Not the identity at the start: behind a ReLU, weights of zero
    would never move.

    Where ``compatibility`` is ``concat``, w · [h, x], the softmax cancels the pixel's part: every pixel then gets the
    same mixture. ``dot`` compares instead. H is divided by the mass, so that it does not grow with the image. No
    official PyTorch code is known.

    Args:
        symbols: M; for semantic segmentation the number of classes is natural.
        reduction: how many times fewer channels the symbols have.
        edges: pairs of symbols (numbers from 0) that are related; null: each symbol to itself alone. Symbols that are
            all related to one another become equal, since A averages them.
        words: a vector for each symbol, all of one length; null: none.
        compatibility: ``dot`` or ``concat``.
        reason: ``identity`` leaves out the graph convolution, and with it ``edges`` and ``words``.

    >>> SGR(symbols=4, edges=[(0, 1)], channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    adjacency: Tensor
    vectors: Tensor

    def __init__(
        self,
        symbols: int = 19,
        reduction: int = 4,
        edges: list[tuple[int, int]] | None = None,
        words: list[list[float]] | None = None,
        compatibility: Literal["dot", "concat"] = "dot",
        reason: Literal["graph", "identity"] = "graph",
        *,
        channels: int,
    ) -> None:
        super().__init__(channels)
        hidden = self.hidden(reduction)
        self.at_least_one("symbols", symbols)
        self.compatibility, self.reason = compatibility, reason
        if reason == "identity" and (edges is not None or words is not None):
            raise UserError("edges and words of SGR do nothing with reason: identity", fix="leave them out")
        self.vote = nn.Conv2d(channels, symbols, 1)
        self.embed = nn.Conv2d(channels, hidden, 1, bias=False)
        if reason == "graph":
            self.register_buffer("adjacency", _normalised(symbols, edges))
            self.register_buffer("vectors", _vectors(symbols, words))
            # not called graph: an exported program has an attribute of that name
            self.convolution = nn.Linear(hidden + self.vectors.shape[1], hidden, bias=False)
        if compatibility == "dot":
            self.query, self.key = nn.Conv2d(channels, hidden, 1, bias=False), nn.Linear(hidden, hidden, bias=False)
        else:
            self.fit = nn.Linear(hidden + channels, 1, bias=False)
        self.extend = nn.Conv2d(hidden, channels, 1, bias=False)

    def context(self, x: Tensor) -> Tensor:
        return x + functional.relu(self.extend(self.reconstruction(x)))

    def reconstruction(self, x: Tensor) -> Tensor:
        """A_sp H', (N, C/reduction, H, W)."""
        return through_nodes(x, self.assign, None)

    def assign(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Symbols after reasoning (N, M, C/reduction), and what each pixel takes of them (N, M, HW)."""
        features_NCP = self.embed(x).flatten(2)
        votes_NMP = single(self.vote(x)).flatten(2).softmax(dim=1)
        mass_NM1 = votes_NMP.sum(dim=2, keepdim=True).clamp_min(1e-6)
        symbols_NMC = (summed_over_pixels(votes_NMP, features_NCP.transpose(1, 2)) / mass_NM1).to(features_NCP.dtype)
        if self.reason == "graph":
            symbols_NMC = self.think(symbols_NMC)
        return symbols_NMC, self._fits(x, symbols_NMC)

    def think(self, symbols_NMC: Tensor) -> Tensor:
        """The graph convolution, with the words beside the features."""
        vectors_NMS = self.vectors.to(symbols_NMC.dtype).expand(symbols_NMC.shape[0], -1, -1)
        changed_NMC = self.convolution(torch.cat([symbols_NMC, vectors_NMS], dim=2))
        return functional.relu(self.adjacency.to(changed_NMC.dtype) @ changed_NMC)

    def _fits(self, x: Tensor, symbols_NMC: Tensor) -> Tensor:
        if self.compatibility == "dot":
            queries_NCP = self.query(x).flatten(2)
            found = self.key(symbols_NMC) @ queries_NCP / queries_NCP.shape[1] ** 0.5
        else:
            of_symbol, of_pixel = self.fit.weight.split([symbols_NMC.shape[2], x.shape[1]], dim=1)
            found = symbols_NMC @ of_symbol.T + of_pixel @ x.flatten(2)
        return found.softmax(dim=1).to(symbols_NMC.dtype)


def _normalised(symbols: int, edges: list[tuple[int, int]] | None) -> Tensor:
    adjacency = torch.eye(symbols, dtype=torch.float64)
    for one, other in edges or ():
        if not (0 <= one < symbols and 0 <= other < symbols):
            raise UserError(f"an edge of SGR joins {one} and {other}, but its symbols are 0 to {symbols - 1}")
        adjacency[one, other] = adjacency[other, one] = 1.0
    root = adjacency.sum(dim=1).rsqrt()
    return (root[:, None] * adjacency * root[None, :]).to(torch.get_default_dtype())


def _vectors(symbols: int, words: list[list[float]] | None) -> Tensor:
    if words is None:
        return torch.zeros(symbols, 0)
    if len(words) != symbols or len({len(word) for word in words}) != 1:
        lengths = ", ".join(str(len(word)) for word in words)
        raise UserError(f"words of SGR must be {symbols} vectors of one length, not {len(words)}, of lengths {lengths}")
    return torch.tensor(words, dtype=torch.get_default_dtype())
