"""A split written down: one line an image."""

from __future__ import annotations

import numpy as np

from tricklab.data.image_splits.manifest import Manifest as LabelledManifest
from tricklab.data.mask_list import MaskList
from tricklab.data.mask_units import as_one_class
from tricklab.registry import component
from tricklab.seeds import Seeds


@component("mask_split", given=("root",))
class Manifest:
    """A CSV file with the columns ``path`` and ``split``; every image once, an empty split leaves it out.

    Args:
        file: the CSV file: absolute, or below ``data.root``, or below the working folder.

    Raises:
        UserError: images that are not listed, listed twice, or not there. Names the line.
    """

    def __init__(self, file: str, *, root: str | None = None) -> None:
        self.of_labelled = LabelledManifest(file, root=root)

    def draw(self, images: MaskList, units: np.ndarray, seeds: Seeds) -> np.ndarray:
        """Read the sides; the same for every block; see :class:`tricklab.data.division.Splitter`."""
        # what is written is not moved: whoever drew it refuses the same pixels on two sides, and tells near copies
        return self.of_labelled.draw(as_one_class(images), np.arange(len(images)), seeds)
