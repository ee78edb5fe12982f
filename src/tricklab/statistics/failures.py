"""Failed runs are outcomes: an exact test of how often, and the analysis without them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tricklab.statistics.judgement import Failures, WithoutFailures
from tricklab.statistics.rounding import snap, tolerance
from tricklab.statistics.student import interval, p_value

LABEL = "only blocks in which none of this trick's runs failed; own paired t"
_RATES = 2001
_MOST_RUNS = 1000


def failure_counts(failed_with: int, runs_with: int, failed_without: int, runs_without: int) -> Failures:
    """Barnard's unconditional exact test of the two failure shares, two-sided (Barnard, Biometrika 1947).

    All tables at least as extreme by the pooled z count, ties included (scipy 1.17 loses ties to rounding: 3 of 5
    against 0 of 5 is .062, not .058), and the common rate is the least favourable of 2,001. Above a thousand runs on a
    side Fisher's conditional test stands in.
    """
    lost = failed_with + failed_without
    if lost in (0, runs_with + runs_without) or 0 in (runs_with, runs_without):
        p = 1.0
    elif max(runs_with, runs_without) > _MOST_RUNS:
        from scipy.stats import fisher_exact  # scipy.stats takes half a second to import

        table = np.array([[failed_with, failed_without], [runs_with - failed_with, runs_without - failed_without]])
        p = float(fisher_exact(table).pvalue)
    else:
        first, second = np.arange(runs_with + 1.0)[:, None], np.arange(runs_without + 1.0)[None, :]
        pooled = (first + second) / (runs_with + runs_without)
        variance = pooled * (1.0 - pooled) * (1.0 / runs_with + 1.0 / runs_without)
        extreme = np.abs(first / runs_with - second / runs_without) / np.sqrt(np.where(variance == 0, 1.0, variance))
        extreme = extreme >= extreme[failed_with, failed_without] * (1.0 - 1e-9)
        rates = np.linspace(0.0, 1.0, _RATES)
        chance = (_binomial(runs_with, rates) * (extreme @ _binomial(runs_without, rates))).sum(axis=0)
        p = float(min(1.0, chance.max()))
    return Failures(failed_with, runs_with, failed_without, runs_without, p)


def _binomial(runs: int, rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """P(k of `runs` fail) for every k and rate: (runs + 1, rates)."""
    counts = np.arange(runs + 1.0)[:, None]
    ways = special.gammaln(runs + 1.0) - special.gammaln(counts + 1.0) - special.gammaln(runs - counts + 1.0)
    return np.asarray(np.exp(ways + special.xlogy(counts, rates) + special.xlog1py(runs - counts, -rates)))


def without_failures(differences: NDArray[np.float64], touched: NDArray[np.bool_], level: float) -> WithoutFailures:
    """The paired t on the blocks where nothing failed.

    differences: (n,) per-block contrasts. touched: (n,) bool, some run of the contrast failed.
    """
    kept = differences[~touched]
    blocks = len(kept)
    if blocks == 0:
        return WithoutFailures(LABEL, 0, None, None, None)
    effect = float(snap(kept.mean(), tolerance(kept).item()))
    if blocks == 1:
        return WithoutFailures(LABEL, 1, effect, None, None)
    error = float(snap(kept.std(ddof=1), tolerance(kept).item())) / blocks**0.5
    low, high = interval(effect, error, blocks - 1, level)
    return WithoutFailures(LABEL, blocks, effect, (float(low), float(high)), float(p_value(effect, error, blocks - 1)))
