"""Small image files and lists that the image tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tricklab.data.image_list import ImageList


def picture(seed, height=12, width=16):
    """A smooth random picture, uint8 (height, width, 3); another seed, another picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def save(path: Path, pixels, **options):
    """Write an array or a PIL image as the suffix says; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def class_tree(root: Path, counts, start=0):
    """``root/<class>/<number>.png``, every picture another."""
    seed = start
    for name, count in counts.items():
        for number in range(count):
            save(root / name / f"{number}.png", picture(seed))
            seed += 1
    return root


def unread(labels, classes=None, given=None, groups=None):
    """A list of images that are never read."""
    labels = np.asarray(labels, dtype=np.int64)
    names = classes or tuple(f"c{number}" for number in range(labels.max() + 1))
    paths = tuple(Path(f"/data/{names[label]}/{number}.png") for number, label in enumerate(labels))
    return ImageList(paths, labels, names, "/data", given, groups, root=Path("/data"))
