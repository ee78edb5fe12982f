"""The exact sign-flip test: what the paired differences say without any assumption but symmetry."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FEWEST_BLOCKS = 6
MOST_BLOCKS = 40


def sign_flip_p(differences: ArrayLike) -> float | None:
    """Two-sided exact p: the share of all 2^n sign patterns whose |sum| reaches the observed one.

    Below six blocks it cannot reach .05 (its floor is 2 / 2^n) and above forty the t test needs no support: None.
    All patterns are counted exactly, by meeting in the middle (Horowitz and Sahni 1974).
    """
    values = np.asarray(differences, dtype=float)
    if not FEWEST_BLOCKS <= len(values) <= MOST_BLOCKS:
        return None
    observed = abs(values.sum())
    slack = 1e-12 * np.abs(values).sum()
    half = len(values) // 2
    first, second = _all_sums(values[:half]), np.sort(_all_sums(values[half:]))
    reached = len(second) - np.searchsorted(second, observed - slack - first, side="left")
    return float(min(1.0, 2.0 * reached.sum() / 2.0 ** len(values))) if observed > slack else 1.0


def floor(blocks: int) -> float:
    """The smallest p that the test can give."""
    return float(2.0 / 2.0**blocks)


def _all_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums
