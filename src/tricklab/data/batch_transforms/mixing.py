"""What all mixing of images shares: shares and boxes drawn as timm draws them, images and targets mixed by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from tricklab.errors import UserError
from tricklab.observe import observe

Mode = Literal["batch", "pair", "elem"]


@dataclass(frozen=True)
class Mixer:
    """Mixes each image with that at the same place of the reversed batch.

    The image in the middle of a batch of odd size has no partner and stays as it is.

    Args:
        name: of the transform, for what is reported.
        classes: K.
        mixup_alpha: both parameters of the beta distribution of blended shares; 0 for no Mixup.
        cutmix_alpha: the same for boxes; 0 for no CutMix.
        cutmix_minmax: range of a box's sides as shares of the image's, instead of ``cutmix_alpha``.
        prob: chance that a batch, pair or element is mixed.
        switch_prob: chance of CutMix where both are on.
        mode: ``batch`` draws once for all images, ``pair`` once for each two partners, ``elem`` for each image.
        correct_lam: take the share from the box as it was cut off at the border, not as it was drawn.
        off_epoch: from this epoch on nothing is mixed; None for never.
    """

    name: str
    classes: int
    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    cutmix_minmax: tuple[float, float] | None = None
    prob: float = 1.0
    switch_prob: float = 0.5
    mode: Mode = "batch"
    correct_lam: bool = True
    off_epoch: float | None = None

    def __post_init__(self) -> None:
        for key in ("mixup_alpha", "cutmix_alpha"):
            if getattr(self, key) < 0:
                raise UserError(f"must be 0 or more, not {getattr(self, key)}", where=f"{self.name}.{key}")
        for key in ("prob", "switch_prob"):
            if not 0 <= getattr(self, key) <= 1:
                raise UserError(f"a chance lies between 0 and 1, not {getattr(self, key)}", where=f"{self.name}.{key}")
        if self.prob == 0 or not (self.mixup_alpha or self.cuts):
            raise UserError("it would mix nothing", where=self.name, fix="give a chance and an alpha above 0")
        if self.cutmix_minmax is not None and not 0 <= self.cutmix_minmax[0] <= self.cutmix_minmax[1] <= 1:
            raise UserError(
                f"a range of sides rises from 0 to 1, not {list(self.cutmix_minmax)}", where=f"{self.name} minmax"
            )
        if self.off_epoch is not None and self.off_epoch <= 0:
            raise UserError("it would never mix", where=f"{self.name}.off_epoch", fix="an epoch after the first")

    @property
    def cuts(self) -> bool:
        """Whether boxes are cut at all."""
        return self.cutmix_alpha > 0 or self.cutmix_minmax is not None

    def __call__(self, batch: dict[str, Any], rng: np.random.Generator, epoch: float) -> dict[str, Any]:
        """The batch with mixed ``image`` and ``soft_target``.

        Args:
            batch: ``image`` (N, 3, H, W) of any floating type; ``target`` int64 (N,), outside 0 … K-1 for "no label";
                ``soft_target`` float32 (N, K) where the batch is mixed already.
            rng: the micro-batch's own generator.
            epoch: epochs that were trained so far.

        Returns:
            A new mapping, in which ``target`` is the same. A batch that was not mixed has no new ``soft_target``.
        """
        images: Tensor = batch["image"]
        share, cut, boxes = self.draw(len(images), images.shape[-2], images.shape[-1], rng)
        if self.off_epoch is not None and epoch >= self.off_epoch:
            share = np.ones_like(share)
        changed = torch.from_numpy(share < 1)
        observe("mix/changed", changed.float())
        observe("mix/lambda", torch.from_numpy(share[share < 1]))
        before = batch.get("drawn", {})
        drawn = {**before, self.name: changed | before.get(self.name, False)}
        if not changed.any():
            return {**batch, "drawn": drawn}
        own = batch["soft_target"] if "soft_target" in batch else one_hot(batch["target"], self.classes)
        part = torch.from_numpy(share).to(own).unsqueeze(1)
        mixed = own * part + own.flip(0) * (1 - part)
        return {**batch, "image": mix(images, share, cut, boxes), "soft_target": mixed, "drawn": drawn}

    def draw(
        self, count: int, height: int, width: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each image's own share float64 (N,), 1 where it stays; whether a box is cut (N,); boxes int64 (N, 4)."""
        place = np.arange(count)
        # which draw each image shares in: all the first, partners the same, or each its own
        shared = {"batch": 0 * place, "pair": np.minimum(place, place[::-1]), "elem": place}[self.mode]
        drawn = int(shared.max()) + 1
        cut = rng.random(drawn) < (self.switch_prob if self.mixup_alpha else 1.0)
        cut &= self.cuts
        blended = rng.beta(self.mixup_alpha or 1.0, self.mixup_alpha or 1.0, drawn)
        boxed = rng.beta(self.cutmix_alpha or 1.0, self.cutmix_alpha or 1.0, drawn)
        boxes = self._boxes(boxed, height, width, rng)
        if self.correct_lam or self.cutmix_minmax is not None:
            boxed = 1 - (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / (height * width)
        share = np.where(rng.random(drawn) < self.prob, np.where(cut, boxed, blended), 1.0)
        share, cut, boxes = share[shared], cut[shared], boxes[shared]
        if count % 2:
            share[count // 2] = 1.0
        return share, cut, boxes

    def _boxes(self, share_N: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
        size, count = np.array([height, width]), len(share_N)
        if self.cutmix_minmax is not None:
            low, high = (np.floor(size * bound).astype(np.int64) for bound in self.cutmix_minmax)
            sides = rng.integers(low, np.maximum(high, low + 1), (count, 2))
            corner = rng.integers(0, size - sides + 1)
            return np.concatenate([corner, corner + sides], axis=1)
        sides = (size * np.sqrt(1 - share_N)[:, None]).astype(np.int64)
        centre = rng.integers(0, size, (count, 2))
        return np.concatenate([(centre - sides // 2).clip(0, size), (centre + (sides + 1) // 2).clip(0, size)], axis=1)


def one_hot(target: Tensor, classes: int) -> Tensor:
    """float32 (N, K) of targets (N,), (N, K, H, W) of masks (N, H, W); zeros where a target is outside 0 … K-1.

    What is zero for all classes the losses then ignore.
    """
    known = (target >= 0) & (target < classes)
    rows = torch.zeros((len(target), classes, *target.shape[1:]), dtype=torch.float32, device=target.device)
    return rows.scatter_(1, target.where(known, 0).unsqueeze(1), known.unsqueeze(1).to(torch.float32))


def mix(images_N3HW: Tensor, share_N: np.ndarray, cut_N: np.ndarray, boxes_N4: np.ndarray) -> Tensor:
    """Images mixed with those of the reversed batch.

    Args:
        images_N3HW: any floating type, on any device; stays as it is.
        share_N: what remains of each image; 1 leaves it bit by bit.
        cut_N: whether its partner's box is put in instead of blending.
        boxes_N4: top, left, bottom, right.
    """
    partner = images_N3HW.flip(0)
    blended = np.where(cut_N, 1.0, share_N)
    found = images_N3HW.clone()
    if (blended < 1).any():
        weight = torch.from_numpy(blended).to(images_N3HW).view(-1, 1, 1, 1)
        found = torch.lerp(partner, images_N3HW, weight)
    boxed = cut_N & (share_N < 1)
    if not boxed.any():
        return found
    if boxed.all() and (boxes_N4 == boxes_N4[0]).all():
        top, left, bottom, right = boxes_N4[0].tolist()
        found[:, :, top:bottom, left:right] = partner[:, :, top:bottom, left:right]
        return found
    height, width = images_N3HW.shape[-2:]
    top, left, bottom, right = torch.from_numpy(boxes_N4 * boxed[:, None]).to(found.device).unsqueeze(2).unbind(1)
    row, column = torch.arange(height, device=found.device), torch.arange(width, device=found.device)
    rows, columns = (row >= top) & (row < bottom), (column >= left) & (column < right)
    return torch.where((rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1), partner, found)
