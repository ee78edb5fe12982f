"""A drawn split as files: masks that can be given back, figures, and a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tricklab.data.split import SPLITS, Split
from tricklab.errors import UserError

COLOURS = {"train": (230, 126, 34), "val": (142, 68, 173), "test": (52, 120, 190)}
_UNLABELLED = (24, 26, 30)
_SMALLEST_SIDE = 600


def write_split(split: Split, leakage: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write ``split.mat`` (arrays train, val, test, region), ``leakage.json``, ``split.png``; nothing is overwritten.

    A recipe takes the masks back as ``split: {type: GivenMasks, train: split.mat, train_key: train, …}``; not so the
    region, so a scene that was cut apart is whole again.

    Raises:
        UserError: one of the files exists already.
    """
    import scipy.io
    from PIL import Image

    paths = [folder / name for name in ("split.mat", "leakage.json", "split.png")]
    for path in paths:
        if path.exists():
            raise UserError(
                "the file exists already", where=str(path), fix="nothing is overwritten; choose a new folder"
            )
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: split.mask(name).astype(np.uint8) for name in SPLITS}
    if split.region is not None:
        arrays["region"] = split.region.astype(np.uint8)
    scipy.io.savemat(paths[0], arrays, do_compression=True)
    paths[1].write_text(json.dumps({"leakage": dict(leakage), "split": split.facts}, indent=2) + "\n", encoding="utf-8")
    Image.fromarray(split_picture(split)).save(paths[2])
    return paths


def split_picture(split: Split) -> np.ndarray:
    """The split as an image, uint8 (rows, columns, 3): orange train, violet val, blue test, dark elsewhere.

    Where the scene is cut apart, unlabelled pixels carry a shade of the split that may read them. Small scenes are
    enlarged by a whole factor.
    """
    height, width = split.train.shape
    image = np.zeros((height, width, 3), dtype=np.float64)
    image[:] = _UNLABELLED
    for name in SPLITS:
        colour = np.array(COLOURS[name], dtype=np.float64)
        if split.region is not None:
            image[split.readable(name)] = 0.75 * np.array(_UNLABELLED) + 0.25 * colour
    for name in SPLITS:
        image[split.mask(name)] = COLOURS[name]
    factor = max(1, _SMALLEST_SIDE // max(height, width))
    return np.kron(image.astype(np.uint8), np.ones((factor, factor, 1), dtype=np.uint8))
