"""Windows turned by quarter turns."""

from __future__ import annotations

import torch
from torch import Tensor

from tricklab.data.draws import Draw
from tricklab.errors import UserError
from tricklab.registry import component


@component("transform")
class Rotate90:
    """Turn windows by one, two or three quarter turns, each as likely.

    Args:
        p: chance of a turn; at 0.75 all four positions are equally likely.
    """

    def __init__(self, p: float = 0.75) -> None:
        if not 0 <= p <= 1:
            raise UserError(f"a chance must be between 0 and 1, not {p}", where="Rotate90.p")
        self.p = p

    def __call__(self, images_NBSS: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Turn some windows of a batch; see :class:`tricklab.data.windows.WindowTransform`."""
        lots = torch.from_numpy(draw(2))
        turned = lots[:, 0] < self.p
        quarters = torch.where(turned, 1 + (lots[:, 1] * 3).long(), 0)
        for quarter in (1, 2, 3):
            chosen = quarters == quarter
            images_NBSS[chosen] = images_NBSS[chosen].rot90(quarter, (-2, -1))
        return images_NBSS, turned
