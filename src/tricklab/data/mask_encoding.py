"""Masks that are pictures: which colour stands for which class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tricklab.data.image_threads import map_images
from tricklab.data.mask_list import MOST_CLASSES, OUTSIDE
from tricklab.data.mask_reading import read_mask
from tricklab.errors import UserError

Colour = tuple[int, int, int]
_SHOWN = 8


def as_colour(found: Sequence[int], where: str) -> Colour:
    """Three bytes of a recipe, checked."""
    red, green, blue = found if len(found) == 3 else (-1, -1, -1)
    if not all(0 <= byte <= 255 for byte in (red, green, blue)):
        raise UserError(f"a colour is three numbers from 0 to 255, not {list(found)}", where=where)
    return red, green, blue


def shown_colour(colour: Sequence[int]) -> str:
    """A colour as messages and class names show it.

    >>> shown_colour((128, 0, 255))
    '#8000ff'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour)


@dataclass(frozen=True)
class ColourEncoding:
    """The colour of each class, and colours without a class.

    Args:
        colours: of the label values 0 … K-1.
        ignore: colours whose pixels have no label.

    >>> encoding = ColourEncoding(((0, 0, 0), (0, 128, 0)))
    >>> encoding.encode(np.array([[[0, 128, 0], [0, 0, 0]]], dtype=np.uint8), "mask.png")
    array([[1, 0]], dtype=int32)
    """

    colours: tuple[Colour, ...]
    ignore: tuple[Colour, ...] = ()

    def __post_init__(self) -> None:
        known = [*self.colours, *self.ignore]
        if len(set(known)) < len(known):
            twice = next(colour for place, colour in enumerate(known) if colour in known[:place])
            raise UserError(f"the colour {shown_colour(twice)} is listed twice", where="data.images")

    @property
    def names(self) -> tuple[str, ...]:
        """Class names where nobody gave any: the colours."""
        return tuple(shown_colour(colour) for colour in self.colours)

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """Codes in rising order, and the label value of each."""
        codes = np.array([red << 16 | green << 8 | blue for red, green, blue in (*self.colours, *self.ignore)])
        values = np.array([*range(len(self.colours)), *[OUTSIDE] * len(self.ignore)], dtype=np.int32)
        order = np.argsort(codes)
        return codes[order].astype(np.int32), values[order]

    def encode(self, pixels_HW3: np.ndarray, where: str) -> np.ndarray:
        """Label values of a mask.

        Args:
            pixels_HW3: uint8.
            where: the file, for errors.

        Returns:
            int32 (H, W): 0 … K-1, and -1 for ignored colours.

        Raises:
            UserError: a pixel's colour is not declared; names the file, the colours and how many pixels have them.
        """
        codes, values = self._table
        found = colour_codes(pixels_HW3)
        place = np.minimum(np.searchsorted(codes, found), len(codes) - 1)
        strange = found[codes[place] != found]
        if len(strange):
            raise _unknown(strange, where)
        return values[place]


def colour_codes(pixels_HW3: np.ndarray) -> np.ndarray:
    """Red · 65536 + green · 256 + blue, int32 (H, W)."""
    wide = pixels_HW3.astype(np.int32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def declared_encoding(
    colours: Mapping[str, Sequence[int]], ignore: Sequence[Sequence[int]], where: str
) -> ColourEncoding:
    """The encoding of a recipe's ``{class: [red, green, blue]}``.

    Raises:
        UserError: not three bytes, or a colour twice; names the key.
    """
    return ColourEncoding(
        tuple(as_colour(colour, f"{where}.colours.{name}") for name, colour in colours.items()),
        tuple(as_colour(colour, f"{where}.ignore_colours.{place}") for place, colour in enumerate(ignore)),
    )


def inferred_encoding(masks: Sequence[str], ignore: Sequence[Sequence[int]], where: str) -> ColourEncoding:
    """The encoding that masks show: every colour that occurs in any of them, in rising order, is a class.

    All masks are read. More colours than there can be classes mean blended edges, from lossy files or resizing.

    Raises:
        UserError: a mask without colours among them, or too many colours; names a file.
    """
    without = tuple(as_colour(colour, f"{where}.ignore_colours.{place}") for place, colour in enumerate(ignore))

    def codes_of(number: int) -> np.ndarray:
        pixels = read_mask(masks[number])
        if pixels.ndim != 3:
            raise UserError(
                f"it holds label values, {masks[0]} holds colours", where=masks[number], fix="save all masks alike"
            )
        return np.unique(colour_codes(pixels))

    first: dict[int, str] = {}
    for mask, codes in zip(masks, map_images(codes_of, len(masks)), strict=True):
        for code in codes.tolist():
            first.setdefault(code, mask)
        if len(first) > MOST_CLASSES + len(without):
            raise UserError(
                f"{len(codes):,} colours here, {len(first):,} so far: more than there can be classes",
                where=mask,
                fix="blended edges come from lossy files or resizing; name the classes' colours: colours: {…}",
            )
    found = ((code >> 16, code >> 8 & 255, code & 255) for code in sorted(first))
    return ColourEncoding(tuple(colour for colour in found if colour not in without), without)


def _unknown(strange: np.ndarray, where: str) -> UserError:
    codes, counts = np.unique(strange, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    shown = _listed(
        f"{shown_colour((code >> 16, code >> 8 & 255, code & 255))} ({count:,} pixels)"
        for code, count in zip(codes[order].tolist(), counts[order].tolist(), strict=True)
    )
    several = len(codes) > 1
    return UserError(
        f"{len(codes):,} colour{'s are' if several else ' is'} of no class: {shown}",
        where=where,
        fix="blended edges come from lossy files or resizing"
        if len(codes) > MOST_CLASSES
        else "add the colour to colours:, or to ignore_colours:",
    )


def _listed(shown: Iterable[str]) -> str:
    every = list(shown)
    return ", ".join(every[:_SHOWN]) + (", …" if len(every) > _SHOWN else "")
