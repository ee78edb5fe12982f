"""Images and masks at another size: images antialiased, masks by the nearest pixel, never interpolated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from tricklab.errors import UserError

_PART_TYPES = (np.uint8, np.uint16, np.float32)


@dataclass(frozen=True)
class Resizing:
    """The size that each image gets.

    Args:
        height, width: of every image, whatever its shape; or both None.
        long, short: the largest lengths of the longer and of the shorter side, the shape kept; or both None.
    """

    height: int | None = None
    width: int | None = None
    long: int | None = None
    short: int | None = None

    def size_of(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of an image that has these now.

        >>> Resizing(long=100, short=60).size_of(240, 200)
        (72, 60)
        """
        if self.height is not None and self.width is not None:
            return self.height, self.width
        assert self.long is not None
        assert self.short is not None
        scale = min(self.long / max(height, width), self.short / min(height, width))
        return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))


def resizing_of(said: list[int] | dict[str, int] | None) -> Resizing | None:
    """What a recipe's ``data.resize`` says.

    Raises:
        UserError: neither two numbers nor ``long`` and ``short``.
    """
    if said is None:
        return None
    numbers = list(said.values()) if isinstance(said, dict) else list(said)
    if len(numbers) != 2 or min(numbers) < 1 or (isinstance(said, dict) and set(said) != {"long", "short"}):
        raise UserError(
            f"expected two lengths in pixels, not {said}",
            where="data.resize",
            fix="[height, width], or {long: 2048, short: 512} to keep the shape",
        )
    if isinstance(said, dict):
        if said["short"] > said["long"]:
            raise UserError(f"short is longer than long: {said}", where="data.resize")
        return Resizing(long=said["long"], short=said["short"])
    return Resizing(height=numbers[0], width=numbers[1])


def resize_image(image_HWC: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear, antialiased when it shrinks; of the same dtype, whole numbers rounded."""
    if image_HWC.shape[:2] == size:
        return image_HWC
    # torch's kernel for bytes is four to eight times as fast; it takes lines of one pixel for another memory layout
    if image_HWC.dtype == np.uint8 and min(*size, *image_HWC.shape[:2]) > 1:
        pixels = torch.from_numpy(np.require(image_HWC, requirements=["C", "W"])).permute(2, 0, 1)[None]
        quick = functional.interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False)[0]
        return quick.permute(1, 2, 0).numpy()
    values = torch.from_numpy(np.ascontiguousarray(image_HWC.transpose(2, 0, 1), dtype=np.float32))[None]
    found = functional.interpolate(values, size, mode="bilinear", antialias=True, align_corners=False)[0]
    result = found.numpy().transpose(1, 2, 0)
    if image_HWC.dtype.kind == "f":
        return result.astype(image_HWC.dtype)
    top = np.iinfo(image_HWC.dtype).max
    return np.clip(np.rint(result), 0, top).astype(image_HWC.dtype)


def resize_mask(mask_HW: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The nearest pixel of each place; values stay as they are.

    >>> resize_mask(np.array([[0, 7], [255, 1]], np.uint8), (4, 2))[:, 0].tolist()
    [0, 0, 255, 255]
    """
    return mask_part(mask_HW, size, range(size[0]), range(size[1]))


def mask_part(mask_HW: np.ndarray, size: tuple[int, int], rows: range, columns: range) -> np.ndarray:
    """Some rows and columns of ``resize_mask``'s result; no others are looked at."""
    if mask_HW.shape == size:
        return mask_HW[_lines(rows), _lines(columns)]
    down, across = (
        # the pixel under each new pixel's centre
        ((np.arange(places.start, places.stop, places.step) * 2 + 1) * have) // (2 * want)
        for places, have, want in zip((rows, columns), mask_HW.shape, size, strict=True)
    )
    return mask_HW.take(down, axis=0).take(across, axis=1)


def image_part(image_HWC: np.ndarray, size: tuple[int, int], rows: range, columns: range) -> np.ndarray:
    """Some rows and columns of the image at another size; of a part no others are computed.

    In a part of bytes about every sixth is one level off that of ``resize_image``'s result, which torch rounds twice,
    after columns and after rows.

    Args:
        size: (height, width) of the whole resized image.
        rows, columns: of it; not empty. A step of -1 mirrors.
    """
    whole = (len(rows), len(columns)) == size
    if image_HWC.shape[:2] != size and not whole and image_HWC.dtype in _PART_TYPES:
        from tricklab.ops.image_parts import resized_part  # numba takes as long to import as all else here

        return resized_part(image_HWC, size, rows, columns)
    return resize_image(image_HWC, size)[_lines(rows), _lines(columns)]


def _lines(places: range) -> slice:
    """The slice that takes these places."""
    return slice(places.start, places.stop if places.stop >= 0 else None, places.step)
