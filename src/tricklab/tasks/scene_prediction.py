"""Predict a whole scene strip by strip, exactly as if it were one piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from tricklab.data.padding import pad_cube
from tricklab.data.projection import SpectralProjection
from tricklab.data.scene import check_finite, missing_values
from tricklab.errors import UserError
from tricklab.inference.windows import predict_windows
from tricklab.tasks.scene_rows import SceneRows
from tricklab.tasks.scene_scores import scene_logits

MEMORY_LIMIT = 2**30


@dataclass(frozen=True)
class Strip:
    """Predictions of some rows.

    Attributes:
        top: the first row.
        classes: int64 (rows, width), -1 where there is no measurement.
        confidence: float32 (rows, width), probability of the class, 0 where there is no measurement; None for a model
            without probabilities.
    """

    top: int
    classes: np.ndarray
    confidence: np.ndarray | None


def predict_strips(
    model: Any,
    rows: SceneRows,
    fitted: Mapping[str, Any],
    *,
    method: str = "windows",
    postprocess: Sequence[Mapping[str, Any]] = (),
    batch_size: int = 256,
    memory_limit: int = MEMORY_LIMIT,
) -> Iterator[Strip]:
    """Predict every pixel of a scene.

    Each strip is read with the rows around it that its windows reach into, so the result does not depend on the
    strips' height.

    Args:
        model: a network in evaluation mode, or a fitted model with ``predict_scores``.
        rows: the scene.
        fitted: what the run fitted: ``HyperspectralFold.fitted`` or the contents of ``fitted.safetensors``.
        method, postprocess, batch_size: as in the recipe's ``evaluate`` section.
        memory_limit: bytes for one strip as read and projected.

    Raises:
        UserError: another number of bands than the run was trained on, NaN or infinite values.
    """
    height, width, bands = rows.shape
    if bands != int(fitted["scene_bands"]):
        raise UserError(f"the scene has {bands} bands, the run was trained on {fitted['scene_bands']}", where=rows.name)
    projection = SpectralProjection.from_arrays(fitted)
    window, reach = int(fitted["window"]), int(fitted["window"]) // 2
    row_bytes = width * (bands * 16 + projection.bands * 8)
    step = max(1, min(height, memory_limit // row_bytes - 2 * reach))
    for top in range(0, height, step):
        bottom = min(height, top + step)
        low, high = max(0, top - reach), min(height, bottom + reach)
        cube = rows.read(low, high)
        measured = _measured(cube, projection, rows, low)
        planes = projection.apply(cube)
        planes[:, ~measured] = 0
        padded = pad_cube(planes, window, str(fitted["padding"]))[:, top - low : bottom - low + 2 * reach].contiguous()
        yield _strip(model, padded, measured[top - low : bottom - low], top, window, method, postprocess, batch_size)


def _measured(cube: np.ndarray, projection: SpectralProjection, rows: SceneRows, first_row: int) -> np.ndarray:
    used = cube[:, :, projection.kept]
    measured = ~np.asarray(missing_values(used, rows.nodata).any(axis=2))
    check_finite(used, measured, rows.name, projection.kept + 1, first_row)
    return measured


def _strip(
    model: Any,
    padded: torch.Tensor,
    measured: np.ndarray,
    top: int,
    window: int,
    method: str,
    postprocess: Sequence[Mapping[str, Any]],
    batch_size: int,
) -> Strip:
    classes = np.full(measured.shape, -1, dtype=np.int64)
    places = torch.from_numpy(np.argwhere(measured))
    if not isinstance(model, nn.Module):
        if len(places):
            classes[measured] = predict_windows(model, padded, window, places, batch_size).argmax(dim=1).numpy()
        return Strip(top, classes, None)
    confidence = np.zeros(measured.shape, dtype=np.float32)
    if len(places):
        logits = scene_logits(
            model, padded, places, window=window, method=method, postprocess=postprocess, batch_size=batch_size
        )
        probabilities, best = torch.softmax(logits, dim=1).max(dim=1)
        classes[measured], confidence[measured] = best.numpy(), probabilities.numpy()
    return Strip(top, classes, confidence)
