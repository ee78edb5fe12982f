"""The outcome of a split of images with masks, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tricklab.data.mask_list import MaskList
from tricklab.data.mask_store import MaskStore
from tricklab.data.split import PLACE, SPLITS
from tricklab.errors import UserError
from tricklab.seeds import Seeds

_SHOWN = 3


class MaskSplitter(Protocol):
    """What a component of kind ``mask_split`` offers."""

    def draw(self, images: MaskList, units: np.ndarray, seeds: Seeds) -> np.ndarray:
        """Divide the images.

        Args:
            images: what to divide.
            units: int64 (N,): images of one unit have the same pixels and stay on one side.
            seeds: the same images, units and seeds give the same split.

        Returns:
            ``train``, ``val``, ``test`` or "" (left out) for each image, dtype ``<U5``, (N,).
        """
        ...


def units_of(digests: Sequence[str]) -> np.ndarray:
    """Numbers of units, int64 (N,): images with the same pixels and mask are one."""
    return np.unique(np.array(digests), return_inverse=True)[1].astype(np.int64)


def check_division(store: MaskStore, units: np.ndarray, sides: np.ndarray) -> None:
    """Refuse a split that leaks, evaluates nothing or starves a class in training.

    Raises:
        UserError: one picture on two sides (names both), no training image, nothing to evaluate, a class without a
            training pixel.
    """
    keys, classes = store.list.keys, store.labels.classes
    used = np.flatnonzero(sides != "")
    first: dict[int, int] = {}
    for number in used.tolist():
        other = first.setdefault(int(units[number]), number)
        if sides[other] != sides[number]:
            raise UserError(
                f"the split leaks: {keys[other]} ({sides[other]}) = {keys[number]} ({sides[number]})",
                where=PLACE,
                fix="move or remove one of them",
            )
    for name in ("train", "val or test"):
        if not np.isin(sides, [name, *name.split(" or ")]).any():
            raise UserError(f"no {'training' if name == 'train' else name} image", where=PLACE)
    missing = np.flatnonzero(store.counts[sides == "train"].sum(axis=0) == 0)
    if len(missing):
        names = ", ".join(classes[number] for number in missing[:_SHOWN])
        raise UserError(
            f"no training pixel of {names}{', …' if len(missing) > _SHOWN else ''}",
            where=PLACE,
            fix="give train more images, or add the label values to data.ignore",
        )


def side_counts(counts_NK: np.ndarray, sides: np.ndarray) -> dict[str, list[int]]:
    """Pixels of each class on each side."""
    return {name: counts_NK[sides == name].sum(axis=0).tolist() for name in SPLITS}
