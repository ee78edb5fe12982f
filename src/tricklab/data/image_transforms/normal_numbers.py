"""Normal numbers of augmentations: each image its own stream, whatever batch it sits in."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def normal_numbers(lot: float, shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers, float32.

    Args:
        lot: one uniform number in [0, 1) from an image's own stream; it decides all of them.
        shape: of the result.
    """
    return torch.empty(shape).normal_(generator=torch.Generator().manual_seed(int(lot * 2.0**53)))


def normal_columns(lots_N2: np.ndarray) -> np.ndarray:
    """One standard normal number (N,) from two uniform ones each, by Box and Muller's transform."""
    return np.sqrt(-2 * np.log1p(-lots_N2[:, 0])) * np.cos(2 * np.pi * lots_N2[:, 1])
