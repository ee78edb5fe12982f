"""Does the trick change how much a result depends on luck? Ratio of standard deviations, trick over baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from tricklab.statistics.rounding import tolerance
from tricklab.statistics.student import p_value

SteadinessVerdict = Literal["steadier", "less steady", "undecided"]


@dataclass(frozen=True)
class Steadiness:
    """`ratio` < 1: steadier (None when the baseline does not vary at all but the trick does). `p`: the test's, `test`
    its name. `check_p`: Brown-Forsythe, which outliers hardly move. `confirmed`: the check agrees with a verdict."""

    ratio: float | None
    p: float | None
    check_p: float | None
    test: str
    verdict: SteadinessVerdict = "undecided"
    confirmed: bool | None = None

    def judged(self, p: float | None, level: float) -> Steadiness:
        """The same with the word for an adjusted `p` at `level`."""
        if p is None or p >= level:
            return self
        word: SteadinessVerdict = "steadier" if self.ratio is not None and self.ratio < 1 else "less steady"
        confirmed = None if self.check_p is None else self.check_p < level
        return Steadiness(self.ratio, self.p, self.check_p, self.test, word, confirmed)


def paired_steadiness(with_trick: ArrayLike, without: ArrayLike) -> Steadiness:
    """Pitman-Morgan on pairs: (n,) each, or (P, n) for P pairs of cells over the same blocks.

    Equal variances make sum and difference of a pair uncorrelated (Pitman 1939, Morgan 1939), however much the block
    moves both. Several pairs are centred apart and stacked: P(n − 1) − 1 degrees of freedom.
    """
    first = np.atleast_2d(np.asarray(with_trick, dtype=float))
    second = np.atleast_2d(np.asarray(without, dtype=float))
    pairs, blocks = first.shape
    limit = float(tolerance(np.stack([first, second])).item())
    spreads = _spread(first, limit), _spread(second, limit)
    ratio = _ratio(*spreads)
    df = pairs * (blocks - 1) - 1
    if blocks < 3:
        return Steadiness(ratio, None, None, "Pitman-Morgan")
    floors = _floored(spreads, np.stack([first, second]), limit)
    p = _pitman_morgan(first, second, floors, df, limit)
    return Steadiness(ratio, p, _brown_forsythe(first, second, limit), "Pitman-Morgan")


def unpaired_steadiness(with_trick: ArrayLike, without: ArrayLike) -> Steadiness:
    """F test of two unpaired samples of any lengths, with the same check."""
    first = np.asarray(with_trick, dtype=float)[None]
    second = np.asarray(without, dtype=float)[None]
    limit = float(tolerance(np.concatenate([first, second], axis=1)).item())
    if min(first.size, second.size) < 2:
        return Steadiness(None, None, None, "F")
    spreads = _spread(first, limit), _spread(second, limit)
    above, below = _floored(spreads, np.concatenate([first, second], axis=1), limit)
    if above == below:
        p = 1.0
    else:
        df = (first.size - 1.0, second.size - 1.0)
        quotient = (above / below) ** 2
        p = 2.0 * min(float(special.fdtr(*df, quotient)), float(special.fdtrc(*df, quotient)))
    return Steadiness(_ratio(*spreads), min(p, 1.0), _brown_forsythe(first, second, limit), "F")


def _spread(values: NDArray[np.float64], limit: float) -> float:
    """Pooled standard deviation within rows."""
    centred = values - values.mean(axis=1, keepdims=True)
    sd = math.sqrt(float((centred**2).sum()) / max(values.size - len(values), 1))
    return 0.0 if sd <= limit else sd


def _ratio(first: float, second: float) -> float | None:
    if second == 0:
        return 1.0 if first == 0 else None
    return first / second


def _floored(spreads: tuple[float, float], values: NDArray[np.float64], limit: float) -> tuple[float, float]:
    """Standard deviations for a test: one that is 0 becomes that of rounding to the values' own smallest step.

    Equal scores of a few runs do not prove that nothing varies: accuracies are counted in samples and lists are pasted
    with few digits. Rounding to a step q has a standard deviation of q / √12.
    """
    gaps = np.diff(np.unique(values))
    gaps = gaps[gaps > limit]
    floor = float(gaps.min()) / math.sqrt(12.0) if gaps.size else 0.0
    return max(spreads[0], floor), max(spreads[1], floor)


def _pitman_morgan(
    first: NDArray[np.float64], second: NDArray[np.float64], spreads: tuple[float, float], df: int, limit: float
) -> float:
    """The correlation of sums and differences, from the two variances and the covariance."""
    above, below = spreads[0] ** 2, spreads[1] ** 2
    centred = [rows - rows.mean(axis=1, keepdims=True) for rows in (first, second)]
    covariance = float((centred[0] * centred[1]).sum()) / max(first.size - len(first), 1)
    total, difference = above + below + 2.0 * covariance, above + below - 2.0 * covariance
    if min(total, difference) <= limit**2:
        return 1.0
    correlation = max(min((above - below) / math.sqrt(total * difference), 1.0), -1.0)
    return float(p_value(correlation, math.sqrt(max(1.0 - correlation**2, 0.0) / df), df))


def _brown_forsythe(first: NDArray[np.float64], second: NDArray[np.float64], limit: float) -> float | None:
    """Two-sample t on the absolute deviations from each row's median (Brown and Forsythe, JASA 1974)."""
    deviations = [np.abs(rows - np.median(rows, axis=1, keepdims=True)).ravel() for rows in (first, second)]
    df = deviations[0].size + deviations[1].size - 2.0
    if df < 2:
        return None
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in deviations)
    gap = float(deviations[0].mean() - deviations[1].mean())
    error = math.sqrt(squares / df * (1.0 / deviations[0].size + 1.0 / deviations[1].size))
    return float(p_value(0.0 if abs(gap) <= limit else gap, 0.0 if error <= limit else error, df))
