"""The operations that RandAugment and TrivialAugment choose from, each on a batch with one argument per image."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from tricklab.data.image_transforms import colours, tables
from tricklab.data.image_transforms.few_at_a_time import replace
from tricklab.data.image_transforms.warping import rotations, shears, translations, warp

Operation = Callable[..., Tensor]


def _rotate(images: Tensor, degrees: Tensor, fill: Sequence[int]) -> Tensor:
    return warp(images, rotations(degrees, *images.shape[-2:]), fill)


def _shear_x(images: Tensor, factor: Tensor, fill: Sequence[int]) -> Tensor:
    return warp(images, shears(factor, torch.zeros_like(factor)), fill)


def _shear_y(images: Tensor, factor: Tensor, fill: Sequence[int]) -> Tensor:
    return warp(images, shears(torch.zeros_like(factor), factor), fill)


def _translate_x(images: Tensor, pixels: Tensor, fill: Sequence[int]) -> Tensor:
    return warp(images, translations(pixels, torch.zeros_like(pixels)), fill)


def _translate_y(images: Tensor, pixels: Tensor, fill: Sequence[int]) -> Tensor:
    return warp(images, translations(torch.zeros_like(pixels), pixels), fill)


# name: (images uint8 (N, 3, H, W), argument float64 (N,), colour of what was outside) -> uint8 (N, 3, H, W)
OPERATIONS: Mapping[str, Operation] = {
    "Identity": lambda images, argument, fill: images,
    "AutoContrast": lambda images, argument, fill: tables.autocontrast(images),
    "Equalise": lambda images, argument, fill: tables.equalise(images),
    "Invert": lambda images, argument, fill: tables.invert(images),
    "Posterise": lambda images, argument, fill: tables.posterise(images, argument),
    "Solarise": lambda images, argument, fill: tables.solarise(images, argument),
    "SolariseAdd": lambda images, argument, fill: tables.solarise_add(images, argument),
    "Saturation": lambda images, argument, fill: colours.saturation(images, argument),
    "Contrast": lambda images, argument, fill: colours.contrast(images, argument),
    "Brightness": lambda images, argument, fill: colours.brightness(images, argument),
    "Sharpness": lambda images, argument, fill: colours.sharpness(images, argument),
    "Rotate": _rotate,
    "ShearX": _shear_x,
    "ShearY": _shear_y,
    "TranslateX": _translate_x,
    "TranslateY": _translate_y,
}


def apply_operations(
    images_N3HW: Tensor, names: Sequence[str], choice_N: np.ndarray, arguments_N: np.ndarray, fill: Sequence[int]
) -> None:
    """Change images in place, those of one operation together.

    Args:
        images_N3HW: uint8.
        names: of the operations to choose from.
        choice_N: place in ``names`` for each image, int64; -1 leaves it alone.
        arguments_N: float64, in the units of each one's operation: degrees, pixels, factors, bits, bytes.
        fill: colour of what was outside the image.
    """
    for number, name in enumerate(names):
        replace(images_N3HW, choice_N == number, functools.partial(OPERATIONS[name], fill=fill), arguments_N)
