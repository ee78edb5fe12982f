"""Half of the classes of one image in another."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tricklab.data.mask_batch_transforms.pasting import (
    check_rest,
    partners_of,
    pasted,
    pixels_of,
    present_classes,
    untouched,
)
from tricklab.registry import component


@component("mask_batch_transform", source="Olsson et al., WACV 2021, arXiv 2007.07936", given=("classes",))
class ClassMix:
    """Put the pixels of half of the partner's classes, with their labels, into each image.

    The partner is the image at the same place of the reversed batch; of its K' classes K' / 2, rounded down, are drawn
    evenly. The paper mixes unlabelled images by predicted masks; here the masks are the true ones. The image in the
    middle of an odd batch is its own partner and stays as it is. Reports ``mix/changed`` and
    ``mix/lambda``, what changed images keep of their own.

    Args:
        p: chance of each image.
        off_epoch: from this epoch on nothing is mixed; null for never.
        classes: K.
    """

    def __init__(self, p: float = 1.0, off_epoch: float | None = None, *, classes: int) -> None:
        check_rest("ClassMix", p, off_epoch)
        self.p, self.off_epoch, self.classes = p, off_epoch, classes

    def __call__(self, batch: dict[str, Any], rng: np.random.Generator, epoch: float) -> dict[str, Any]:
        """Mix a batch; see :func:`tricklab.data.mask_batch_transforms.pasting.pasted`."""
        count = len(batch["target"])
        mixed = rng.random(count) < self.p
        if count % 2:
            mixed[count // 2] = False
        order = torch.from_numpy(rng.random((count, self.classes)))
        if self.off_epoch is not None and epoch >= self.off_epoch:
            return untouched(batch, "ClassMix")
        source = partners_of(batch)
        present = present_classes(source["target"], self.classes)
        # the classes that are there in random order, the others behind them
        place = order.to(present.device).where(present, 2.0).argsort(dim=1).argsort(dim=1)
        chosen = (place < present.sum(dim=1, keepdim=True) // 2) & torch.from_numpy(mixed).to(present.device)[:, None]
        return pasted(batch, pixels_of(source["target"], chosen), source, "ClassMix")
