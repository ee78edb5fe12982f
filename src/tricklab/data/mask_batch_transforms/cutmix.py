"""Boxes of one image and its mask in another."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tricklab.data.batch_transforms.cutmix import CutMix as OfLabels
from tricklab.data.batch_transforms.mixing import Mode
from tricklab.data.mask_batch_transforms.pasting import partners_of, pasted, untouched
from tricklab.registry import component


@component(
    "mask_batch_transform",
    source="Yun et al., ICCV 2019, arXiv 1905.04899; French et al., BMVC 2020, for masks",
    fixed=("correct_lam",),
)
class CutMix(OfLabels):
    """Put a box of the image at the same place of the reversed batch, with its labels, into each image.

    Every pixel keeps one label, so nothing is weighed by areas. The image in the middle of an odd batch has no partner
    and stays as it is. Reports ``mix/changed`` and
    ``mix/lambda``, what changed images keep of their own.

    Args:
        mode: one box for the ``batch``, for each ``pair`` of partners, or for each ``elem``.
    """

    def __init__(self, mode: Mode = "elem", **rest: Any) -> None:
        super().__init__(mode=mode, **rest)

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
