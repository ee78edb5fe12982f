"""What counts as zero: differences that float64 rounding alone can produce."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_UNITS = 32.0


def tolerance(values: ArrayLike, axis: int | tuple[int, ...] | None = None) -> NDArray[np.float64]:
    """The largest difference that rounding of `values` explains: 32 units in the last place of the largest one.

    Without it two arms with the very same scores could differ by 1e-17 and be "significant".
    """
    return np.asarray(_UNITS * np.finfo(np.float64).eps * np.max(np.abs(values), axis=axis, initial=0.0, keepdims=True))


def snap(values: ArrayLike, limit: ArrayLike) -> NDArray[np.float64]:
    """`values` with everything of magnitude `limit` or less set to exactly 0."""
    values = np.asarray(values, dtype=float)
    return np.where(np.abs(values) <= limit, 0.0, values)
