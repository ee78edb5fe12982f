"""Image files of any kind as 8-bit RGB."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from tricklab.errors import UserError

SUFFIXES = (
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg",
    ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp",
)  # fmt: skip
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_ORIENTATION, _PHOTOMETRIC, _WHITE_IS_ZERO = 0x0112, 0x0106, 0
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def is_image_name(name: str) -> bool:
    """Whether a file's name ends as an image's does, in capitals or not.

    >>> is_image_name("a.JPG"), is_image_name("Thumbs.db")
    (True, False)
    """
    return os.path.splitext(name)[1].lower() in SUFFIXES


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an image file as 8-bit RGB; what the file is, its contents tell, not its name.

    The camera's orientation tag is obeyed. Transparent pixels are laid over white, as a browser shows them (Pillow's
    and torchvision's ``convert("RGB")`` would show the colour hidden under them). Grey becomes three equal channels.
    16-bit values are divided by 257, so 0 … 65535 becomes 0 … 255 whatever range the image fills; of 16-bit colours
    Pillow keeps the high byte, up to 1 less. CMYK is converted by Pillow's formula; colour profiles are not applied. Of
    an animation the first frame is read.

    Args:
        path: the file.

    Returns:
        uint8 (height, width, 3), writable, rows and columns as they are to be seen.

    Raises:
        UserError: no such file, no image, a truncated or corrupt one, one too large for memory to be trusted with
            (Pillow's limit), or pixels without a fixed range; names the file.
    """
    where = os.fspath(path)
    with opened(where) as image:
        return np.array(_rgb(upright(image), where))


@contextlib.contextmanager
def opened(
    where: str, what: str = "image", first: Callable[[ImageFile.ImageFile], None] = lambda image: None
) -> Iterator[Image.Image]:
    """An image file with its pixels loaded; whatever is wrong with it becomes one clear error.

    Args:
        what: what to call it in messages.
        first: looks at the file's head before its pixels are loaded.

    Raises:
        UserError: see :func:`read_image`.
    """
    try:
        with Image.open(where) as image:
            first(image)
            image.load()  # the pixels' own faults come first: reading tags loads some formats too
            yield image
    except (UserError, MemoryError):
        raise
    except UnidentifiedImageError:
        empty = Path(where).stat().st_size == 0
        raise UserError("the file is empty" if empty else "this is no image that can be read", where=where) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as cause:
        raise UserError(
            f"the {what} is too large: {cause}", where=where, fix="cut or shrink it; small files can hide such sizes"
        ) from None
    except OSError as cause:
        told = f"the {what} is corrupt" if cause.strerror is None else "it cannot be read"
        raise UserError(f"{told}: {cause.strerror or cause}", where=where) from None
    except Exception as cause:  # decoders of corrupt bytes raise whatever they stumble over
        raise UserError(f"the {what} is corrupt: {cause or type(cause).__name__}", where=where) from None


def upright(image: Image.Image) -> Image.Image:
    """As the orientation tag says; a tag that cannot be read says nothing.

    Pillow's own function writes the other tags anew, and stops at those that it cannot write.
    """
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # whatever a decoder of corrupt tags stumbles over
        return image
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image, where: str) -> Image.Image:
    if image.mode in _SIXTEEN_BITS or image.mode == "I":
        values = np.asarray(image)
        grey = _eight_bits(values, where)
        # Pillow turns such images of 8 bits around, but not of 16
        if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            grey = 255 - grey
        hidden = image.info.get("transparency")
        if isinstance(hidden, int):
            grey[values == hidden] = 255
        return Image.fromarray(grey).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        white = Image.new("RGBA", with_alpha.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, with_alpha).convert("RGB")
    if image.mode == "F":
        raise UserError(
            "its pixels are floating-point numbers, whose range is unknown",
            where=where,
            fix="convert it to 8 or 16 bits",
        )
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(values: np.ndarray, where: str) -> np.ndarray:
    """16-bit values to 8 bits, rounded: 65535 / 257 = 255."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise UserError(
            f"its pixels are whole numbers from {low:,} to {high:,}, whose range is unknown",
            where=where,
            fix="convert it to 8 or 16 bits",
        )
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
