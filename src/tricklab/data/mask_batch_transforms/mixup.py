"""Blends of two images and their masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tricklab.data.batch_transforms.mixing import Mixer, Mode, mix
from tricklab.data.mask_batch_transforms.pasting import untouched
from tricklab.observe import observe
from tricklab.registry import component


@component("mask_batch_transform", source="Zhang et al., ICLR 2018, arXiv 1710.09412", given=("classes",))
class Mixup:
    """Blend each image with that at the same place of the reversed batch, and the shares of each pixel's classes alike.

    A pixel without a label in one of the two counts by the other's share; without one in both it is ignored. The losses
    read ``soft_target``; losses that need one class a pixel refuse it. The image in the middle of an odd batch has no
    partner and stays as it is. Reports ``mix/lambda``, the image's own share, and ``mix/changed``.

    Args:
        alpha: both parameters of the beta distribution of the share; small ones keep most images nearly pure.
        p: chance that a batch (pair, element) is mixed.
        mode: one share for the ``batch``, for each ``pair`` of partners, or for each ``elem``.
        off_epoch: from this epoch on nothing is mixed; null for never.
        classes: K.
    """

    def __init__(
        self, alpha: float = 0.2, p: float = 1.0, mode: Mode = "batch", off_epoch: float | None = None, *, classes: int
    ) -> None:
        self.mixer = Mixer("Mixup", classes, mixup_alpha=alpha, prob=p, mode=mode, off_epoch=off_epoch)

    def __call__(self, batch: dict[str, Any], rng: np.random.Generator, epoch: float) -> dict[str, Any]:
        """A new batch with mixed ``image`` and ``soft_target`` float32 (N, K, H, W); ``target`` is the same."""
        images, target = batch["image"], batch["target"]
        share, cut, boxes = self.mixer.draw(len(target), target.shape[1], target.shape[2], rng)
        if (self.mixer.off_epoch is not None and epoch >= self.mixer.off_epoch) or not (share < 1).any():
            return untouched(batch, "Mixup")
        changed = torch.from_numpy(share < 1)
        observe("mix/changed", changed.float())
        observe("mix/lambda", torch.from_numpy(share[share < 1]))
        before = batch.get("drawn", {})
        own = batch["soft_target"] if "soft_target" in batch else one_hot(target, self.mixer.classes)
        part = torch.from_numpy(share).to(own).view(-1, 1, 1, 1)
        return {
            **batch,
            "image": mix(images, share, cut, boxes),
            "soft_target": torch.lerp(own.flip(0), own, part),
            "drawn": {**before, "Mixup": changed | before.get("Mixup", False)},
        }


def one_hot(target_NHW: Tensor, classes: int) -> Tensor:
    """float32 (N, K, H, W); zeros for a target outside 0 … K-1, which the losses then ignore."""
    known = target_NHW < classes
    rows = functional.one_hot(target_NHW.where(known, 0), classes).movedim(-1, 1).to(torch.float32)
    return rows * known.unsqueeze(1)
