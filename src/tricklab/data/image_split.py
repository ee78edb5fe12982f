"""The outcome of a split of images: a name for each, checked for leaks and starved classes."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from tricklab.data.image_list import ImageList
from tricklab.data.split import PLACE, SPLITS
from tricklab.errors import UserError
from tricklab.seeds import Seeds

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
_SHOWN = 3


class ImageSplitter(Protocol):
    """What a component of kind ``image_split`` offers."""

    def draw(self, images: ImageList, units: np.ndarray, seeds: Seeds) -> np.ndarray:
        """Divide the images.

        Args:
            images: what to divide.
            units: int64 (N,): images of one unit show the same picture and stay on one side.
            seeds: the same images, units and seeds give the same split.

        Returns:
            ``train``, ``val``, ``test`` or "" (left out) for each image, dtype ``<U5``, (N,).
        """
        ...


def check_sides(images: ImageList, units: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Refuse a split that leaks, evaluates nothing, or lacks a class on a side that it uses.

    Args:
        units: int64 (N,).
        sides: a name for each image, (N,).

    Returns:
        ``sides``.

    Raises:
        UserError: one picture on two sides (names the files), no training image, nothing to evaluate, a class without
            an image on a side (names both).
    """
    refuse_leaks(images, units, sides)
    used = [name for name in SPLITS if (sides == name).any()]
    if "train" not in used or len(used) < 2:
        raise UserError(f"no {'training' if 'train' not in used else 'val or test'} image", where=PLACE)
    for name in used:
        missing = np.flatnonzero(images.counts(sides == name) == 0)
        if len(missing):
            names = ", ".join(images.classes[number] for number in missing[:8])
            raise UserError(
                f"no {name} image of {names}{', …' if len(missing) > 8 else ''}",
                where=PLACE,
                fix="give that side more images, or leave the class out",
            )
    return sides


def refuse_leaks(images: ImageList, units: np.ndarray, sides: np.ndarray) -> None:
    """Refuse a split in which one picture lies on two sides.

    Raises:
        UserError: names the first few pairs of files.
    """
    numbers = {name: place for place, name in enumerate(SPLITS)}
    used = np.flatnonzero(sides != "")
    side = np.array([numbers[name] for name in sides[used].tolist()], dtype=np.int64)
    order = np.lexsort((side, units[used]))
    unit, side, number = units[used][order], side[order], used[order]
    torn = np.flatnonzero((unit[1:] == unit[:-1]) & (side[1:] != side[:-1]))
    if len(torn):
        shown = "; ".join(
            f"{images.key(number[place])} ({SPLITS[side[place]]}) = "
            f"{images.key(number[place + 1])} ({SPLITS[side[place + 1]]})"
            for place in torn[:_SHOWN]
        )
        raise UserError(
            f"the split leaks: {len(torn):,} picture{'s lie' if len(torn) > 1 else ' lies'} on two sides: {shown}"
            f"{'; …' if len(torn) > _SHOWN else ''}",
            where=PLACE,
            fix="move or remove the copies; duplicates: keep would train on what is evaluated",
        )
