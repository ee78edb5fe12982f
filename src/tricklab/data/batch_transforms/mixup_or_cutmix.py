"""Mixup and CutMix by turns."""

from __future__ import annotations

from typing import Any

import numpy as np

from tricklab.data.batch_transforms.mixing import Mixer, Mode
from tricklab.errors import UserError
from tricklab.registry import component


@component("batch_transform", source="timm Mixup; Touvron et al., ICML 2021 (DeiT), table 9", given=("classes",))
class MixupOrCutMix:
    """Draw for each batch whether its images are blended, get boxes, or stay; partner is the reversed batch.

    The image in the middle of an odd batch has no partner and stays as it is; timm refuses odd batches. Reports
    ``mix/lambda``, the image's own share, of mixed images, and ``mix/changed``, the share of images that were mixed.

    Args:
        mixup_alpha: both parameters of the beta distribution of blended shares, above 0.
        cutmix_alpha: the same of the share that a box leaves, above 0; says nothing with ``cutmix_minmax``.
        cutmix_minmax: range of the box's sides as shares of the image's; the box then lies inside.
        prob: chance that a batch (pair, element) is mixed.
        switch_prob: chance that it is CutMix.
        mode: drawn once for the ``batch``, for each ``pair`` of partners, or for each ``elem``.
        correct_lam: weigh the targets by the box as it was cut off at the border, not as it was drawn.
        off_epoch: from this epoch on nothing is mixed; null for never.
        classes: K.
    """

    def __init__(
        self,
        mixup_alpha: float = 0.8,
        cutmix_alpha: float = 1.0,
        cutmix_minmax: tuple[float, float] | None = None,
        prob: float = 1.0,
        switch_prob: float = 0.5,
        mode: Mode = "batch",
        correct_lam: bool = True,
        off_epoch: float | None = None,
        *,
        classes: int,
    ) -> None:
        if mixup_alpha <= 0 or (cutmix_alpha <= 0 and cutmix_minmax is None) or not 0 < switch_prob < 1:
            raise UserError(
                "only one of the two would ever be drawn", where="MixupOrCutMix", fix="Mixup or CutMix by itself"
            )
        self.mixer = Mixer(
            "MixupOrCutMix",
            classes,
            mixup_alpha=mixup_alpha,
            cutmix_alpha=cutmix_alpha,
            cutmix_minmax=None if cutmix_minmax is None else (cutmix_minmax[0], cutmix_minmax[1]),
            prob=prob,
            switch_prob=switch_prob,
            mode=mode,
            correct_lam=correct_lam,
            off_epoch=off_epoch,
        )

    def __call__(self, batch: dict[str, Any], rng: np.random.Generator, epoch: float) -> dict[str, Any]:
        """Mix a batch; see :class:`tricklab.data.batch_transforms.mixing.Mixer`."""
        return self.mixer(batch, rng, epoch)
