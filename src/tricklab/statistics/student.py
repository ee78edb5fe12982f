"""Student's t: p values, quantiles and intervals, vectorised, safe where the standard error is zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]


def quantile(level: float, df: ArrayLike) -> Floats:
    """The two-sided critical value: |t| exceeds it with probability `level` (.05 and 4 degrees of freedom: 2.776)."""
    return np.asarray(special.stdtrit(np.asarray(df, dtype=float), 1.0 - level / 2.0))


def p_value(effect: ArrayLike, standard_error: ArrayLike, df: ArrayLike) -> Floats:
    """Two-sided p of effect / standard_error with `df` degrees of freedom, elementwise.

    A standard error of zero gives 1 where the effect is zero too and 0 elsewhere, never nan.
    """
    effect, standard_error = np.asarray(effect, dtype=float), np.asarray(standard_error, dtype=float)
    exact = standard_error == 0
    ratio = np.abs(effect) / np.where(exact, 1.0, standard_error)
    p = 2.0 * special.stdtr(np.asarray(df, dtype=float), -ratio)
    return np.asarray(np.where(exact, np.where(effect == 0, 1.0, 0.0), p))


def interval(effect: ArrayLike, standard_error: ArrayLike, df: ArrayLike, level: float) -> tuple[Floats, Floats]:
    """Ends of the 1 − `level` confidence interval, elementwise."""
    half = quantile(level, df) * np.asarray(standard_error, dtype=float)
    return np.asarray(effect - half), np.asarray(effect + half)
