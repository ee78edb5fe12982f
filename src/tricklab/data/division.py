"""What divides images into train, val and test, and what no division may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np

from tricklab.data.split import PLACE, SPLITS
from tricklab.errors import UserError
from tricklab.seeds import Seeds

Images = TypeVar("Images", contravariant=True)
_SHOWN = 3


class Splitter(Protocol[Images]):
    """What a component offers that divides images: of kind ``image_split`` an :class:`ImageList`, of ``mask_split`` a
    :class:`MaskList`.
    """

    def draw(self, images: Images, units: np.ndarray, seeds: Seeds) -> np.ndarray:
        """Divide the images.

        Args:
            images: what to divide.
            units: int64 (N,): images of one unit show the same picture and stay on one side.
            seeds: the same images, units and seeds give the same split.

        Returns:
            ``train``, ``val``, ``test`` or "" (left out) for each image, dtype ``<U5``, (N,).
        """
        ...


def refuse_leaks(name_of: Callable[[int], str], units: np.ndarray, sides: np.ndarray) -> None:
    """Refuse a split in which one picture lies on two sides.

    Args:
        name_of: what an image is called, by its number.
        units: int64 (N,).
        sides: a name for each image, (N,).

    Raises:
        UserError: names the first few pairs of files.
    """
    numbers = {name: place for place, name in enumerate(SPLITS)}
    used = np.flatnonzero(sides != "")
    side = np.array([numbers[name] for name in sides[used].tolist()], dtype=np.int64)
    order = np.lexsort((side, units[used]))
    unit, side, number = units[used][order], side[order], used[order].tolist()
    torn = np.flatnonzero((unit[1:] == unit[:-1]) & (side[1:] != side[:-1]))
    if len(torn):
        shown = "; ".join(
            f"{name_of(number[place])} ({SPLITS[side[place]]}) = "
            f"{name_of(number[place + 1])} ({SPLITS[side[place + 1]]})"
            for place in torn[:_SHOWN].tolist()
        )
        raise UserError(
            f"the split leaks: {len(torn):,} picture{'s lie' if len(torn) > 1 else ' lies'} on two sides: {shown}"
            f"{'; …' if len(torn) > _SHOWN else ''}",
            where=PLACE,
            fix="move or remove the copies: what is evaluated may not be trained on",
        )


def refuse_idle(sides: np.ndarray) -> list[str]:
    """Refuse a split that trains or evaluates nothing.

    Returns:
        The sides that have an image.

    Raises:
        UserError: no training image, or nothing to evaluate.
    """
    used = [name for name in SPLITS if (sides == name).any()]
    if "train" not in used or len(used) < 2:
        raise UserError(f"no {'training' if 'train' not in used else 'val or test'} image", where=PLACE)
    return used
