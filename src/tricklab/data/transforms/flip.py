"""Mirrored windows."""

from __future__ import annotations

import torch
from torch import Tensor

from tricklab.data.draws import Draw
from tricklab.errors import UserError
from tricklab.registry import component


@component("transform")
class FlipWindows:
    """Mirror windows left-right and up-down, each with its own chance.

    Args:
        horizontal: mirror left and right.
        vertical: mirror top and bottom.
        p: chance of each.
    """

    def __init__(self, horizontal: bool = True, vertical: bool = True, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise UserError(f"a chance must be between 0 and 1, not {p}", where="FlipWindows.p")
        if not (horizontal or vertical):
            raise UserError("neither horizontal nor vertical is on: it would do nothing", where="FlipWindows")
        self.horizontal = horizontal
        self.vertical = vertical
        self.p = p

    def __call__(self, images_NBSS: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Flip some windows of a batch; see :class:`tricklab.data.windows.WindowTransform`."""
        lots = torch.from_numpy(draw(2))
        sideways = (lots[:, 0] < self.p) & self.horizontal
        upside = (lots[:, 1] < self.p) & self.vertical
        images_NBSS[sideways] = images_NBSS[sideways].flip(-1)
        images_NBSS[upside] = images_NBSS[upside].flip(-2)
        return images_NBSS, sideways | upside
