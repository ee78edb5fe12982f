"""Random changes of brightness, contrast, saturation and hue."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from tricklab.data.draws import Draw
from tricklab.data.image_transforms import colours
from tricklab.data.image_transforms.arguments import between, check_chance
from tricklab.data.image_transforms.few_at_a_time import differ, replace
from tricklab.errors import UserError
from tricklab.registry import component


@component("image_transform", source="torchvision.transforms.ColorJitter; Howard, arXiv 1312.5402")
class ColourJitter:
    """Change brightness, contrast, saturation and hue, in an order drawn for each image.

    A strength s draws the factor evenly from [max(0, 1 - s), 1 + s]; 1 changes nothing. Each step works on bytes, as
    torchvision's on Pillow images does; hue is computed in float32, without Pillow's rounding to bytes.

    Args:
        brightness: strength, 0 for none.
        contrast: strength, 0 for none.
        saturation: strength, 0 for none.
        hue: largest turn, a share of the circle up to 0.5; 0 for none.
        p: chance of each image.
    """

    stage = "image"

    def __init__(
        self,
        brightness: float = 0.4,
        contrast: float = 0.4,
        saturation: float = 0.4,
        hue: float = 0.0,
        p: float = 1.0,
    ) -> None:
        given = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue}
        for name, value in given.items():
            most = 0.5 if name == "hue" else np.inf
            if not 0 <= value <= most:
                raise UserError(f"must lie between 0 and {most}, not {value}", where=f"ColourJitter.{name}")
        if not any(given.values()):
            raise UserError("all four are 0: it would do nothing", where="ColourJitter")
        self.strengths = given
        self.p = check_chance(p, "ColourJitter.p")

    def __call__(self, images_N3HW: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Change the colours of a batch; see :class:`tricklab.data.image_dataset.ImageTransform`."""
        lots = draw(9)
        chosen = lots[:, 0] < self.p
        order = lots[:, 1:5].argsort(axis=1)
        before = images_N3HW.clone()
        for place in range(4):
            for number, (name, strength) in enumerate(self.strengths.items()):
                if strength:
                    here = chosen & (order[:, place] == number)
                    low, high = (-strength, strength) if name == "hue" else (max(0.0, 1 - strength), 1 + strength)
                    replace(images_N3HW, here, getattr(colours, name), between(lots[:, 5 + number], low, high))
        return images_N3HW, differ(images_N3HW, before)
