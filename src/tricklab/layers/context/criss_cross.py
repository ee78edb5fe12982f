"""CCNet's criss-cross attention: each position attends to its row and its column, twice."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tricklab.layers.context._base import ContextBlock
from tricklab.registry import component


@component("context", source="Huang et al., CCNet, ICCV 2019, arXiv 1811.11721; speedinghzl/CCNet", given=("channels",))
class CCNet(ContextBlock):
    """Criss-cross attention, repeated with the same weights: two passes reach every position.

    y = x + gamma · (sum over the position's row and column of softmax(q · k) v), one softmax over both, the position
    itself counted once. O(HW (H + W) C) time, O(HW (H + W)) memory. C²(1 + 2/reduction) weights. ``gamma`` starts at
    0: the identity. Weight names are the official ones; no compiled kernel is needed.

    Args:
        recurrence: passes.
        reduction: how many times fewer channels queries and keys have.

    >>> CCNet(channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    def __init__(self, recurrence: int = 2, reduction: int = 8, *, channels: int) -> None:
        super().__init__(channels)
        hidden = self.hidden(reduction)
        self.recurrence = self.at_least_one("recurrence", recurrence)
        self.query_conv = nn.Conv2d(channels, hidden, 1)
        self.key_conv = nn.Conv2d(channels, hidden, 1)
        self.value_conv = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def context(self, x: Tensor) -> Tensor:
        for _ in range(self.recurrence):
            x = x + self.gamma * self.attended(x)
        return x

    def attended(self, x: Tensor) -> Tensor:
        """What one pass finds for each position, (N, C, H, W) like ``x``."""
        height = x.shape[2]
        queries, keys, values = self.query_conv(x), self.key_conv(x), self.value_conv(x)
        column_NHWI = torch.einsum("nchw,nciw->nhwi", queries, keys)
        row_NHWJ = torch.einsum("nchw,nchj->nhwj", queries, keys)
        own_HI = torch.eye(height, dtype=torch.bool, device=x.device)
        column_NHWI = column_NHWI.masked_fill(own_HI[:, None, :], float("-inf"))
        weights = torch.cat([column_NHWI, row_NHWJ], dim=3).softmax(dim=3).to(values.dtype)
        column, row = weights.split([height, x.shape[3]], dim=3)
        return torch.einsum("nhwi,nciw->nchw", column, values) + torch.einsum("nhwj,nchj->nchw", row, values)
