"""Images and crops drawn for their rare classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tricklab.data.image_transforms.arguments import whole
from tricklab.errors import UserError
from tricklab.registry import component
from tricklab.seeds import Seeds


@component("sampler", source="Hoyer et al., CVPR 2022 (DAFormer), arXiv 2111.14887, section 3.3")
class RareClassCrops:
    """Draw a class, then an image that has it, then a crop that shows it; rare classes come more often.

    With the share f of a class in all labelled training pixels it is drawn with a chance proportional to
    exp((1 - f) / temperature). An epoch has as many draws as there are images. The crop is laid around a random pixel
    of a class that is drawn by the same chances among those that the augmented image has; the paper tries ten random
    crops and takes one with enough pixels. Without ``data.crop`` only images are drawn.

    Args:
        temperature: above 0; the smaller, the more the rarest classes are preferred. 0.01 in the paper.
    """

    def __init__(self, temperature: float = 0.01) -> None:
        if temperature <= 0:
            raise UserError(f"must be above 0, not {temperature}", where="data.sampler.temperature")
        self.temperature = temperature

    def order(self, targets_NK: np.ndarray, epoch: int, seeds: Seeds) -> tuple[np.ndarray, np.ndarray]:
        """The order of one epoch.

        Args:
            targets_NK: int64, pixels of each class of each image.

        Returns:
            Item numbers int64 (N,), and how often each came before in this epoch.

        Raises:
            UserError: the items are not masks.
        """
        if targets_NK.ndim != 2:
            raise UserError("RareClassCrops is for masks", where="data.sampler", fix="take ClassBalanced")
        rng = seeds.numpy("order", epoch)
        count = len(targets_NK)
        has = targets_NK > 0
        drawn = rng.choice(len(has[0]), count, p=self.chances(targets_NK))
        # the n-th image among those that have the class
        wanted = whole(rng.random(count), has.sum(axis=0)[drawn])
        index = (has.cumsum(axis=0)[:, drawn] == wanted + 1).argmax(axis=0).astype(np.int64)
        return index, _earlier(index)

    def chances(self, targets_NK: np.ndarray) -> np.ndarray:
        """Of each class, float64 (K,); 0 for classes without a pixel."""
        pixels = targets_NK.sum(axis=0)
        rarity = (1 - pixels / pixels.sum()) / self.temperature
        # subtracted so that no exponential overflows
        odds = np.where(pixels > 0, np.exp(rarity - rarity[pixels > 0].max()), 0.0)
        found: np.ndarray = odds / odds.sum()
        return found

    def corner_for(self, targets_NK: np.ndarray) -> RareCorner:
        """What says where to cut, for a training set with so many pixels of each class."""
        return RareCorner(self.chances(targets_NK))


@dataclass(frozen=True)
class RareCorner:
    """Where to cut a crop that shows a rare class.

    Args:
        chances_K: of each class, where an image has it.
    """

    chances_K: np.ndarray
    name: ClassVar[str] = "RareClassCrops"

    def __call__(
        self, mask_HW: np.ndarray, size: tuple[int, int], draw: Callable[[int], np.ndarray]
    ) -> tuple[int, int] | None:
        """Top and left of a crop inside the mask; None for a mask without labels.

        Args:
            mask_HW: uint8, at least of the crop's size.
            size: (height, width) of the crop.
            draw: ``draw(columns)`` gives float64 (columns,) in [0, 1).
        """
        lots = draw(4)
        pixels = np.bincount(mask_HW.ravel(), minlength=len(self.chances_K))[: len(self.chances_K)]
        odds = np.where(pixels > 0, self.chances_K, 0.0).cumsum()
        if odds[-1] <= 0:
            return None
        chosen = int(np.searchsorted(odds, lots[0] * odds[-1], side="right"))
        place = np.flatnonzero(mask_HW.ravel() == chosen)[int(whole(lots[1:2], int(pixels[chosen]))[0])]
        pixel = np.array(divmod(int(place), mask_HW.shape[1]))
        # every corner at which the crop shows the pixel, as far as the mask goes
        low = np.maximum(pixel - np.array(size) + 1, 0)
        high = np.minimum(pixel, np.array(mask_HW.shape) - size)
        top, left = (low + whole(lots[2:], high - low + 1)).tolist()
        return top, left


def _earlier(index_N: np.ndarray) -> np.ndarray:
    """How often each number came before."""
    order = np.argsort(index_N, kind="stable")
    ranked = index_N[order]
    start = np.searchsorted(ranked, ranked)
    found = np.empty_like(index_N)
    found[order] = np.arange(len(index_N)) - start
    return found
