"""Exact Euclidean distances to regions, in pixels: on a CPU by scipy, elsewhere on the device that holds them."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

# between two looks at whether a search may end: a look waits for the device
_ROWS_A_LOOK = 16


def distance_to(region: torch.Tensor) -> torch.Tensor:
    """Distance of each pixel to the nearest of a region, in pixels; 0 inside it, infinity where there is none.

    Args:
        region: bool (..., H, W).

    Returns:
        float32 (..., H, W).

    >>> distance_to(torch.tensor([[True, False, False], [False, False, False]]))
    tensor([[0.0000, 1.0000, 2.0000],
            [1.0000, 1.4142, 2.2361]])
    """
    if region.device.type != "cpu":
        return distance_by_rows(region)
    found = torch.full(region.shape, torch.inf)
    for item, into in zip(_maps(region.numpy()), _maps(found.numpy()), strict=True):
        if item.any():
            into[...] = ndimage.distance_transform_edt(~item)
    return found


def distance_by_rows(region: torch.Tensor) -> torch.Tensor:
    """``distance_to`` in operations that a GPU does for all maps at once; on a CPU several times slower than scipy.

    Distances along rows, then for each pixel the least over all rows of the squares' sum, nearest rows first, until no
    further row can be nearer.
    """
    height, width = region.shape[-2:]
    if not region.numel():
        return region.to(torch.float32)
    squares = _along_rows(region, width).reshape(-1, height, width) ** 2
    return _over_rows(squares).sqrt().view(region.shape)


def _maps(found: np.ndarray) -> np.ndarray:
    return found.reshape(-1, *found.shape[-2:])


def _over_rows(squares: torch.Tensor) -> torch.Tensor:
    nearest = squares.clone()
    for step in range(1, squares.shape[-2]):
        if step % _ROWS_A_LOOK == 0 and bool(((nearest <= step**2) | nearest.isinf()).all()) and _settled(nearest):
            break
        upper, lower = nearest[..., step:, :], nearest[..., :-step, :]
        torch.minimum(upper, squares[..., :-step, :] + step**2, out=upper)
        torch.minimum(lower, squares[..., step:, :] + step**2, out=lower)
    return nearest


def _settled(nearest: torch.Tensor) -> bool:
    """Whether what is infinite stays so: maps without a region."""
    infinite = nearest.isinf().flatten(1)
    return bool((infinite.all(dim=1) | ~infinite.any(dim=1)).all())


def signed_distance(region: torch.Tensor) -> torch.Tensor:
    """Distance to a region outside it; inside, one less than that to the outside, negative, so that its rim has 0.

    A region that is empty or everything has no rim: 0 throughout.

    Args:
        region: bool (..., H, W).

    Returns:
        float32 (..., H, W), in pixels.
    """
    found = torch.where(region, 1 - distance_to(~region), distance_to(region))
    return found.where(found.isfinite(), 0)


def rim_distance(region: torch.Tensor) -> torch.Tensor:
    """Distance to the other side of a region's rim, at least 1 everywhere; 0 throughout where there is no rim.

    Args:
        region: bool (..., H, W).

    Returns:
        float32 (..., H, W), in pixels.
    """
    found = torch.where(region, distance_to(~region), distance_to(region))
    return found.where(found.isfinite(), 0)


def _along_rows(region: torch.Tensor, width: int) -> torch.Tensor:
    column = torch.arange(width, device=region.device, dtype=torch.float32)
    left = torch.where(region, column, -torch.inf).cummax(dim=-1).values
    right = torch.where(region, column, torch.inf).flip(-1).cummin(dim=-1).values.flip(-1)
    return torch.minimum(column - left, right - column)
