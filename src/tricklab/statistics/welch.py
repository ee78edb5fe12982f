"""Two unpaired lists of scores with variances of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tricklab.statistics.rounding import tolerance


@dataclass(frozen=True)
class WelchFit:
    """Difference of means, its standard error, Welch-Satterthwaite degrees of freedom, and the two variances."""

    effect: float
    standard_error: float
    df: float
    variances: tuple[float, float]


def welch(with_trick: ArrayLike, without: ArrayLike) -> WelchFit:
    """Welch's t (Biometrika 1947) for two samples of at least two scores each."""
    lists = [np.asarray(with_trick, dtype=float), np.asarray(without, dtype=float)]
    assert min(map(len, lists)) >= 2
    limit = float(tolerance(np.concatenate(lists)).item())
    effect = float(lists[0].mean() - lists[1].mean())
    variances = [float(scores.var(ddof=1)) for scores in lists]
    variances = [0.0 if math.sqrt(variance) <= limit else variance for variance in variances]
    shares = [variance / len(scores) for variance, scores in zip(variances, lists, strict=True)]
    if sum(shares) == 0:
        df = len(lists[0]) + len(lists[1]) - 2.0
    else:
        parts = [share**2 / (len(scores) - 1.0) for share, scores in zip(shares, lists, strict=True)]
        df = sum(shares) ** 2 / sum(parts)
    effect = 0.0 if abs(effect) <= limit else effect
    return WelchFit(effect, math.sqrt(sum(shares)), df, (variances[0], variances[1]))
