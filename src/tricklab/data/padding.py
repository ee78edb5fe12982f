"""The border around a scene, so that a window fits around every pixel."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tricklab.errors import UserError

PADDINGS = ("zero", "reflect")


def check_window(window: int) -> None:
    """Refuse a window that has no centre.

    Raises:
        UserError: an even side, or none.
    """
    if window < 1 or window % 2 == 0:
        raise UserError(
            f"a window must have an odd side, so that it has a centre, not {window}",
            where="data.window",
            fix=f"take {max(window - 1, 1)} or {max(window, 0) + 1}",
        )


def pad_cube(planes_BHW: np.ndarray, window: int, padding: str = "zero") -> Tensor:
    """Pad by ``window // 2`` pixels on each side.

    Args:
        planes_BHW: float32 (bands, height, width), after PCA or standardisation: there zero is the mean.
        window: side of the windows, odd.
        padding: ``zero``, or ``reflect`` (mirrored without repeating the edge).

    Returns:
        float32 (bands, height + window - 1, width + window - 1), contiguous.
    """
    check_window(window)
    if padding not in PADDINGS:
        raise UserError(f"unknown padding {padding!r}", where="data.padding", fix=f"known: {', '.join(PADDINGS)}")
    reach = window // 2
    mode = "constant" if padding == "zero" else "reflect"
    padded = np.pad(planes_BHW, ((0, 0), (reach, reach), (reach, reach)), mode=mode)  # type: ignore[call-overload]
    return torch.from_numpy(np.ascontiguousarray(padded, dtype=np.float32))
