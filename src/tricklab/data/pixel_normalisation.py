"""From the values of image files of any number of channels to what a network of masks reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tricklab.data.image_normalisation import FIXED
from tricklab.errors import UserError

PixelName = Literal["dataset", "imagenet", "half", "none"]


@dataclass(frozen=True)
class PixelNormalisation:
    """(value / scale - mean) / std for each channel.

    Args:
        name: ``dataset``, ``imagenet``, ``half``, ``none`` or ``given``.
        mean, std: one number a channel, of values divided by ``scale``.
        scale: 255 for 8 bits, 65535 for 16, 1 for floating-point numbers.
    """

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float

    def __call__(self, images_NCHW: Tensor) -> Tensor:
        """float32 (N, C, H, W), contiguous, of uint8 or float32 (N, C, H, W); the input stays as it is."""
        mean, std = (torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1) for values in (self.mean, self.std))
        # one copy that changes type and order, the rest in place: three times as fast as one step after the other
        values = torch.empty(images_NCHW.shape, dtype=torch.float32, device=images_NCHW.device).copy_(images_NCHW)
        return values.mul_(1 / (self.scale * std)).sub_(mean / std)

    def fill(self, dtype: np.dtype) -> np.ndarray:
        """The value of each channel that becomes about 0: what images are filled up with, (C,)."""
        values = np.array(self.mean) * self.scale
        return (np.rint(values) if dtype.kind in "ui" else values).astype(dtype)


def scale_of(dtype: np.dtype) -> float:
    """What the largest value of a file's type is taken for: 255, 65535, or 1 for floating-point numbers."""
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def fixed(name: PixelName, channels: int, scale: float) -> PixelNormalisation:
    """One that no data decide.

    Raises:
        UserError: ImageNet's numbers for images that have not three channels.
    """
    if name == "none":
        return PixelNormalisation(name, (0.0,) * channels, (1.0,) * channels, scale)
    if name == "half":
        return PixelNormalisation(name, (0.5,) * channels, (0.5,) * channels, scale)
    if channels != 3:
        raise UserError(
            f"{name} has numbers for 3 channels, the images have {channels}", where="data.normalise", fix="dataset"
        )
    return PixelNormalisation(name, *FIXED[name], scale)


def given(numbers: dict[str, list[float]], channels: int, scale: float) -> PixelNormalisation:
    """A recipe's ``{mean: …, std: …}``, of values divided by ``scale``.

    Raises:
        UserError: not one number a channel, or a deviation that is not positive.
    """
    if set(numbers) != {"mean", "std"}:
        raise UserError(f"expected mean and std, not {', '.join(numbers) or 'nothing'}", where="data.normalise")
    for name, values in numbers.items():
        if len(values) != channels:
            raise UserError(f"{len(values)} numbers for {channels} channels", where=f"data.normalise.{name}")
    if scale > 1 and max(numbers["mean"]) > 1:
        raise UserError(
            f"mean must lie between 0 and 1, not {numbers['mean']}",
            where="data.normalise.mean",
            fix=f"divide the files' numbers by {scale:g}",
        )
    if min(numbers["std"]) <= 0:
        raise UserError("a standard deviation is not positive", where="data.normalise.std")
    return PixelNormalisation("given", tuple(numbers["mean"]), tuple(numbers["std"]), scale)
