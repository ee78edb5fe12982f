"""Random operations of one strength."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from tricklab.data.draws import Draw
from tricklab.data.image_transforms.arguments import check_chance, check_colour, whole
from tricklab.data.image_transforms.few_at_a_time import differ
from tricklab.data.image_transforms.normal_numbers import normal_columns
from tricklab.data.image_transforms.operations import apply_operations
from tricklab.errors import UserError
from tricklab.registry import component

_OPERATIONS = (
    "AutoContrast", "Equalise", "Invert", "Rotate", "Posterise", "Solarise", "SolariseAdd", "Saturation", "Contrast",
    "Brightness", "Sharpness", "ShearX", "ShearY", "TranslateX", "TranslateY",
)  # fmt: skip
_ENHANCING = ("Saturation", "Contrast", "Brightness", "Sharpness")


@component("image_transform", source="Cubuk et al., NeurIPS 2020, arXiv 1909.13719; timm rand-m9-mstd0.5-inc1")
class RandAugment:
    """Apply random operations with one strength for all, as timm's ``rand-m9-mstd0.5-inc1``.

    In each layer each image gets, with chance p, one of 15 operations at a strength drawn normally about ``magnitude``
    and cut to 0 … 10. With m the strength / 10 and ± a sign drawn evenly: AutoContrast, Equalise, Invert;
    Rotate ± 30 m degrees; ShearX, ShearY ± 0.3 m; TranslateX, TranslateY ± 0.45 m of the side; SolariseAdd 110 m;
    Posterise to 4 - 4 m bits, Solarise from 256 - 256 m, Saturation, Contrast, Brightness, Sharpness by the factor
    max(0.1, 1 ± 0.9 m); with ``increasing: false`` to 4 m bits, from 256 m, and by 0.1 + 1.8 m.

    Images are moved bilinearly; timm draws bilinear or bicubic. Posterise keeps at least one bit; timm's keeps none at
    strength 10, which gives a black image, or an error with a Pillow that refuses it.

    Args:
        magnitude: mean strength, 0 to 10.
        magnitude_std: standard deviation of the strength.
        layers: how many operations an image may get, one after another.
        increasing: whether every operation grows with the strength.
        p: chance of each layer.
        fill: colour of what was outside the image; ImageNet's mean, which is what timm takes with its normalisation.
    """

    stage = "image"

    def __init__(
        self,
        magnitude: float = 9.0,
        magnitude_std: float = 0.5,
        layers: int = 2,
        increasing: bool = True,
        p: float = 0.5,
        fill: tuple[int, int, int] = (124, 116, 104),
    ) -> None:
        if not 0 <= magnitude <= 10:
            raise UserError(f"must lie between 0 and 10, not {magnitude}", where="RandAugment.magnitude")
        if magnitude_std < 0:
            raise UserError(f"must be 0 or more, not {magnitude_std}", where="RandAugment.magnitude_std")
        if layers < 1:
            raise UserError(f"must be 1 or more, not {layers}", where="RandAugment.layers")
        self.magnitude, self.magnitude_std = float(magnitude), float(magnitude_std)
        self.layers, self.increasing = layers, increasing
        self.p = check_chance(p, "RandAugment.p")
        self.fill = check_colour(fill, "RandAugment.fill")

    def __call__(self, images_N3HW: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Change some images of a batch; see :class:`tricklab.data.image_dataset.ImageTransform`."""
        before = images_N3HW.clone()
        size = (images_N3HW.shape[-2], images_N3HW.shape[-1])
        for _ in range(self.layers):
            lots = draw(5)
            level = np.clip(self.magnitude + self.magnitude_std * normal_columns(lots[:, 2:4]), 0.0, 10.0)
            sign = np.where(lots[:, 4] < 0.5, -1.0, 1.0)
            choice = np.where(lots[:, 0] < self.p, whole(lots[:, 1], len(_OPERATIONS)), -1)
            arguments = np.zeros(len(level))
            for number, name in enumerate(_OPERATIONS):
                here = choice == number
                arguments[here] = argument_of(name, level[here] / 10, sign[here], self.increasing, size)
            apply_operations(images_N3HW, _OPERATIONS, choice, arguments, self.fill)
        return images_N3HW, differ(images_N3HW, before)


def argument_of(
    name: str, share_N: np.ndarray, sign_N: np.ndarray, increasing: bool, size: tuple[int, int]
) -> np.ndarray:
    """The argument (N,) that timm gives an operation at strengths from 0 to 1 and signs of -1 or 1."""
    if name in _ENHANCING:
        return np.maximum(0.1, 1 + 0.9 * share_N * sign_N) if increasing else 0.1 + 1.8 * share_N
    known: dict[str, Callable[[], np.ndarray]] = {
        "Rotate": lambda: 30 * share_N * sign_N,
        "ShearX": lambda: 0.3 * share_N * sign_N,
        "ShearY": lambda: 0.3 * share_N * sign_N,
        "TranslateX": lambda: 0.45 * share_N * sign_N * size[1],
        "TranslateY": lambda: 0.45 * share_N * sign_N * size[0],
        "SolariseAdd": lambda: np.floor(110 * share_N),
        "Posterise": lambda: np.maximum(1, 4 - np.floor(4 * share_N) if increasing else np.floor(4 * share_N)),
        "Solarise": lambda: 256 - np.floor(256 * share_N) if increasing else np.floor(256 * share_N),
    }
    return known[name]() if name in known else np.zeros_like(share_N)
