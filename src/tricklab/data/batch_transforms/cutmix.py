"""Boxes of one image in another."""

from __future__ import annotations

from typing import Any

import numpy as np

from tricklab.data.batch_transforms.mixing import Mixer, Mode
from tricklab.registry import component


@component("batch_transform", source="Yun et al., ICCV 2019, arXiv 1905.04899; timm Mixup", given=("classes",))
class CutMix:
    """Put a box of the image at the same place of the reversed batch into each image; targets mix by its area.

    The image in the middle of an odd batch has no partner and stays as it is. Reports ``mix/lambda``, the image's own
    share, of mixed images, and ``mix/changed``, the share of images that were mixed.

    Args:
        alpha: both parameters of the beta distribution of the share that stays; 0 only with ``minmax``.
        minmax: range of the box's sides as shares of the image's; the box then lies inside, and alpha says nothing.
        p: chance that a batch (pair, element) is mixed.
        correct_lam: weigh the targets by the box as it was cut off at the border, not as it was drawn.
        mode: one box for the ``batch``, for each ``pair`` of partners, or for each ``elem``.
        off_epoch: from this epoch on nothing is mixed; null for never.
        classes: K.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        minmax: tuple[float, float] | None = None,
        p: float = 1.0,
        correct_lam: bool = True,
        mode: Mode = "batch",
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
            correct_lam=correct_lam,
            mode=mode,
            off_epoch=off_epoch,
        )

    def __call__(self, batch: dict[str, Any], rng: np.random.Generator, epoch: float) -> dict[str, Any]:
        """Mix a batch; see :class:`tricklab.data.batch_transforms.mixing.Mixer`."""
        return self.mixer(batch, rng, epoch)
