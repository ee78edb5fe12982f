"""The outcome of a split of images with masks, checked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tricklab.data.division import Splitter, refuse_idle, refuse_leaks
from tricklab.data.duplicates import Duplicates, join_units
from tricklab.data.mask_list import MaskList
from tricklab.data.split import PLACE, SPLITS
from tricklab.errors import UserError
from tricklab.seeds import Seeds

_SHOWN = 3


def units_of(pictures: Sequence[str]) -> np.ndarray:
    """Numbers of units, int64 (N,), by first appearance: images with the same pixels are one, whatever their masks.

    >>> units_of(["b", "a", "b"]).tolist()
    [0, 1, 0]
    """
    none = np.zeros(0, dtype=np.int64)
    return join_units(np.array(pictures), len(pictures), none, none)


def draw_apart(
    splitter: Splitter[MaskList], images: MaskList, exact: np.ndarray, found: Duplicates, seeds: Seeds
) -> np.ndarray:
    """Draw the sides with near copies kept together; refuse where that leaves a side without what it is to have.

    Likeness is passed on, so the frames of one long video may all belong together.

    Args:
        exact: int64 (N,): units of images with the same pixels.
        found: the images' copies.

    Returns:
        A name for each image, ``<U5``, (N,).

    Raises:
        UserError: what the splitter refuses; near copies leave a side less than half of its images.
    """
    if not found.near:
        return splitter.draw(images, exact, seeds)
    try:
        sides = splitter.draw(images, found.units, seeds)
    except UserError as refused:
        try:
            splitter.draw(images, exact, seeds)
        except UserError:
            raise refused from None
        raise _tied(images, found, refused.what) from None
    apart = splitter.draw(images, exact, seeds)
    for name in SPLITS:
        got, meant = int((sides == name).sum()), int((apart == name).sum())
        if 2 * got < meant:
            raise _tied(images, found, f"{got:,} {name} image{'s' if got != 1 else ''} instead of {meant:,}")
    return sides


def _tied(images: MaskList, found: Duplicates, what: str) -> UserError:
    """What near copies that hang together leave of a split."""
    largest = max(found.near, key=len)
    ends = " to ".join(images.keys[number] for number in (largest[0], largest[-1]))
    return UserError(
        f"near copies that must stay on one side leave no such split: {what}; the largest of {len(found.near):,} "
        f"groups is {len(largest):,} of {len(images):,} images, from {ends}",
        where="data.duplicates",
        fix="divide into other shares or fewer parts, or write duplicates: keep, and know that validation measures "
        "memory",
    )


def check_division(
    images: MaskList, classes: Sequence[str], counts_NK: np.ndarray, units: np.ndarray, sides: np.ndarray
) -> None:
    """Refuse a split that leaks, evaluates nothing or starves a class in training.

    Args:
        images: what was divided.
        classes: names.
        counts_NK: int64, pixels of each class in each image.
        units: int64 (N,).
        sides: a name for each image, (N,).

    Raises:
        UserError: one picture on two sides (names both), no training image, nothing to evaluate, a class without a
            training pixel.
    """
    refuse_leaks(images.keys.__getitem__, units, sides)
    refuse_idle(sides)
    missing = np.flatnonzero(counts_NK[sides == "train"].sum(axis=0) == 0)
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
