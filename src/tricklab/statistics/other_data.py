"""Would the effect be seen on other data of this kind, when each block redraws the split?"""

from __future__ import annotations

import math

from tricklab.statistics.student import quantile


def nadeau_bengio(
    effect: float, standard_error: float, df: float, blocks: int, train_test_ratio: float, level: float = 0.05
) -> tuple[float, float]:
    """Corrected resampled-t interval (Nadeau and Bengio, Machine Learning 2003).

    Redrawn splits share samples, so the plain interval is too narrow for other data: the variance of the mean is not
    s²/n but s²(1/n + test/train). train_test_ratio: training samples per test sample (10 % training, 90 % test: 1/9).
    """
    assert train_test_ratio > 0
    wider = standard_error * math.sqrt(1.0 + blocks / train_test_ratio)
    half = float(quantile(level, df)) * wider
    return effect - half, effect + half
