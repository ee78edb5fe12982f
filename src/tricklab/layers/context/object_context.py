"""OCNet's self-attention with one embedding for keys and queries, on the whole map or within the cells of grids."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tricklab.errors import UserError
from tricklab.layers.context._base import ContextBlock
from tricklab.layers.context.normalisation import batch_norm
from tricklab.registry import component

SLOPE = 0.01  # of the official code's normalisation with activation


class SharedAttention(nn.Module):
    """softmax(F^T F / sqrt(C')) V within each cell of a grid, F for queries and keys alike; W starts at zero."""

    def __init__(self, channels: int, hidden: int, cells: int) -> None:
        super().__init__()
        self.cells = cells
        self.f_key = nn.Sequential(nn.Conv2d(channels, hidden, 1), batch_norm(hidden), nn.LeakyReLU(SLOPE))
        self.f_value = nn.Conv2d(channels, hidden, 1)
        self.W = nn.Conv2d(hidden, channels, 1)
        nn.init.zeros_(self.W.weight)
        assert self.W.bias is not None
        nn.init.zeros_(self.W.bias)

    def forward(self, x: Tensor) -> Tensor:
        keys, values = self.f_key(x), self.f_value(x)
        down, right = (min(self.cells, side) for side in x.shape[2:])
        found = []
        for band in zip(keys.tensor_split(down, dim=2), values.tensor_split(down, dim=2), strict=True):
            cells = zip(*(maps.tensor_split(right, dim=3) for maps in band), strict=True)
            found.append(torch.cat([_attend(*cell) for cell in cells], dim=3))
        return self.W(torch.cat(found, dim=2))


def _attend(keys: Tensor, values: Tensor) -> Tensor:
    keys_NCP = keys.flatten(2)
    weights_NPM = (keys_NCP.transpose(1, 2) @ keys_NCP / keys.shape[1] ** 0.5).softmax(dim=2)
    return (values.flatten(2) @ weights_NPM.transpose(1, 2).to(values.dtype)).unflatten(2, tuple(values.shape[2:]))


@component(
    "context",
    source="Yuan & Wang, OCNet: Object Context Network, arXiv 1809.00916; openseg-group/OCNet.pytorch",
    given=("channels",),
)
class OCNet(ContextBlock):
    """Object context: self-attention with shared queries and keys; context and input side by side, then narrowed.

    y = dropout(leaky relu(BN(1 × 1 of [context of each grid, x]))). With ``grids: [1]`` this is Base-OC, with
    ``[1, 2, 3, 6]`` Pyramid-OC: within a grid of s × s cells positions attend to those of their cell. O((HW)² C/s²)
    time, O((HW)²/s²) memory. Each context starts at zero, the block does not start as the identity. Cells differ by at
    most one row or column (the official code gives all that is left over to the last one), and x is appended as it is
    (the official Pyramid-OC widens it first).

    Args:
        grids: cells along each side, one attention for each; a map smaller than a grid has fewer cells.
        reduction: how many times fewer channels keys and values have.
        dropout: probability that a channel is zeroed at the end.

    >>> OCNet(channels=16)(torch.zeros(1, 16, 5, 7)).shape
    torch.Size([1, 16, 5, 7])
    """

    def __init__(
        self,
        grids: list[int] = [1],  # noqa: B006 - read only
        reduction: int = 2,
        dropout: float = 0.05,
        *,
        channels: int,
    ) -> None:
        super().__init__(channels)
        if not grids or min(grids) < 1:
            raise UserError(f"grids of OCNet must be numbers of at least 1, not {grids}")
        if not 0 <= dropout < 1:
            raise UserError(f"dropout of OCNet must be from 0 to below 1, not {dropout}")
        self.stages = nn.ModuleList(SharedAttention(channels, self.hidden(reduction), cells) for cells in grids)
        self.conv_bn_dropout = nn.Sequential(
            nn.Conv2d((len(grids) + 1) * channels, channels, 1, bias=False),
            batch_norm(channels),
            nn.LeakyReLU(SLOPE),
            nn.Dropout2d(dropout),
        )

    def context(self, x: Tensor) -> Tensor:
        return self.conv_bn_dropout(torch.cat([*(stage(x) for stage in self.stages), x], dim=1))
