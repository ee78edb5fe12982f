"""K-fold cross-validation over images or groups of images."""

from __future__ import annotations

import numpy as np

from tricklab.data.image_list import ImageList
from tricklab.data.image_split import check_sides
from tricklab.data.image_splits.dealing import deal
from tricklab.data.image_splits.grouped_images import refuse_few_units, with_groups
from tricklab.data.split import PLACE
from tricklab.errors import UserError
from tricklab.registry import component
from tricklab.seeds import Seeds


@component("image_split", source="scikit-learn StratifiedKFold and StratifiedGroupKFold")
class ImageFolds:
    """K folds, the same share of every class in each; one fold is evaluated, the others train.

    The folds of a block are the same whichever of them is evaluated, so together they evaluate every image once; copies
    of a picture lie in one fold.

    Args:
        folds: number of folds, 2 or more.
        fold: number of the evaluated fold, 0 and up; null draws it.
        grouped: keep the layout's groups in one fold.
        test: the evaluated fold is the test set, and the next one is for validation; otherwise it is for validation.

    Raises:
        UserError: impossible numbers, or a class that cannot be in every fold.
    """

    def __init__(self, folds: int = 5, fold: int | None = None, grouped: bool = False, test: bool = False) -> None:
        least = 3 if test else 2
        if folds < least:
            raise UserError(f"{folds} folds", where="data.split.folds", fix=f"at least {least}")
        if fold is not None and not 0 <= fold < folds:
            raise UserError(f"no fold {fold}", where="data.split.fold", fix=f"0 to {folds - 1}")
        self.folds, self.fold, self.grouped, self.test = folds, fold, grouped, test

    def draw(self, images: ImageList, units: np.ndarray, seeds: Seeds) -> np.ndarray:
        """Deal the folds of one block, and evaluate one."""
        joined = with_groups(images, units) if self.grouped else units
        dealt = self.deal_folds(images, joined, seeds)
        chosen = int(seeds.numpy("split", "fold").integers(self.folds)) if self.fold is None else self.fold
        sides = np.full(len(images), "train", dtype="<U5")
        sides[dealt == chosen] = "test" if self.test else "val"
        if self.test:
            sides[dealt == (chosen + 1) % self.folds] = "val"
        return check_sides(images, joined, sides)

    def deal_folds(self, images: ImageList, units: np.ndarray, seeds: Seeds) -> np.ndarray:
        """The fold of each image, int64 (N,).

        Raises:
            UserError: a class is missing in a fold.
        """
        refuse_few_units(images, units, self.folds, f"{self.folds} folds need one each")
        rng = seeds.numpy("split")
        dealt = deal(units, images.labels, self._wanted(images.counts(), rng), rng)
        for fold in range(self.folds):
            missing = np.flatnonzero(images.counts(dealt == fold) == 0)
            if len(missing):
                raise UserError(
                    f"fold {fold} has no image of {images.classes[missing[0]]}",
                    where=PLACE,
                    fix="take fewer folds: the groups are too large for these",
                )
        return dealt

    def _wanted(self, sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Images of each class for each fold, int64 (folds, K); no class and no fold is off by more than one."""
        spare = sizes % self.folds
        # the spare images of a class go on where those of the class before ended, around a random circle of folds
        start = np.cumsum(spare) - spare
        steps = (rng.permutation(self.folds)[:, None] - start) % self.folds
        return sizes // self.folds + (steps < spare)
