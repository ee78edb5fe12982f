"""Crops that are not all of one class."""

from __future__ import annotations

import numpy as np

from tricklab.data.image_transforms.arguments import whole
from tricklab.data.mask_list import IGNORE
from tricklab.data.mask_transforms import PairDraw
from tricklab.data.pair_view import PairMove, PairView
from tricklab.errors import UserError
from tricklab.registry import component

ATTEMPTS = 10


@component("pair_transform", source="MMSegmentation RandomCrop", given=("crop",))
class RandomCrop(PairMove):
    """Cut ``data.crop`` out at a random place where no class has too many of the labelled pixels.

    Ten places are tried; if none will do, the last is taken. (MMSegmentation then takes an eleventh that it does not
    look at.) An image that is smaller than the crop stays as it is along that side and is filled up afterwards.

    Args:
        cat_max_ratio: the most that one class may have of a crop's labelled pixels, above 0 and below 1; a crop
            without a label, or with one class alone, never does.
        crop: (height, width).

    Raises:
        UserError: there is no ``data.crop``.
    """

    cuts = True

    def __init__(self, cat_max_ratio: float = 0.75, *, crop: tuple[int, int] | None) -> None:
        if not 0 < cat_max_ratio < 1:
            raise UserError(
                f"a share lies above 0 and below 1, not {cat_max_ratio}",
                where="RandomCrop.cat_max_ratio",
                fix="leave RandomCrop out: data.crop cuts at any place by itself",
            )
        if crop is None:
            raise UserError("RandomCrop needs the size of the crop", where="data.crop", fix="crop: [height, width]")
        self.cat_max_ratio, self.size = cat_max_ratio, crop

    def move(self, pair: PairView, draw: PairDraw) -> tuple[PairView, bool]:
        """Cut one pair."""
        height, width = np.minimum(self.size, pair.shape).tolist()
        spare = np.array(pair.shape) - (height, width)
        if not spare.any():
            return pair, False
        corners = whole(draw(2 * ATTEMPTS).reshape(ATTEMPTS, 2), spare + 1)
        for top, left in corners.tolist():
            part = pair.cut(top, left, height, width)
            if self.fits(part.mask):
                break
        return part, True

    def fits(self, mask_HW: np.ndarray) -> bool:
        """Whether no class has more than its share."""
        counts = np.bincount(mask_HW.ravel(), minlength=IGNORE + 1)[:IGNORE]
        return bool((counts > 0).sum() > 1 and counts.max() < self.cat_max_ratio * counts.sum())
