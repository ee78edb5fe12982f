"""Predict pixels window by window: for every model, and the yardstick of faster ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.ops.windows import gather_windows


def predict_windows(
    model: Any,
    cube_padded: torch.Tensor,
    window: int,
    centres: torch.Tensor | np.ndarray | None = None,
    batch_size: int = 256,
) -> torch.Tensor:
    """Logits of pixels from the windows around them, a batch of windows at a time.

    Args:
        model: a network in evaluation mode that gives ``{"main": (N, K)}``, or a fitted model with ``predict_scores``.
        cube_padded: float (bands, H + window - 1, W + window - 1).
        window: side of a window.
        centres: rows and columns in the scene, int (N, 2); all pixels if not given.
        batch_size: windows in memory at once.

    Returns:
        On the CPU: (N, K), or (K, H, W) for all pixels.

    Raises:
        UserError: a centre outside the scene, a cube smaller than a window, a network in training mode.
    """
    places, shape = checked_centres(cube_padded, window, centres)
    device = require_evaluation(model) if isinstance(model, nn.Module) else None
    # a model that reads the centre alone is given windows of one pixel
    offset, size = (window // 2, 1) if getattr(model, "centre_only", False) else (0, window)
    parts = []
    with torch.inference_mode():
        for start in range(0, len(places), batch_size):
            windows = gather_windows(cube_padded, places[start : start + batch_size] + offset, size)
            if device is None:
                parts.append(torch.from_numpy(model.predict_scores(windows.cpu().numpy())))
            else:
                parts.append(model(windows.to(device))["main"].cpu())
    return as_asked(torch.cat(parts), shape)


def checked_centres(
    cube_padded: torch.Tensor, window: int, centres: torch.Tensor | np.ndarray | None
) -> tuple[torch.Tensor, tuple[int, int] | None]:
    """The centres as int64 (N, 2) on the CPU, and the scene's shape when all pixels are asked for.

    Raises:
        UserError: the cube is not (bands, rows, columns) with room for a window, or a centre is outside.
    """
    if cube_padded.ndim != 3 or min(cube_padded.shape[1:]) < window:
        raise UserError(
            f"a padded cube (bands, rows, columns) of {tuple(cube_padded.shape)} holds no {window}-pixel window"
        )
    height, width = (side - window + 1 for side in cube_padded.shape[1:])
    if centres is None:
        grid = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        return torch.stack(grid, dim=-1).reshape(-1, 2), (height, width)
    places = torch.as_tensor(centres).cpu().to(torch.int64)
    if places.ndim != 2 or places.shape[1] != 2 or not len(places):
        raise UserError(f"centres must be (N, 2) with N ≥ 1, not {tuple(places.shape)}")
    if places.min() < 0 or places[:, 0].max() >= height or places[:, 1].max() >= width:
        raise UserError(
            f"a centre lies outside the scene of {height} × {width} pixels",
            fix="centres are rows and columns in the scene without its padding",
        )
    return places, None


def as_asked(logits_NK: torch.Tensor, shape: tuple[int, int] | None) -> torch.Tensor:
    """(N, K) as it is, or (K, H, W) when all pixels were asked for."""
    return logits_NK if shape is None else logits_NK.T.reshape(-1, *shape)


def require_evaluation(model: nn.Module) -> torch.device:
    """The device of a model that is wholly in evaluation mode.

    Raises:
        UserError: a part of it is in training mode.
    """
    training = [name or type(model).__name__ for name, module in model.named_modules() if module.training]
    if training:
        raise UserError(f"{training[0]} is in training mode, so dropout would act", fix="call model.eval() first")
    return next(model.parameters()).device
