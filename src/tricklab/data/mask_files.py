"""Pairs of files, an image and its mask each, as layouts hand them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tricklab.data.mask_encoding import ColourEncoding, shown_colour
from tricklab.data.mask_list import OUTSIDE, MaskList
from tricklab.data.mask_reading import Bands, read_bands, read_mask
from tricklab.errors import UserError


@dataclass(frozen=True)
class Pair:
    """The files of one image.

    Args:
        image, mask: where they are.
        given: ``train``, ``val``, ``test``, or "".
        group: what the image belongs to, such as a video; None where nothing is known.
        field: a mask whose zeros lie outside the field of view; None where all of the image is inside.
    """

    image: Path
    mask: Path
    given: str = ""
    group: str | None = None
    field: Path | None = None


@dataclass(frozen=True)
class PairFiles:
    """Reads pairs of files by number.

    Args:
        pairs: the files.
        bands: of the images.
        encoding: of masks that are pictures in colours; None for masks of label values.
    """

    pairs: tuple[Pair, ...]
    bands: Bands = "rgb"
    encoding: ColourEncoding | None = None

    def image(self, number: int) -> np.ndarray:
        """uint8 or uint16 (height, width, bands)."""
        return read_bands(self.pairs[number].image, self.bands)

    def mask(self, number: int) -> np.ndarray:
        """Label values, int32 (height, width); ``OUTSIDE`` outside the field of view and for ignored colours.

        Raises:
            UserError: colours where values are declared or the other way about, an undeclared colour, a field of view
                of another size.
        """
        pair = self.pairs[number]
        pixels = read_mask(pair.mask)
        values = self._values(pixels, str(pair.mask))
        if pair.field is not None:
            values = np.where(inside_field(pair.field, values.shape), values, OUTSIDE)
        return values.astype(np.int32, copy=False)

    def _values(self, pixels: np.ndarray, where: str) -> np.ndarray:
        if pixels.ndim == 3 and self.encoding is None:
            raise UserError(
                "the mask is in colours, not in label values",
                where=where,
                fix="save all masks alike, or name the colours: colours:",
            )
        if self.encoding is None:
            return pixels
        if pixels.ndim == 2:
            raise UserError(
                "the mask holds label values, not colours", where=where, fix="leave out colours: and ignore_colours:"
            )
        return self.encoding.encode(pixels, where)


def inside_field(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Where a field of view is, bool (height, width).

    Raises:
        UserError: the file has another size than the mask, or is in colours.
    """
    field = read_mask(path)
    if field.shape != shape:
        raise UserError(
            f"a field of view of {' × '.join(map(str, field.shape))} for a mask of {' × '.join(map(str, shape))}",
            where=str(path),
        )
    return field > 0


def mask_list(
    files: PairFiles,
    root: Path,
    *,
    classes: tuple[str, ...] | None = None,
    values: tuple[int, ...] | None = None,
    ignore: Sequence[int] = (),
) -> MaskList:
    """What a layout of files hands on; see :class:`MaskList`.

    Raises:
        UserError: no pairs, or an image that is listed twice.
    """
    pairs = files.pairs
    if not pairs:
        raise UserError("there is no image with a mask", where=str(root))
    first: dict[Path, int] = {}
    for number, pair in enumerate(pairs):
        if first.setdefault(pair.image, number) != number:
            raise UserError(f"{pair.image} is listed twice", where=str(root))
    found: dict[str, Any] = {}
    if files.encoding is not None:
        found["colours"] = [shown_colour(colour) for colour in files.encoding.colours]
        found["ignored_colours"] = [shown_colour(colour) for colour in files.encoding.ignore]
    return MaskList(
        keys=tuple(_key(pair.image, root) for pair in pairs),
        read_image=files.image,
        read_mask=files.mask,
        classes=classes,
        values=values,
        name=str(root),
        given=tuple(pair.given for pair in pairs) if any(pair.given for pair in pairs) else None,
        groups=tuple(pair.group or "" for pair in pairs) if all(pair.group for pair in pairs) else None,
        ignore=tuple(ignore),
        facts=found,
        mask_files=tuple(pair.mask for pair in pairs),
    )


def refuse_missing(pairs: Sequence[Pair], where: str) -> None:
    """Refuse pairs of which a file is not there.

    Raises:
        UserError: names the first few.
    """
    missing = [path for pair in pairs for path in (pair.image, pair.mask) if not path.is_file()]
    if missing:
        raise UserError(
            f"{len(missing):,} file{'s are' if len(missing) > 1 else ' is'} not there: "
            f"{', '.join(map(str, missing[:3]))}{', …' if len(missing) > 3 else ''}",
            where=where,
        )


def _key(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
