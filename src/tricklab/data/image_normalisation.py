"""From bytes to what the network reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tricklab.errors import UserError

Name = Literal["dataset", "imagenet", "half", "minmax", "running", "none", "model"]
FIXED = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    # the network begins with a batch normalisation without weights: see tasks/classification.py
    "running": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


@dataclass(frozen=True)
class Normalisation:
    """(bytes / 255 - mean) / std for each channel; ``minmax`` stretches each image to [0, 1] instead.

    >>> Normalisation("half", *FIXED["half"])(torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)).max().item()
    1.0
    """

    name: str
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    def __call__(self, images_N3HW: Tensor) -> Tensor:
        """float32 (N, 3, H, W) of uint8 (N, 3, H, W)."""
        values = images_N3HW.to(torch.float32)
        if self.name == "minmax":
            low, high = values.amin(dim=(1, 2, 3), keepdim=True), values.amax(dim=(1, 2, 3), keepdim=True)
            return (values - low) / (high - low).clamp(min=1.0)
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        scale = (1.0 / (255.0 * std)).view(1, 3, 1, 1)
        return values.mul_(scale).sub_((mean / std).view(1, 3, 1, 1))

    @property
    def black(self) -> tuple[float, ...]:
        """What a black pixel becomes, for each channel."""
        return tuple(-mean / std for mean, std in zip(self.mean, self.std, strict=True))


def given_normalisation(mean: Sequence[float], std: Sequence[float], where: str) -> Normalisation:
    """A normalisation by numbers from a recipe.

    Raises:
        UserError: not three means and three positive standard deviations in [0, 1], such as numbers for bytes.
    """
    for name, values in (("mean", mean), ("std", std)):
        if len(values) != 3 or not all(0 <= value <= 1 for value in values):
            raise UserError(
                f"{name} must be three numbers between 0 and 1, not {list(values)}",
                where=f"{where}.{name}",
                fix="divide numbers for bytes by 255",
            )
    if not all(std):
        raise UserError("a standard deviation is 0", where=f"{where}.std")
    return Normalisation("given", tuple(mean), tuple(std))
