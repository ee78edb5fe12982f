"""Random images."""

from __future__ import annotations

import numpy as np

from tricklab.data.image_splits.stratified import Stratified
from tricklab.data.mask_list import MaskList
from tricklab.data.mask_spread import spread_classes
from tricklab.data.mask_units import Together, as_one_class, kept_together
from tricklab.registry import component
from tricklab.seeds import Seeds


@component("mask_split")
class RandomImages:
    """Random images, or whole groups of them; drawn anew for each block. Identical images stay on one side.

    Neighbouring frames of a video are near copies: with single frames on both sides, validation measures memory.

    A class that several images (or groups) show is on every side that is used; where the draw leaves it out, images
    change places with others until it is. A draw that lacks nothing stays as it is.

    Args:
        train, val, test: shares of the images.
        unused: share that is left out, to see what less data does; all four add up to 1.
        by: what stays together: the layout's ``group``, such as a video, or a ``folder``; null for single images.

    Raises:
        UserError: shares that do not add up to 1, too few images, or no groups.
    """

    def __init__(
        self,
        train: float = 0.8,
        val: float = 0.2,
        test: float = 0.0,
        unused: float = 0.0,
        by: Together | None = None,
    ) -> None:
        self.by = by
        self.shares = Stratified(train=train, val=val, test=test, unused=unused)

    def draw(self, images: MaskList, units: np.ndarray, seeds: Seeds) -> np.ndarray:
        """Draw the sides for one block; see :class:`tricklab.data.division.Splitter`."""
        joined = kept_together(images, units, self.by)
        return spread_classes(images.shown, joined, self.shares.draw(as_one_class(images), joined, seeds), seeds)
