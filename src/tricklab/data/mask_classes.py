"""Which label values or colours of masks are classes: said by a recipe, or found in the files and written into it."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from tricklab.data.image_threads import map_images
from tricklab.data.mask_encoding import ColourEncoding, declared_encoding, inferred_encoding
from tricklab.data.mask_files import Pair, PairFiles, mask_list
from tricklab.data.mask_list import MOST_CLASSES, MaskList
from tricklab.data.mask_reading import Bands, read_mask
from tricklab.errors import UserError

_HERE = "data.images"
_KEPT = 8
Stamp = tuple[tuple[str, int, int], ...]


@runtime_checkable
class FindsClasses(Protocol):
    """A layout whose files may have to say themselves what the classes are."""

    def found(self, ignore: Sequence[int]) -> dict[str, Any]:
        """What the files say and the recipe does not, as keys of the layout; nothing where the recipe says it.

        Args:
            ignore: label values without a class.
        """
        ...


@dataclass(frozen=True)
class MaskClasses:
    """What a recipe says of the classes of masks, all of it null where the files are to say it.

    Args:
        values: {class: label value}.
        colours: {class: [red, green, blue]} of masks in colours.
        ignore_colours: colours without a class.

    Raises:
        UserError: values and colours are both said.
    """

    values: Mapping[str, int] | None
    colours: Mapping[str, Sequence[int]] | None
    ignore_colours: Sequence[Sequence[int]]

    def __post_init__(self) -> None:
        other = "colours" if self.colours is not None else "ignore_colours" if self.ignore_colours else None
        if self.values is not None and other is not None:
            raise UserError("masks hold label values or colours, not both", where=f"{_HERE}.{other}")

    def listed(self, pairs: Sequence[Pair], bands: Bands, root: Path) -> MaskList:
        """The images of these files with their classes.

        Raises:
            UserError: no pairs, or masks that are in colours where values are said or the other way about.
        """
        if self.values is not None:
            files = PairFiles(tuple(pairs), bands)
            return mask_list(files, root, classes=tuple(self.values), values=tuple(self.values.values()))
        if self.colours is not None:
            encoding = declared_encoding(self.colours, self.ignore_colours, _HERE)
            names = tuple(self.colours)
        elif self._coloured(pairs):
            encoding = _colours_in(_stamp(pairs), _frozen(self.ignore_colours))
            names = encoding.names
        else:
            return mask_list(PairFiles(tuple(pairs), bands), root)
        files = PairFiles(tuple(pairs), bands, encoding)
        return mask_list(files, root, classes=names, values=tuple(range(len(encoding.colours))))

    def found(self, pairs: Sequence[Pair], ignore: Sequence[int]) -> dict[str, Any]:
        """``values`` or ``colours`` that occur in the masks; nothing where the recipe says one of them.

        A class found so is named by its value or its colour. Nothing is said either where there are more values than
        there can be classes: whoever reads the masks then refuses them.

        Args:
            ignore: label values without a class.

        Raises:
            UserError: a mask that cannot be read, blended colours.
        """
        if self.values is not None or self.colours is not None or not pairs:
            return {}
        if self._coloured(pairs):
            encoding = _colours_in(_stamp(pairs), _frozen(self.ignore_colours))
            return {"colours": {name: list(one) for name, one in zip(encoding.names, encoding.colours, strict=True)}}
        found = [value for value in _values_in(_stamp(pairs)) if value not in set(ignore)]
        return {"values": {str(value): value for value in found}} if len(found) <= MOST_CLASSES else {}

    def _coloured(self, pairs: Sequence[Pair]) -> bool:
        if not pairs:
            return False
        coloured = read_mask(pairs[0].mask).ndim == 3
        if self.ignore_colours and not coloured:
            raise UserError(
                "the masks hold label values, not colours", where=f"{_HERE}.ignore_colours", fix="write data.ignore"
            )
        return coloured


# resolving a recipe asks again and again: masks are read anew when a file has changed
@functools.lru_cache(_KEPT)
def _colours_in(stamp: Stamp, ignore: tuple[tuple[int, ...], ...]) -> ColourEncoding:
    return inferred_encoding([path for path, _, _ in stamp], ignore, _HERE)


@functools.lru_cache(_KEPT)
def _values_in(stamp: Stamp) -> tuple[int, ...]:
    files = PairFiles(tuple(Pair(Path(path), Path(path)) for path, _, _ in stamp))
    each = map_images(lambda number: np.unique(files.mask(number)), len(stamp))
    return tuple(np.unique(np.concatenate(each)).tolist())


def _stamp(pairs: Sequence[Pair]) -> Stamp:
    """What tells whether the masks are still the same: their names, times and sizes."""
    found = ((str(pair.mask), pair.mask.stat()) for pair in pairs)
    return tuple((path, state.st_mtime_ns, state.st_size) for path, state in found)


def _frozen(colours: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(colour) for colour in colours)
