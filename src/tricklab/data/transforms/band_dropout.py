"""Bands set to zero."""

from __future__ import annotations

import torch
from torch import Tensor

from tricklab.data.draws import Draw
from tricklab.errors import UserError
from tricklab.registry import component


@component("transform")
class BandDropout:
    """Set whole bands of a window to zero, which after PCA is their mean; at least one band stays.

    Unlike dropout in a network the rest is not scaled up: the windows of the test set are not scaled either.

    Args:
        p: chance of each band.
    """

    def __init__(self, p: float = 0.1) -> None:
        if not 0 < p < 1:
            raise UserError(f"a chance must be between 0 and 1, not {p}", where="BandDropout.p")
        self.p = p

    def __call__(self, images_NBSS: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Drop bands of a batch; see :class:`tricklab.data.windows.WindowTransform`."""
        lots = torch.from_numpy(draw(images_NBSS.shape[1]))
        dropped = lots < self.p
        dropped.scatter_(1, lots.argmax(dim=1, keepdim=True), False)
        images_NBSS.masked_fill_(dropped[:, :, None, None], 0.0)
        return images_NBSS, dropped.any(dim=1)
