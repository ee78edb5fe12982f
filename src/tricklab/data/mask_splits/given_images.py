"""The split that the files come with."""

from __future__ import annotations

import numpy as np

from tricklab.data.mask_list import MaskList
from tricklab.data.split import PLACE
from tricklab.errors import UserError
from tricklab.registry import component
from tricklab.seeds import Seeds


@component("mask_split")
class GivenImages:
    """The sides as the layout says, such as its folders ``train``, ``val`` and ``test``; the same in every block.

    Raises:
        UserError: the layout knows no sides.
    """

    def draw(self, images: MaskList, units: np.ndarray, seeds: Seeds) -> np.ndarray:
        """Take the sides as given; see :class:`tricklab.data.mask_division.MaskSplitter`."""
        if images.given is None:
            raise UserError(
                "the images come without a split", where=PLACE, fix="write split: {type: RandomImages, train: 0.8}"
            )
        return np.array(images.given, dtype="<U5")
