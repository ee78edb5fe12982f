"""Square blocks dealt to k folds, with a guard between training and evaluated pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tricklab.data.neighbourhoods import dilate
from tricklab.data.split import Split
from tricklab.data.splits.redraw import draw_until_fed
from tricklab.errors import UserError
from tricklab.registry import component
from tricklab.seeds import Seeds


@component("split", source="block cross-validation with a buffer", given=("window", "class_names"))
class BlockFolds:
    """k-fold cross-validation over square blocks of the scene; training pixels near evaluated ones are left out.

    The grid's origin and the dealing of blocks to folds are drawn per block of the experiment, so in each the folds are
    the same whichever fold is the test set, and together they test every labelled pixel once. A draw is kept only if no
    split lacks a class: for the drawn fold, or for all folds where ``fold`` is given.

    Args:
        size: side of the squares in pixels.
        folds: number of folds, 2 or more.
        fold: number of the test fold, 0 and up; null draws it.
        guard: training pixels within this Chebyshev distance of an evaluated pixel are left out; null takes window - 1,
            the smallest with which no training window meets a test window.
        val: use the next fold for validation, guarded from the test fold as well.
        window: side of the windows.
        class_names: what to call the classes in messages.

    Raises:
        UserError: impossible numbers, or no draw gives every split a pixel of every class.
    """

    def __init__(
        self,
        size: int = 32,
        folds: int = 5,
        fold: int | None = None,
        guard: int | None = None,
        val: bool = False,
        *,
        window: int,
        class_names: Sequence[str] = (),
    ) -> None:
        if size < 1:
            raise UserError(f"blocks of side {size}", where="data.split.size", fix="at least 1 pixel")
        if folds < (3 if val else 2):
            raise UserError(f"{folds} folds", where="data.split.folds", fix=f"at least {3 if val else 2}")
        if fold is not None and not 0 <= fold < folds:
            raise UserError(f"no fold {fold}", where="data.split.fold", fix=f"0 to {folds - 1}")
        if guard is not None and guard < 0:
            raise UserError(f"a guard of {guard} pixels", where="data.split.guard", fix="0 or more")
        self.size = size
        self.folds = folds
        self.fold = fold
        self.guard = window - 1 if guard is None else guard
        self.val = val
        self.class_names = tuple(class_names)

    def draw(self, labels_HW: np.ndarray, seeds: Seeds) -> Split:
        """Draw the grid and the folds for one block of the experiment, and take one fold as test set."""
        chosen = self.fold
        if chosen is None:
            chosen = int(seeds.numpy("split", "fold").integers(self.folds))

        def attempt(number: int) -> Iterator[Split]:
            fold_of = self._deal(labels_HW, seeds.numpy("split", number))
            # a fold named by hand belongs to a cross-validation: then all of its folds must be usable
            tested = range(self.folds) if self.fold is not None else [chosen]
            return (self._split(labels_HW, fold_of, fold) for fold in tested)

        found = draw_until_fed(
            attempt,
            labels_HW,
            self.class_names,
            wanted=("train", "val", "test") if self.val else ("train", "test"),
            random=True,
            fix=f"take smaller windows (the guard is {self.guard} pixels), other blocks, or ignore small classes",
        )
        return found[chosen if self.fold is not None else 0]

    def _deal(self, labels_HW: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The fold of every pixel, int64 (height, width)."""
        height, width = labels_HW.shape
        down, right = rng.integers(self.size, size=2)
        rows, columns = (np.arange(height) + down) // self.size, (np.arange(width) + right) // self.size
        blocks = rows[:, None] * (columns[-1] + 1) + columns[None, :]
        used = np.unique(blocks[labels_HW >= 0])
        if len(used) < self.folds:
            raise UserError(
                f"the labelled pixels lie in {len(used)} blocks, too few for {self.folds} folds",
                where="data.split.size",
                fix="take smaller blocks or fewer folds",
            )
        fold_of_block = np.zeros(int(blocks.max()) + 1, dtype=np.int64)
        fold_of_block[rng.permutation(used)] = np.arange(len(used)) % self.folds
        return fold_of_block[blocks]

    def _split(self, labels_HW: np.ndarray, fold_of: np.ndarray, fold: int) -> Split:
        labelled = labels_HW >= 0
        test = labelled & (fold_of == fold)
        val = labelled & (fold_of == (fold + 1) % self.folds) if self.val else np.zeros_like(test)
        train = labelled & ~test & ~val
        before = int(train.sum()), int(val.sum())
        if self.guard:
            val &= ~dilate(test, self.guard)
            train &= ~dilate(test | val, self.guard)
        facts = {
            "fold": fold,
            "guard": self.guard,
            "guarded_train_pixels": before[0] - int(train.sum()),
            "guarded_val_pixels": before[1] - int(val.sum()),
        }
        return Split(train, val, test, facts=facts)
