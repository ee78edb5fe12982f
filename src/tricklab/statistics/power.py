"""How large an effect an experiment can show, and how many blocks show a given one (noncentral t)."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tricklab.statistics.student import quantile

POWER = 0.8
MOST_BLOCKS = 100_000


def power(effect: float, standard_error: float, df: float, level: float = 0.05) -> float:
    """Chance that a two-sided t test at `level` finds a true `effect` with this standard error."""
    if standard_error == 0:
        return 1.0 if effect != 0 else level
    critical = float(quantile(level, df))
    return _beyond(abs(effect) / standard_error, df, critical)


def smallest_detectable(
    sd: float, blocks: int, *, df: float | None = None, level: float = 0.05, tests: int = 1
) -> float:
    """The smallest true effect that is found with 80 % power, in the unit of `sd`.

    sd: standard deviation of one block's contrast (paired difference). df: degrees of freedom of its estimate,
    blocks − 1 if not given. tests: how many tricks share the level (the first Holm step, level / tests).

    >>> [round(smallest_detectable(1.0, n), 2) for n in (3, 5, 10)]
    [3.26, 1.68, 1.0]
    """
    assert df is not None or blocks >= 2
    assert tests >= 1
    df = blocks - 1.0 if df is None else df
    critical = float(quantile(level / tests, df))
    low, high = 0.0, 2.0 * critical + 2.0
    while _beyond(high, df, critical) < POWER:
        low, high = high, 2.0 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2.0
        low, high = (middle, high) if _beyond(middle, df, critical) < POWER else (low, middle)
    return high * sd / math.sqrt(blocks)


def blocks_for(effect: float, sd: float, *, arms: float = 2, level: float = 0.05, tests: int = 1) -> int | None:
    """The fewest blocks that find a true `effect` > 0 with 80 % power; None when 100,000 would not do.

    arms: cells whose error variance is pooled, (blocks − 1)(arms − 1) degrees of freedom; 2 is the plain paired t (and
    in between lies Welch's).

    >>> blocks_for(1.0, 1.0)
    10
    """
    assert effect > 0

    def enough(blocks: int) -> bool:
        return power(effect, sd / math.sqrt(blocks), (blocks - 1.0) * (arms - 1.0), level / tests) >= POWER

    high = 2
    while not enough(high):
        high *= 2
        if high > MOST_BLOCKS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if middle >= 2 and enough(middle) else (middle, high)
    return high


def _beyond(shift: float, df: float, critical: float) -> float:
    """P(|T| > critical) for a noncentral t with noncentrality `shift`.

    The normal tails averaged over the distribution of the estimated standard deviation; scipy's nctdtr gives nan for
    few degrees of freedom and a large shift, which is where small experiments live.
    """
    estimate, weights = _estimated_sd(df)
    tails = special.ndtr(shift - critical * estimate) + special.ndtr(-shift - critical * estimate)
    return float(np.sum(weights * tails))


@lru_cache(maxsize=256)
def _estimated_sd(df: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Quadrature nodes and weights for s / σ, the square root of a χ² over its degrees of freedom."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    return np.sqrt(2.0 * special.gammaincinv(df / 2.0, (nodes + 1.0) / 2.0) / df), weights / 2.0
