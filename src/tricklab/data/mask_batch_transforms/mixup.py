"""Blends of two images and their masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from tricklab.data.batch_transforms.mixing import mix, one_hot
from tricklab.data.batch_transforms.mixup import Mixup as OfLabels
from tricklab.data.mask_batch_transforms.pasting import untouched
from tricklab.observe import observe
from tricklab.registry import component


@component("mask_batch_transform", source="Zhang et al., ICLR 2018, arXiv 1710.09412")
class Mixup(OfLabels):
    """Blend each image with that at the same place of the reversed batch, and the shares of each pixel's classes alike.

    A pixel without a label in one of the two counts by the other's share; without one in both it is ignored. The losses
    read ``soft_target``; losses that need one class a pixel refuse it. The image in the middle of an odd batch has no
    partner and stays as it is. Reports ``mix/lambda``, the image's own share, and ``mix/changed``.

    Args:
        alpha: both parameters of the beta distribution of the share; small ones keep most images nearly pure.
    """

    def __init__(self, alpha: float = 0.2, **rest: Any) -> None:
        super().__init__(alpha=alpha, **rest)

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
        part = torch.from_numpy(share).to(target.device, torch.float32)
        soft = batch.get("soft_target")
        return {
            **batch,
            "image": mix(images, share, cut, boxes),
            "soft_target": self._shares(target, part) if soft is None else _blend(soft, part),
            "drawn": {**before, "Mixup": changed | before.get("Mixup", False)},
        }

    def _shares(self, target_NHW: Tensor, part_N: Tensor) -> Tensor:
        """float32 (N, K, H, W): each image's own class by its share, the partner's by the rest."""
        soft = one_hot(target_NHW, self.mixer.classes).mul_(part_N.view(-1, 1, 1, 1))
        partner = target_NHW.flip(0)
        known = partner < self.mixer.classes
        rest = (1 - part_N).view(-1, 1, 1) * known
        return soft.scatter_add_(1, partner.where(known, 0).unsqueeze(1), rest.unsqueeze(1))


def _blend(soft_NKHW: Tensor, part_N: Tensor) -> Tensor:
    return torch.lerp(soft_NKHW.flip(0), soft_NKHW, part_N.to(soft_NKHW.dtype).view(-1, 1, 1, 1))
