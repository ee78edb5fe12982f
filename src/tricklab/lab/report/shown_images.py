"""Which images of a scored set are worth a look: the most confident mistakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from tricklab.errors import UserError

THUMBNAIL = 168


class Images(Protocol):
    """What is needed of a block's images: (numbers per split), pixels and names by number, class names."""

    @property
    def members(self) -> dict[str, np.ndarray]: ...
    @property
    def images(self) -> Any: ...
    @property
    def classes(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class ImageScores:
    """What a run says of the images of a split.

    Args:
        split: train, val or test.
        index: places in the split, int64 (N,).
        targets: classes, int64 (N,).
        predictions: classes, int64 (N,).
        confidence: probability of the prediction, float (N,); None of a model without probabilities.
        of_target: probability of the label, float (N,), where it is known.
    """

    split: str
    index: np.ndarray
    targets: np.ndarray
    predictions: np.ndarray
    confidence: np.ndarray | None
    of_target: np.ndarray | None = None


@dataclass(frozen=True)
class ShownImage:
    """One image of a gallery.

    Args:
        name: its path below the folder of the images.
        pixels: uint8 (height, width, 3), at most 168 pixels wide and high; None where the file cannot be read.
        label: the class that it is said to be of.
        prediction: the class that the model gives.
        confidence: probability of the prediction.
        of_label: probability of the label, where it is known.
    """

    name: str
    pixels: np.ndarray | None
    label: str
    prediction: str
    confidence: float | None
    of_label: float | None


def most_confident_mistakes(scores: ImageScores, most: int = 24) -> np.ndarray:
    """Rows of the wrong predictions, the most confident first, at most ``most``, int64.

    Without confidences they come in their own order.
    """
    wrong = np.flatnonzero(scores.targets != scores.predictions)
    if scores.confidence is None:
        return wrong[:most]
    return wrong[np.argsort(-scores.confidence[wrong], kind="stable")][:most]


def shown_images(scores: ImageScores, rows: np.ndarray, images: Images) -> list[ShownImage]:
    """Read the images of some rows, small, as they lie on the disk: neither squashed nor normalised."""
    numbers = images.members[scores.split][scores.index[rows]]
    names = images.classes

    def share(values: np.ndarray | None, row: int) -> float | None:
        return None if values is None else float(values[row])

    return [
        ShownImage(
            images.images.key(number),
            _thumbnail(partial(images.images.read, number)),
            names[int(scores.targets[row])],
            names[int(scores.predictions[row])],
            share(scores.confidence, row),
            share(scores.of_target, row),
        )
        for row, number in zip(rows.tolist(), numbers.tolist(), strict=True)
    ]


def _thumbnail(read: Callable[[], np.ndarray]) -> np.ndarray | None:
    from PIL import Image

    try:
        image = Image.fromarray(read())
    except UserError:
        return None  # the file was there when the run was scored; its numbers still hold
    if max(image.size) < THUMBNAIL / 2:
        # tiny images are shown larger, pixel by pixel
        factor = THUMBNAIL // max(image.size)
        return np.asarray(image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST))
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    return np.asarray(image)
