"""Normal noise on the normalised values of images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tricklab.data.draws import Draw
from tricklab.data.image_transforms.arguments import check_chance
from tricklab.data.image_transforms.normal_numbers import normal_numbers
from tricklab.errors import UserError
from tricklab.registry import component


@component("image_transform", source="Sietsma & Dow, Neural Networks 4(1), 1991")
class Noise:
    """Add normal noise to every value of an image, after normalisation.

    Args:
        sigma: standard deviation, in units of the normalised values.
        p: chance of each image.
    """

    stage = "tensor"

    def __init__(self, sigma: float = 0.05, p: float = 1.0) -> None:
        if sigma <= 0:
            raise UserError(f"must be above 0, not {sigma}", where="Noise.sigma")
        self.sigma = float(sigma)
        self.p = check_chance(p, "Noise.p")

    def __call__(self, images_N3HW: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Disturb some images of a batch; see :class:`tricklab.data.image_dataset.ImageTransform`."""
        lots = draw(2)
        chosen = lots[:, 0] < self.p
        # a stream for each image: its noise may not depend on the batch
        for number in np.flatnonzero(chosen):
            noise = normal_numbers(lots[number, 1], tuple(images_N3HW.shape[1:]))
            images_N3HW[number].add_(noise, alpha=self.sigma)
        return images_N3HW, torch.from_numpy(chosen)
