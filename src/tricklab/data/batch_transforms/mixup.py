"""Blends of two images."""

from __future__ import annotations

from typing import Any

import numpy as np

from tricklab.data.batch_transforms.mixing import Mixer, Mode
from tricklab.registry import component


@component("batch_transform", source="Zhang et al., ICLR 2018, arXiv 1710.09412; timm Mixup", given=("classes",))
class Mixup:
    """Blend each image with that at the same place of the reversed batch, and their targets alike.

    The image in the middle of an odd batch has no partner and stays as it is. Reports ``mix/lambda``, the image's own
    share, of mixed images, and ``mix/changed``, the share of images that were mixed.

    Args:
        alpha: both parameters of the beta distribution of the share; small ones keep most images nearly pure.
        p: chance that a batch (pair, element) is mixed.
        mode: one share for the ``batch``, for each ``pair`` of partners, or for each ``elem``.
        off_epoch: from this epoch on nothing is mixed; null for never.
        classes: K.
    """

    def __init__(
        self, alpha: float = 0.8, p: float = 1.0, mode: Mode = "batch", off_epoch: float | None = None, *, classes: int
    ) -> None:
        self.mixer = Mixer("Mixup", classes, mixup_alpha=alpha, prob=p, mode=mode, off_epoch=off_epoch)

    def __call__(self, batch: dict[str, Any], rng: np.random.Generator, epoch: float) -> dict[str, Any]:
        """Mix a batch; see :class:`tricklab.data.batch_transforms.mixing.Mixer`."""
        return self.mixer(batch, rng, epoch)
