"""From the label values of files to class numbers, and nothing else: an unknown value is an error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tricklab.data.image_threads import map_images
from tricklab.data.mask_list import IGNORE, MOST_CLASSES, OUTSIDE, MaskList
from tricklab.errors import UserError

_SHOWN = 5
_TABLE = (1 << 16) + 1
_STRANGE = 254


class Labels:
    """Label values and their classes.

    Args:
        classes: names, K of them.
        values: the label value of each class.
        ignore: label values without a class; ``OUTSIDE`` is one of them always.

    Raises:
        UserError: too few or too many classes, a value twice.

    >>> Labels(["sky", "road"], [0, 7], [11]).numbers(np.array([[7, 11]]), "a.png").tolist()
    [[1, 255]]
    """

    def __init__(self, classes: Sequence[str], values: Sequence[int], ignore: Sequence[int]) -> None:
        assert len(classes) == len(values)
        self.classes, self.values = tuple(classes), tuple(values)
        self.ignore = tuple(sorted({OUTSIDE, *ignore}))
        if not 2 <= len(values) <= MOST_CLASSES:
            raise UserError(f"{len(values)} classes", where="data.classes", fix=f"between 2 and {MOST_CLASSES}")
        if len(set(self.classes)) < len(self.classes):
            raise UserError("two classes have one name", where="data.classes")
        both = sorted(set(self.values) & set(self.ignore))
        if both or len(set(self.values)) < len(self.values):
            raise UserError(
                f"the label value {both[0]} has a class and is ignored" if both else "two classes share a label value",
                where="data.ignore" if both else "data.classes",
            )
        known = {**dict.fromkeys(self.ignore, IGNORE), **{value: number for number, value in enumerate(self.values)}}
        self._known = np.array(sorted(known), dtype=np.int64)
        self._numbers = np.array([known[value] for value in sorted(known)], dtype=np.uint8)
        # labels of 8 and 16 bits in one look; colours that were made one number are searched for
        self._table = np.full(_TABLE, _STRANGE, dtype=np.uint8)
        inside = self._known < _TABLE + OUTSIDE
        self._table[self._known[inside] - OUTSIDE] = self._numbers[inside]

    def numbers(self, values_HW: np.ndarray, where: str) -> np.ndarray:
        """Class numbers uint8 (height, width), 255 without a class, of label values.

        Raises:
            UserError: a value that has no class and is not ignored; names it, how often it occurs, and the file.
        """
        if values_HW.min() >= OUTSIDE and values_HW.max() < _TABLE + OUTSIDE:
            found: np.ndarray = self._table[values_HW - OUTSIDE]
            if not (found == _STRANGE).any():
                return found
        place = np.searchsorted(self._known, values_HW).clip(max=len(self._known) - 1)
        strange = self._known[place] != values_HW
        if strange.any():
            unknown, counts = np.unique(values_HW[strange], return_counts=True)
            shown = ", ".join(f"{value} ({count:,} pixels)" for value, count in zip(unknown, counts, strict=True))
            raise UserError(
                f"label value{'s' if len(unknown) > 1 else ''} without a class: {shown}",
                where=where,
                fix=f"the classes have the values {_listed(self.values)}; add others to data.ignore",
            )
        result: np.ndarray = self._numbers[place]
        return result


def labels_of(images: MaskList, classes: Sequence[str] | None, ignore: Sequence[int]) -> Labels:
    """Classes and values of a recipe and a layout together.

    Args:
        classes: names that the recipe says, for the layout's values or for those that occur, ascending.
        ignore: label values that the recipe leaves without a class; a class of the layout with such a value is left
            out.

    Raises:
        UserError: names that are not as many as the values.
    """
    if images.values is None:
        without = {*ignore, *images.ignore, OUTSIDE}
        found = sorted({value for values in map_images(lambda n: _values(images, n), len(images)) for value in values})
        values = [value for value in found if value not in without]
        names = [str(value) for value in values]
        if images.classes is not None:
            if len(images.classes) != len(values):
                raise UserError(
                    f"{len(images.classes)} classes for {len(values)} label values: {_listed(values)}",
                    where=images.name,
                )
            names = list(images.classes)
    else:
        names_of = images.classes or [str(value) for value in images.values]
        pairs = [(n, v) for n, v in zip(names_of, images.values, strict=True) if v not in set(ignore)]
        names, values = [name for name, _ in pairs], [value for _, value in pairs]
    if classes is not None:
        if len(classes) != len(values):
            raise UserError(
                f"{len(classes)} names for {len(values)} classes, whose label values are {_listed(values)}",
                where="data.classes",
                fix="name every class, or add label values without one to data.ignore",
            )
        names = list(classes)
    return Labels(names, values, [*ignore, *images.ignore])


def _values(images: MaskList, number: int) -> list[int]:
    found: list[int] = np.unique(images.read_mask(number)).tolist()
    return found


def _listed(values: Sequence[int]) -> str:
    if len(values) > 4 * _SHOWN:
        return f"{', '.join(map(str, values[:_SHOWN]))}, … {values[-1]} ({len(values)} of them)"
    return ", ".join(map(str, values))
