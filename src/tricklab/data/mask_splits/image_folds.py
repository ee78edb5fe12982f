"""K-fold cross-validation over images with masks, or groups of them."""

from __future__ import annotations

import numpy as np

from tricklab.data.image_splits.image_folds import ImageFolds as LabelledFolds
from tricklab.data.mask_list import MaskList
from tricklab.data.mask_units import Together, as_one_class, kept_together
from tricklab.registry import component
from tricklab.seeds import Seeds


@component("mask_split", source="scikit-learn KFold and GroupKFold")
class ImageFolds:
    """K folds; one is evaluated, the others train. The folds of a block are the same whichever of them is evaluated.

    Args:
        folds: number of folds, 2 or more.
        fold: number of the evaluated fold, 0 and up; null draws it.
        by: what stays together: the layout's ``group``, such as a video, or a ``folder``; null for single images.
        test: the evaluated fold is the test set, and the next one is for validation; otherwise it is for validation.

    Raises:
        UserError: impossible numbers, too few images or groups, or no groups.
    """

    def __init__(self, folds: int = 5, fold: int | None = None, by: Together | None = None, test: bool = False) -> None:
        self.by = by
        self.of_labelled = LabelledFolds(folds=folds, fold=fold, test=test)

    def draw(self, images: MaskList, units: np.ndarray, seeds: Seeds) -> np.ndarray:
        """Deal the folds of one block, and evaluate one; see :class:`tricklab.data.division.Splitter`."""
        return self.of_labelled.draw(as_one_class(images), kept_together(images, units, self.by), seeds)
