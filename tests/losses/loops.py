"""Losses written out as loops over single pixels, in float64: what the real ones are compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

IGNORED = 255
Pixel = tuple[int, int, int]


class Case:
    """Scores (N, C, H, W), targets (N, H, W) and what the recipe of the loss says."""

    def __init__(self, logits: Tensor, target: Tensor, config: dict[str, Any], weight: list[float] | None) -> None:
        self.logits, self.target, self.config = logits, target, config
        self.one_channel = logits.shape[1] == 1
        self.sigmoid = bool(config.get("use_sigmoid")) and not self.one_channel
        self.count = 2 if self.one_channel else logits.shape[1]
        self.weight = weight or [1.0] * self.count
        self.sampler = config.get("sampler")
        shape = target.shape
        self.pixels = [(n, y, x) for n in range(shape[0]) for y in range(shape[1]) for x in range(shape[2])]
        self.known = [pixel for pixel in self.pixels if target[pixel] != IGNORED]
        self.regions = [1] if self.one_channel else list(range(self.count))

    def label(self, pixel: Pixel) -> int:
        return int(self.target[pixel])

    def chance(self, pixel: Pixel, k: int) -> Tensor:
        n, y, x = pixel
        if self.one_channel:
            score = self.logits[n, 0, y, x]
            return torch.sigmoid(score if k == 1 else -score)
        if self.sigmoid:
            return 1 / (1 + torch.exp(-self.logits[n, k, y, x]))
        return torch.exp(self.logits[n, k, y, x]) / sum(torch.exp(self.logits[n, j, y, x]) for j in range(self.count))

    def kept(self, losses: dict[Pixel, Tensor]) -> list[Pixel]:
        """The pixels that count, by sorting."""
        if self.sampler is None:
            return self.known
        thresh, images = self.sampler.get("thresh"), len(self.target)
        if thresh is None:
            order = sorted(self.known, key=lambda pixel: -float(losses[pixel].detach()))
        else:
            order = sorted(self.known, key=lambda pixel: float(self.chance(pixel, self.label(pixel)).detach()))
        chosen = set(order[: self.sampler["min_kept"] * images])
        if thresh is not None:
            chosen |= {pixel for pixel in self.known if float(self.chance(pixel, self.label(pixel)).detach()) < thresh}
        return [pixel for pixel in self.pixels if pixel in chosen]

    def mean(self, losses: dict[Pixel, Tensor], divisor: str) -> Tensor:
        kept = self.kept(losses)
        among = kept if self.sampler is not None and self.sampler["divisor"] == "kept" else self.pixels
        over = 0.0
        for pixel in among:
            labelled = pixel in self.known
            over += (
                1.0
                if divisor == "all"
                else labelled * (self.weight[self.label(pixel)] if divisor == "weights" and labelled else 1.0)
            )
        return sum((losses[pixel] for pixel in kept), torch.zeros((), dtype=torch.float64)) / over


def cross_entropy(case: Case) -> Tensor:
    smoothing = case.config.get("label_smoothing", 0.0)
    losses = {}
    for pixel in case.known:
        total = torch.zeros((), dtype=torch.float64)
        for k in range(case.count):
            wanted = (1 - smoothing) * (k == case.label(pixel)) + smoothing / case.count
            chance = case.chance(pixel, k)
            if case.sigmoid:
                binary = -wanted * torch.log(chance) - (1 - wanted) * torch.log(1 - chance)
                total = total + case.weight[case.label(pixel)] * binary / case.count
            else:
                total = total - case.weight[k] * wanted * torch.log(chance)
        losses[pixel] = total
    return case.mean(losses, case.config.get("divisor", "weights"))


def focal(case: Case) -> Tensor:
    losses = {}
    for pixel in case.known:
        true = case.label(pixel)
        if case.sigmoid:
            total = torch.zeros((), dtype=torch.float64)
            for k in range(case.count):
                right = case.chance(pixel, k) if k == true else 1 - case.chance(pixel, k)
                total = total - (1 - right) ** 2 * torch.log(right) / case.count
        else:
            chance = case.chance(pixel, true)
            total = -((1 - chance) ** 2) * torch.log(chance)
        losses[pixel] = case.weight[true] * total
    return case.mean(losses, "count")


def ratio(case: Case, of: Callable[[Tensor, Tensor, Tensor, Tensor, int], Tensor]) -> Tensor:
    kept = case.kept({pixel: -torch.log(case.chance(pixel, case.label(pixel))) for pixel in case.known})
    total, over = torch.zeros((), dtype=torch.float64), 0.0
    for n in range(len(case.target)):
        mine = [pixel for pixel in kept if pixel[0] == n]
        if not mine:
            continue
        for k in case.regions:
            both = wrong = missed = squares = torch.zeros((), dtype=torch.float64)
            pixels = 0
            for pixel in mine:
                chance, true = case.chance(pixel, k), case.label(pixel) == k
                both, wrong = both + chance * true, wrong + chance * (not true)
                missed, squares, pixels = missed + (1 - chance) * true, squares + chance**2, pixels + true
            total = total + case.weight[k] * of(both, wrong, missed, squares, pixels)
            over += case.weight[k]
    return total / over


def dice(case: Case) -> Tensor:
    return ratio(case, lambda both, wrong, missed, squares, pixels: 1 - (2 * both + 1) / (squares + pixels + 1))


def jaccard(case: Case) -> Tensor:
    return ratio(case, lambda both, wrong, missed, squares, pixels: 1 - (both + 1) / (both + wrong + missed + 1))


def tversky(case: Case) -> Tensor:
    return ratio(
        case, lambda both, wrong, missed, squares, pixels: 1 - (both + 1) / (both + 0.3 * wrong + 0.7 * missed + 1)
    )


def lovasz(case: Case) -> Tensor:
    kept = case.kept({pixel: -torch.log(case.chance(pixel, case.label(pixel))) for pixel in case.known})
    total, over = torch.zeros((), dtype=torch.float64), 0.0
    for k in case.regions:
        truth = {pixel for pixel in kept if case.label(pixel) == k}
        if not truth:
            continue
        errors = {}
        for pixel in kept:
            sign = 1 if pixel in truth else -1
            if case.one_channel:
                errors[pixel] = torch.relu(1 - sign * case.logits[pixel[0], 0, pixel[1], pixel[2]])
            else:
                errors[pixel] = (1 - case.chance(pixel, k)) if sign == 1 else case.chance(pixel, k)
        wrong: set[Pixel] = set()
        before, found = 0.0, torch.zeros((), dtype=torch.float64)
        for pixel in sorted(kept, key=lambda pixel: -float(errors[pixel].detach())):
            wrong.add(pixel)
            after = 1 - len(truth - wrong) / len(truth | wrong)
            found, before = found + errors[pixel] * (after - before), after
        total, over = total + case.weight[k] * found, over + case.weight[k]
    return total / over


def _maps(case: Case, of: Callable[[np.ndarray, np.ndarray], np.ndarray], value: Callable[..., Tensor]) -> Tensor:
    share = {k: case.weight[k] / sum(case.weight[j] for j in case.regions) for k in case.regions}
    losses = {pixel: torch.zeros((), dtype=torch.float64) for pixel in case.known}
    for n in range(len(case.target)):
        for k in case.regions:
            truth = (case.target[n] == k).numpy()
            drawn = np.zeros_like(truth)
            for pixel in case.known:
                if pixel[0] == n:
                    drawn[pixel[1:]] = float(case.chance(pixel, k).detach()) > 0.5
            far = of(truth, drawn)
            for pixel in case.known:
                if pixel[0] == n:
                    true = float(truth[pixel[1:]])
                    losses[pixel] = losses[pixel] + share[k] * value(case.chance(pixel, k), true, float(far[pixel[1:]]))
    return case.mean(losses, "count")


def _sides(region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if region.all() or not region.any():
        return np.zeros(region.shape), np.zeros(region.shape)
    return ndimage.distance_transform_edt(~region), ndimage.distance_transform_edt(region)


def boundary(case: Case) -> Tensor:
    def signed(truth: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        outside, inside = _sides(truth)
        return outside - np.maximum(inside - 1, 0)

    return _maps(case, signed, lambda chance, true, far: chance * far)


def hausdorff(case: Case) -> Tensor:
    def both(truth: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        return sum(_sides(truth)) ** 2 + sum(_sides(drawn)) ** 2

    return _maps(case, both, lambda chance, true, far: (chance - true) ** 2 * far)


LOOPS: dict[str, Callable[[Case], Tensor]] = {
    "CrossEntropyLoss": cross_entropy,
    "FocalLoss": focal,
    "DiceLoss": dice,
    "JaccardLoss": jaccard,
    "TverskyLoss": tversky,
    "LovaszLoss": lovasz,
    "BoundaryLoss": boundary,
    "HausdorffDistanceLoss": hausdorff,
}
