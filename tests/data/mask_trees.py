"""Small folders of images and masks, written as the real data sets write theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (6, 8)


def picture(seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """uint8 (height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def values(*wanted: int, size: tuple[int, int] = SIZE, dtype: str | None = None) -> np.ndarray:
    """A mask in which every wanted value occurs."""
    chosen = dtype or ("uint8" if min(wanted) >= 0 else "int32")
    return np.resize(np.array(wanted, dtype=chosen), size)


def write(path: Path, pixels: np.ndarray, palette: list[int] | None = None) -> Path:
    """Write an image file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if palette is not None:
        image.putpalette(palette)
    # Pillow would number a GIF's colours anew
    image.save(path, optimize=False)
    return path


def pair(root: Path, image: str, mask: str, *wanted: int) -> None:
    """An image and a mask with these values."""
    write(root / image, picture())
    write(root / mask, values(*wanted))
