"""Failed runs are outcomes: an exact test of how often, and the analysis without them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tricklab.statistics.judgement import Failures, WithoutFailures
from tricklab.statistics.rounding import snap, tolerance
from tricklab.statistics.student import interval, p_value

LABEL = "only blocks in which none of this trick's runs failed; own paired t"


def failure_counts(failed_with: int, runs_with: int, failed_without: int, runs_without: int) -> Failures:
    """Barnard's unconditional exact test of the two failure shares, two-sided (Barnard, Biometrika 1947)."""
    lost = failed_with + failed_without
    if lost in (0, runs_with + runs_without) or 0 in (runs_with, runs_without):
        p = 1.0
    else:
        from scipy.stats import barnard_exact  # scipy.stats alone costs half a second to import

        table = [[failed_with, failed_without], [runs_with - failed_with, runs_without - failed_without]]
        p = float(min(1.0, barnard_exact(table).pvalue))
    return Failures(failed_with, runs_with, failed_without, runs_without, p)


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
