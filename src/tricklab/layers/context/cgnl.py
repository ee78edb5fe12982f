"""Compact generalised non-local block: attention over positions and channels at once, in linear time."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tricklab.errors import UserError
from tricklab.layers.context._base import ContextBlock, single
from tricklab.registry import component

GAMMA = 1e-4


@component(
    "context",
    source="Yue et al., Compact Generalized Non-local Network, NeurIPS 2018, arXiv 1810.13125",
    given=("channels",),
)
class CGNL(ContextBlock):
    """Compact generalised non-local: in each group of channels all C'HW numbers attend to one another.

    With the dot product a group's attention is a single number: a = vec(phi) · vec(g), and its output a · theta. With
    ``taylor_order`` P the kernel exp(-gamma (t - p)²) of unit vectors is expanded: the sum over o up to P of
    exp(-2 gamma) (2 gamma)^o / o! · theta^o · sum(phi^o g), gamma = 1e-4. O(HW C²/reduction); memory O(HW C).
    y = x + GN(z(·)); the normalisation's weight starts at zero: the identity. Weight names are the official ones.

    The official code normalises the output in the same groups. There a cancels but for its sign, and the block is no
    attention: multiplying phi by 7 changes nothing. Here one group is normalised, so that groups keep their relation.

    Args:
        reduction: how many times fewer channels theta, phi and g have.
        groups: of channels, each with an attention of its own; divides the channels and those of theta.
        norm_groups: groups of the normalisation; as many as ``groups`` is the official behaviour.
        use_scale: divide a by the root of the number of elements of its group.
        taylor_order: null: the dot product; else the order of the expansion, 3 in the paper.

    >>> CGNL(channels=16, groups=4)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    def __init__(
        self,
        reduction: int = 2,
        groups: int = 8,
        norm_groups: int = 1,
        use_scale: bool = True,
        taylor_order: int | None = None,
        *,
        channels: int,
    ) -> None:
        super().__init__(channels)
        hidden = self.hidden(reduction)
        self.groups = self.at_least_one("groups", groups)
        if channels % groups or hidden % groups:
            raise UserError(
                f"{groups} groups do not divide {channels} channels of CGNL and {hidden} of its embeddings",
                fix="choose another number of groups",
            )
        if channels % self.at_least_one("norm_groups", norm_groups):
            raise UserError(f"{norm_groups} norm_groups do not divide {channels} channels of CGNL")
        self.use_scale = use_scale
        self.taylor_order = None if taylor_order is None else self.at_least_one("taylor_order", taylor_order)
        self.t = nn.Conv2d(channels, hidden, 1, bias=False)
        self.p = nn.Conv2d(channels, hidden, 1, bias=False)
        self.g = nn.Conv2d(channels, hidden, 1, bias=False)
        self.z = nn.Conv2d(hidden, channels, 1, groups=groups, bias=False)
        self.gn = nn.GroupNorm(norm_groups, channels)
        nn.init.zeros_(self.gn.weight)

    def context(self, x: Tensor) -> Tensor:
        t, p, g = (single(part(x)).unflatten(1, (self.groups, -1)).flatten(2) for part in (self.t, self.p, self.g))
        if self.taylor_order is None:
            attended = t * self._attention(p, g)
        else:
            attended = torch.zeros_like(t)
            for order in range(self.taylor_order + 1):
                weight = math.exp(-2 * GAMMA) * (2 * GAMMA) ** order / math.factorial(order)
                attended = attended + weight * t**order * self._attention(p**order, g)
        maps = attended.reshape(x.shape[0], -1, *x.shape[2:]).to(x.dtype)
        return x + self.gn(self.z(maps))

    def _attention(self, p_NGE: Tensor, g_NGE: Tensor) -> Tensor:
        """(N, groups, 1)."""
        found = (p_NGE * g_NGE).sum(dim=2, keepdim=True)
        return found / p_NGE.shape[2] ** 0.5 if self.use_scale else found
