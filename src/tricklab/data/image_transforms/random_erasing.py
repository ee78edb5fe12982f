"""Holes in images after normalisation."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tricklab.data.draws import Draw
from tricklab.data.image_transforms.arguments import check_chance, check_range
from tricklab.data.image_transforms.holes import fitting_holes
from tricklab.data.image_transforms.normal_numbers import normal_numbers
from tricklab.registry import component


@component("image_transform", source="Zhong et al., AAAI 2020, arXiv 1708.04896; timm RandomErasing")
class RandomErasing:
    """Erase one rectangle of an image, as timm and torchvision do it.

    Area drawn evenly, height / width evenly on a logarithmic scale, at most ten attempts at one smaller than the image.

    Args:
        p: chance of each image.
        area: range of the hole's share of the image.
        ratio: range of its height / width.
        mode: ``pixel`` fills with standard normal numbers, ``rand`` with one such number for each channel, ``const``
            with 0, which is the mean colour where ``data.normalise`` subtracts it.
    """

    stage = "tensor"

    def __init__(
        self,
        p: float = 0.25,
        area: tuple[float, float] = (0.02, 1 / 3),
        ratio: tuple[float, float] = (0.3, 1 / 0.3),
        mode: Literal["pixel", "rand", "const"] = "pixel",
    ) -> None:
        self.p = check_chance(p, "RandomErasing.p")
        self.area = check_range(area, 0, 1, "RandomErasing.area")
        self.ratio = check_range(ratio, 0, np.inf, "RandomErasing.ratio")
        self.mode = mode

    def __call__(self, images_N3HW: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Erase parts of some images of a batch; see :class:`tricklab.data.image_dataset.ImageTransform`."""
        size = (images_N3HW.shape[-2], images_N3HW.shape[-1])
        lots = draw(2)
        boxes, fits = fitting_holes(draw, size, self.area, self.ratio)
        chosen = (lots[:, 0] < self.p) & fits
        # holes differ in size; each touches its own pixels only and has its own stream of numbers
        for number in np.flatnonzero(chosen):
            top, left, bottom, right = boxes[number].tolist()
            hole = images_N3HW[number, :, top:bottom, left:right]
            hole.copy_(self._filling(lots[number, 1], bottom - top, right - left))
        return images_N3HW, torch.from_numpy(chosen)

    def _filling(self, lot: float, height: int, width: int) -> Tensor:
        if self.mode == "const":
            return torch.zeros(())
        return normal_numbers(lot, (3, height, width) if self.mode == "pixel" else (3, 1, 1))
