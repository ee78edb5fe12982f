"""Predict a whole scene with shared convolutions: the logits of windows at a fraction of the multiplications.

The convolutions run once over the scene, or over tiles of it. For each pixel the window of features is gathered, scaled
by its own squeeze-and-excitation gates if there are any, and multiplied with the first dense layer. Nothing is
approximated: every product of the window-by-window network is there, only those of overlapping windows just once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.inference.window_head import window_head
from tricklab.inference.windows import as_asked, checked_centres, require_evaluation
from tricklab.models.sharing import SharesConvolutions, TilePlan, plan_tiles
from tricklab.ops.windows import gather_windows

MEMORY_LIMIT = 2**30
_CHUNK_BYTES = {"cpu": 20 * 2**20, "cuda": 512 * 2**20}


def predict_scene(
    model: Any,
    cube_padded: torch.Tensor,
    window: int,
    centres: torch.Tensor | np.ndarray | None = None,
    tile: int | None = None,
    memory_limit: int = MEMORY_LIMIT,
) -> torch.Tensor:
    """Logits of pixels with the convolutions shared between windows; equal to window by window up to rounding.

    Args:
        model: a network in evaluation mode that offers what :class:`~tricklab.models.sharing.SharesConvolutions` says.
        cube_padded: float (bands, H + window - 1, W + window - 1), on any device.
        window: side of a window.
        centres: rows and columns in the scene, int (N, 2); all pixels if not given.
        tile: window positions along a tile's side; the fewest multiplications within the limit if not given.
        memory_limit: bytes for one tile's activations and the gathered features.

    Returns:
        On the CPU: (N, K), or (K, H, W) for all pixels.

    Raises:
        UserError: the model cannot share convolutions (says why), is in training mode, was built for another window;
            a centre is outside; not even a tile of one window fits into the limit.
    """
    obstacle = sharing_obstacle(model)
    if obstacle is not None:
        raise UserError(f"dense inference is not possible: {obstacle}", fix="use evaluate.method=windows")
    device = require_evaluation(model)
    if (cube_padded.shape[0], window) != (model.bands, model.window):
        raise UserError(
            f"the model was built for {model.bands} bands and windows of {model.window}, "
            f"but is given {cube_padded.shape[0]} and {window}"
        )
    if tile is not None and tile < 1:
        raise UserError(f"a tile must hold at least one window position, not {tile}", where="tile")
    places, shape = checked_centres(cube_padded, window, centres)
    with torch.inference_mode():
        head = window_head(model)
        chunk_bytes = min(_CHUNK_BYTES.get(device.type, 2**28), memory_limit // 4)
        plan = plan_tiles(model, places.numpy(), memory_limit=memory_limit - chunk_bytes, tile=tile)
        logits: torch.Tensor | None = None
        for index, features, corners in _tiles(model, cube_padded, places, plan, device):
            found = head(features, corners, features.shape[-1] - plan.width + 1, chunk_bytes)
            if logits is None:
                logits = torch.empty(len(places), found.shape[1], dtype=found.dtype)
            logits[index] = found
            del features  # else they would lie beside the next tile's activations
    assert logits is not None
    return as_asked(logits, shape)


def sharing_obstacle(model: Any) -> str | None:
    """Why a model's windows cannot share their convolutions, or None when they can."""
    if not isinstance(model, nn.Module) or not isinstance(model, SharesConvolutions):
        return f"{type(model).__name__} has no convolutions that its windows could share"
    return model.sharing_obstacle()


def _tiles(
    model: Any, cube_padded: torch.Tensor, places: torch.Tensor, plan: TilePlan, device: torch.device
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """For each tile: the numbers of its windows, its features (1, C, h, w), the windows' corners in them."""
    size = (plan.height + model.window - 1, plan.width + model.window - 1)
    order = torch.from_numpy(np.argsort(plan.tile_of, kind="stable"))
    counts = np.bincount(plan.tile_of, minlength=len(plan.corners)).tolist()
    for corner, index in zip(torch.from_numpy(plan.corners), order.split(counts), strict=True):
        image = gather_windows(cube_padded, corner[None], size)
        yield index, model.features(image.to(device)), places[index] - corner
