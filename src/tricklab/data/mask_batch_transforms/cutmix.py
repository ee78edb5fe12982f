"""Boxes of one image and its mask in another."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tricklab.data.batch_transforms.mixing import Mixer, Mode
from tricklab.data.mask_batch_transforms.pasting import partners_of, pasted, untouched
from tricklab.registry import component


@component(
    "mask_batch_transform",
    source="Yun et al., ICCV 2019, arXiv 1905.04899; French et al., BMVC 2020, for masks",
    given=("classes",),
)
class CutMix:
    """Put a box of the image at the same place of the reversed batch, with its labels, into each image.

    Every pixel keeps one label, so nothing is weighed by areas. The image in the middle of an odd batch has no partner
    and stays as it is. Reports ``mix/changed`` and
    ``mix/lambda``, what changed images keep of their own.

    Args:
        alpha: both parameters of the beta distribution of the share that stays; 0 only with ``minmax``.
        minmax: range of the box's sides as shares of the image's; the box then lies inside, and alpha says nothing.
        p: chance that a batch (pair, element) is mixed.
        mode: one box for the ``batch``, for each ``pair`` of partners, or for each ``elem``.
        off_epoch: from this epoch on nothing is mixed; null for never.
        classes: K.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        minmax: tuple[float, float] | None = None,
        p: float = 1.0,
        mode: Mode = "elem",
        off_epoch: float | None = None,
        *,
        classes: int,
    ) -> None:
        self.mixer = Mixer(
            "CutMix",
            classes,
            cutmix_alpha=alpha,
            cutmix_minmax=None if minmax is None else (minmax[0], minmax[1]),
            prob=p,
            mode=mode,
            off_epoch=off_epoch,
        )

    def __call__(self, batch: dict[str, Any], rng: np.random.Generator, epoch: float) -> dict[str, Any]:
        """Mix a batch; see :func:`tricklab.data.mask_batch_transforms.pasting.pasted`."""
        target = batch["target"]
        count, height, width = target.shape
        share, _, boxes = self.mixer.draw(count, height, width, rng)
        if self.mixer.off_epoch is not None and epoch >= self.mixer.off_epoch:
            return untouched(batch, "CutMix")
        limits = torch.from_numpy(boxes * (share < 1)[:, None]).to(target.device).unsqueeze(2)
        top, left, bottom, right = limits.unbind(1)
        row, column = torch.arange(height, device=target.device), torch.arange(width, device=target.device)
        rows, columns = (row >= top) & (row < bottom), (column >= left) & (column < right)
        return pasted(batch, rows.unsqueeze(2) & columns.unsqueeze(1), partners_of(batch), "CutMix")
