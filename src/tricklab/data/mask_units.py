"""Which images with masks may not be torn apart by a split, and the same images for splitters of labelled ones."""

from __future__ import annotations

from typing import Literal

import numpy as np

from tricklab.data.duplicates import join_units
from tricklab.data.image_list import ImageList
from tricklab.data.mask_list import MaskList
from tricklab.data.split import PLACE
from tricklab.errors import UserError

Together = Literal["group", "folder"]


def as_one_class(images: MaskList) -> ImageList:
    """The images as a list of one class: what divides labelled images then divides these by number alone."""
    return ImageList(
        paths=(None,) * len(images),
        labels=np.zeros(len(images), dtype=np.int64),
        classes=("all",),
        name=images.name,
        names=images.keys,
    )


def kept_together(images: MaskList, units: np.ndarray, by: Together | None) -> np.ndarray:
    """Units, int64 (N,), that hold whole groups too.

    Args:
        units: int64 (N,): images with the same pixels.
        by: ``group``: what the layout knows to belong together, such as a video; ``folder``: images of one folder.

    Raises:
        UserError: the layout knows no groups.
    """
    if by is None:
        return units
    if by == "folder":
        names = np.array([key.rpartition("/")[0] for key in images.keys])
    elif images.groups is None:
        raise UserError("the images have no groups", where=f"{PLACE}.by", fix="by: folder, or a layout that knows them")
    else:
        names = np.array(images.groups)
    _, first, group = np.unique(names, return_index=True, return_inverse=True)
    return join_units(units, len(images), np.arange(len(images)), first[group])
