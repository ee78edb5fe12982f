"""Mask files as they stand, and images with any number of bands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from tricklab.data.formats.tiff_pages import read_tiff
from tricklab.data.image_reading import opened, read_image, upright
from tricklab.errors import UserError

Bands = Literal["rgb", "all"]
_TIFF = (".tif", ".tiff")
_WHOLE = ("I", "I;16", "I;16L", "I;16B", "I;16N")


def read_mask(path: str | os.PathLike[str]) -> np.ndarray:
    """The label values of a mask file, or its colours.

    Of a file with a palette the index is read, never the colour: which grey or colour an index is shown as says
    nothing (the second observer's masks of DRIVE show 0 and 1 as two greys neither of which is black). A black and
    white file has the values 0 and 1.

    Args:
        path: PNG, GIF, BMP, TIFF …; JPEG blends labels and is refused.

    Returns:
        uint8 or uint16 (height, width) label values, or uint8 (height, width, 3) colours.

    Raises:
        UserError: no such file, no image, values below 0 or above 65535, transparent or fractional pixels.
    """
    where = os.fspath(path)
    if _only_tiff(where):
        return _whole(_one_band(read_tiff(Path(where)), where), where)
    with opened(where, "mask") as image:
        if image.format == "JPEG":
            raise UserError("JPEG blends the labels of a mask", where=where, fix="save masks without loss, as PNG")
        return _labels(image, where)


def read_bands(path: str | os.PathLike[str], bands: Bands = "rgb") -> np.ndarray:
    """The pixels of an image.

    Args:
        bands: ``rgb`` reads every kind of file as three bytes a pixel (see :func:`read_image`); ``all`` reads what the
            file holds: any number of bands of 8 or 16 bits.

    Returns:
        uint8 (height, width, 3), or uint8 or uint16 (height, width, bands).

    Raises:
        UserError: as :func:`read_image`; bands that are neither of 8 nor of 16 bits.
    """
    if bands == "rgb":
        return read_image(path)
    where = Path(path)
    if where.suffix.lower() in _TIFF:
        pixels = read_tiff(where)
    else:
        pixels = _all_bands(where)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise UserError(
            f"its values are of type {pixels.dtype}", where=str(where), fix="convert it to whole numbers of 16 bits"
        )
    return np.ascontiguousarray(pixels)


def _labels(image: Image.Image, where: str) -> np.ndarray:
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    if image.mode in ("L", "P"):
        return np.array(image)
    if image.mode in _WHOLE:
        return _whole(np.asarray(image), where)
    if image.mode == "RGB":
        return np.array(image)
    if image.mode in ("RGBA", "LA", "PA"):
        pixels = np.asarray(image)
        if (pixels[..., -1] != 255).any():
            raise UserError("the mask has transparent pixels, which have no label", where=where)
        return np.ascontiguousarray(pixels[..., :3] if image.mode == "RGBA" else pixels[..., 0])
    raise UserError(
        f"pixels of kind {image.mode!r} are no labels", where=where, fix="save masks as whole numbers or RGB"
    )


def _whole(values: np.ndarray, where: str) -> np.ndarray:
    """Whole numbers as uint8 or uint16, whichever holds them."""
    if values.dtype.kind not in "ui":
        raise UserError(f"values of type {values.dtype} are no labels", where=where, fix="save whole numbers")
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise UserError(f"label values from {low:,} to {high:,}; they must lie between 0 and 65,535", where=where)
    return values.astype(np.uint8 if high < 256 else np.uint16)


def _one_band(pixels_HWB: np.ndarray, where: str) -> np.ndarray:
    if pixels_HWB.shape[2] != 1:
        raise UserError(f"a mask has one band, this file has {pixels_HWB.shape[2]}", where=where)
    return pixels_HWB[:, :, 0]


def _only_tiff(where: str) -> bool:
    """Whether it is a TIFF file that Pillow does not know, such as one of many bands."""
    if Path(where).suffix.lower() not in _TIFF:
        return False
    try:
        with Image.open(where):
            return False
    except UnidentifiedImageError:
        return Path(where).stat().st_size > 0
    except Exception:  # whatever else is wrong is told when it is read
        return False


def _all_bands(where: Path) -> np.ndarray:
    def refuse_others(image: ImageFile.ImageFile) -> None:
        # what Pillow would read is known before the pixels are loaded only
        if any("16" in str(tile[3]) for tile in image.tile) and image.mode in ("RGB", "RGBA", "LA"):
            raise UserError(
                "colours of 16 bits, of which only the upper 8 can be read from this kind of file",
                where=str(where),
                fix="save it as TIFF, or write bands: rgb",
            )
        if image.mode not in ("L", "RGB", "RGBA", "LA", "CMYK", *_WHOLE):
            raise UserError(f"pixels of kind {image.mode!r} are no bands", where=str(where), fix="write bands: rgb")

    with opened(str(where), first=refuse_others) as image:
        pixels = np.array(upright(image))
    if pixels.dtype == np.int32:
        pixels = _whole(pixels, str(where)).astype(np.uint16)
    return pixels if pixels.ndim == 3 else pixels[..., None]
