"""Gather windows of an image or of feature maps, many at once."""

from __future__ import annotations

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view


def gather_windows(image_CHW: torch.Tensor, corners_N2: torch.Tensor, size: int | tuple[int, int]) -> torch.Tensor:
    """Copy windows out of an image.

    Args:
        image_CHW: any dtype, (C, H, W).
        corners_N2: rows and columns of the upper left pixels, int64 (N, 2), on any device. In an image padded by
            ``size // 2`` these are the centres in the image without its padding.
        size: side of a window, or (height, width).

    Returns:
        (N, C, height, width), contiguous, on the image's device.

    >>> gather_windows(torch.arange(12.0).reshape(1, 3, 4), torch.tensor([[1, 2]]), 2).tolist()
    [[[[6.0, 7.0], [10.0, 11.0]]]]
    """
    height, width = (size, size) if isinstance(size, int) else size
    if image_CHW.device.type == "cpu" and not image_CHW.requires_grad and image_CHW.dtype != torch.bfloat16:
        # NumPy copies whole rows of a window at a time, torch's indexing single numbers: ten times the speed
        corners = corners_N2.cpu().numpy()
        strided = sliding_window_view(image_CHW.numpy(), (height, width), axis=(1, 2)).transpose(1, 2, 0, 3, 4)
        return torch.from_numpy(np.ascontiguousarray(strided[corners[:, 0], corners[:, 1]]))
    views = image_CHW.unfold(1, height, 1).unfold(2, width, 1).permute(1, 2, 0, 3, 4)
    rows, columns = corners_N2.to(image_CHW.device).unbind(1)
    return views[rows, columns]


def gather_features(
    features_TCHW: torch.Tensor, tiles_N: torch.Tensor, corners_N2: torch.Tensor, size: int
) -> torch.Tensor:
    """Copy square windows out of the feature maps of several tiles; gradients add up where windows overlap.

    Args:
        features_TCHW: float (T, C, H, W).
        tiles_N: which tile each window lies in, int64 (N,).
        corners_N2: upper left pixels inside the tile, int64 (N, 2).
        size: side of a window.

    Returns:
        (N, C, size, size).
    """
    tiles, channels, height, width = features_TCHW.shape
    rows_PC = features_TCHW.permute(0, 2, 3, 1).reshape(tiles * height * width, channels)
    device = features_TCHW.device
    side = torch.arange(size, device=device)
    first = (tiles_N.to(device) * height + corners_N2[:, 0].to(device)) * width + corners_N2[:, 1].to(device)
    index = first[:, None] + (side[:, None] * width + side).reshape(1, -1)
    found = rows_PC.index_select(0, index.reshape(-1)).reshape(len(first), size * size, channels)
    return found.transpose(1, 2).reshape(len(first), channels, size, size)
