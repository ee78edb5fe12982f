"""A scene that was not trained on, brought through what training fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from tricklab.data.padding import pad_cube
from tricklab.data.projection import SpectralProjection
from tricklab.data.scene import Scene, check_cube, check_finite, valid_pixels
from tricklab.errors import UserError


def apply_fitted(scene: Scene, fitted: Mapping[str, Any]) -> tuple[Tensor, np.ndarray]:
    """Project and pad a new scene with a run's fitted state.

    Args:
        scene: cube with as many bands as the one that was trained on; labels are not needed.
        fitted: ``HyperspectralFold.fitted``, or what ``fitted.safetensors`` holds.

    Returns:
        The padded cube, float32 (bands, height + S - 1, width + S - 1), and bool (height, width) that says where the
        scene holds a measurement; elsewhere the cube is zero.

    Raises:
        UserError: another number of bands, NaN or infinite values.
    """
    check_cube(scene.cube, scene.name)
    expected, found = int(fitted["scene_bands"]), scene.cube.shape[2]
    if found != expected:
        raise UserError(f"the scene has {found} bands, the run was trained on {expected}", where=scene.name)
    projection = SpectralProjection.from_arrays(fitted)
    kept = projection.kept
    used = scene.cube if len(kept) == found else scene.cube[:, :, kept]
    valid = valid_pixels(used, scene.nodata, scene.name, kept + 1)
    check_finite(used, valid, scene.name, kept + 1)
    planes = projection.apply(scene.cube)
    planes[:, ~valid] = 0
    return pad_cube(planes, int(fitted["window"]), str(fitted["padding"])), valid
