"""One random operation of random strength."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from tricklab.data.draws import Draw
from tricklab.data.image_transforms.arguments import check_colour, whole
from tricklab.data.image_transforms.few_at_a_time import differ
from tricklab.data.image_transforms.operations import apply_operations
from tricklab.registry import component

_OPERATIONS = (
    "Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Saturation", "Contrast",
    "Sharpness", "Posterise", "Solarise", "AutoContrast", "Equalise",
)  # fmt: skip
_BINS = 31
_LARGEST = {"ShearX": 0.99, "ShearY": 0.99, "TranslateX": 32.0, "TranslateY": 32.0, "Rotate": 135.0}
_ENHANCING = ("Brightness", "Saturation", "Contrast", "Sharpness")


@component("image_transform", source="Müller & Hutter, ICCV 2021, arXiv 2103.10158; torchvision TrivialAugmentWide")
class TrivialAugment:
    """Apply one operation of 14 to each image, at a strength from 31 even steps: nothing to tune.

    With m the strength from 0 to 1 and ± a sign drawn evenly: Identity, AutoContrast, Equalise; ShearX, ShearY
    ± 0.99 m; TranslateX, TranslateY ± 32 m whole pixels, whatever the image's size; Rotate ± 135 m degrees; Brightness,
    Saturation, Contrast, Sharpness by 1 ± 0.99 m; Posterise to 8 - 6 m bits; Solarise from 255 (1 - m). Images move
    bilinearly; torchvision's default takes the nearest pixel.

    Args:
        fill: colour of what was outside the image.
    """

    stage = "image"

    def __init__(self, fill: tuple[int, int, int] = (0, 0, 0)) -> None:
        self.fill = check_colour(fill, "TrivialAugment.fill")

    def __call__(self, images_N3HW: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Change the images of a batch; see :class:`tricklab.data.image_dataset.ImageTransform`."""
        before = images_N3HW.clone()
        lots = draw(3)
        choice = whole(lots[:, 0], len(_OPERATIONS))
        strength = whole(lots[:, 1], _BINS) / (_BINS - 1)
        sign = np.where(lots[:, 2] < 0.5, -1.0, 1.0)
        arguments = np.zeros(len(choice))
        for number, name in enumerate(_OPERATIONS):
            here = choice == number
            arguments[here] = argument_of(name, strength[here], sign[here])
        apply_operations(images_N3HW, _OPERATIONS, choice, arguments, self.fill)
        return images_N3HW, differ(images_N3HW, before)


def argument_of(name: str, share_N: np.ndarray, sign_N: np.ndarray) -> np.ndarray:
    """The argument (N,) of an operation at strengths from 0 to 1 and signs of -1 or 1."""
    if name in _ENHANCING:
        return 1 + 0.99 * share_N * sign_N
    if name == "Posterise":
        return np.rint(8 - 6 * share_N)
    if name == "Solarise":
        return 255 * (1 - share_N)
    amount = _LARGEST.get(name, 0.0) * share_N * sign_N
    return np.trunc(amount) if name.startswith("Translate") else amount
