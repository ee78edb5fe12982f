"""How much the shared block explains."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tricklab.statistics.rounding import tolerance

HELPS_FROM = 0.1


def pairing_correlation(scores: ArrayLike) -> float | None:
    """ρ of `scores` (n blocks, C cells): mean covariance between two cells over their mean variance.

    The variance of a paired difference is 2σ²(1 − ρ): at 0 pairing buys nothing. None where nothing varies, or with
    fewer than two cells or three blocks.
    """
    scores = np.asarray(scores, dtype=float)
    blocks, cells = scores.shape
    if cells < 2 or blocks < 3:
        return None
    centred = scores - scores.mean(axis=0)
    variance = float((centred**2).sum())
    if variance <= float(tolerance(scores).item()) ** 2 * scores.size:
        return None
    covariance = float((centred.sum(axis=1) ** 2).sum()) - variance
    return covariance / ((cells - 1.0) * variance)
