"""From a list of images to sides: copies are found, contradictions and unreadable files dealt with, the split drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tricklab.data.duplicates import Duplicates, find_duplicates
from tricklab.data.image_list import ImageList
from tricklab.data.image_survey import Survey
from tricklab.errors import UserError
from tricklab.registry import build
from tricklab.seeds import Seeds

Copies = Literal["group", "keep", "error"]
Contradictions = Literal["error", "drop", "keep"]


@dataclass(frozen=True)
class Division:
    """Which image is on which side, and what was found on the way.

    Args:
        sides: ``train``, ``val``, ``test`` or "" for each image, unreadable and dropped ones included, ``<U5``, (N,).
        duplicates: of the readable images, numbered as in the list; None where nobody asked.
        dropped: numbers of the images left out for their contradictory labels.
    """

    sides: np.ndarray
    duplicates: Duplicates | None
    dropped: tuple[int, ...]

    def digest(self, images: ImageList) -> str:
        """Hash of every image's name and side, 32 hex digits."""
        state = hashlib.blake2b(digest_size=16)
        for number, side in enumerate(self.sides.tolist()):
            state.update(f"{images.key(number)}\0{side}\n".encode())
        return state.hexdigest()

    def facts(self) -> dict[str, Any]:
        """What a run records of its duplicates."""
        if self.duplicates is None:
            return {"searched": False}
        return {"searched": True, **self.duplicates.facts(), "dropped": len(self.dropped)}


def divide(
    images: ImageList,
    survey: Survey,
    split: Mapping[str, Any],
    seeds: Seeds,
    *,
    duplicates: Copies = "group",
    contradictions: Contradictions = "error",
    root: str | None = None,
    found: Duplicates | None = None,
) -> Division:
    """Draw one block's split of the readable images.

    Args:
        survey: of these images.
        split: the recipe's ``data.split``.
        duplicates: what becomes of copies of a picture; see :class:`tricklab.data.classification.ImageData`.
        contradictions: what becomes of a picture under two labels.
        root: the folder of the data.
        found: the images' copies, if they were looked for already.

    Raises:
        UserError: contradictions or copies that are not allowed, a split that cannot be drawn or that leaks.
    """
    usable = survey.readable
    units = np.arange(len(images))
    dropped: tuple[int, ...] = ()
    if duplicates == contradictions == "keep":
        found = None
    else:
        found = find_duplicates(images, survey) if found is None else found
        if contradictions == "error":
            found.check_labels(images)
        if duplicates == "error":
            refuse_copies(images, found)
        if duplicates == "group":
            units = found.units
        if contradictions == "drop":
            dropped = tuple(number for group in found.contradictions for number in group)
            usable[list(dropped)] = False
    sides = np.full(len(images), "", dtype="<U5")
    sides[usable] = build("image_split", split, root=root).draw(images.take(usable), units[usable], seeds)
    return Division(sides, found, dropped)


def refuse_copies(images: ImageList, found: Duplicates) -> None:
    """Refuse pictures that are there more than once.

    Raises:
        UserError: names the first.
    """
    groups = (*found.identical, *found.near)
    if groups:
        number = f"{len(groups)} picture{'s are' if len(groups) > 1 else ' is'}"
        raise UserError(
            f"{number} there more than once, the first: {found.describe(images, groups[:1])[0]}",
            where="data.duplicates",
            fix="remove the copies, or write duplicates: group",
        )
