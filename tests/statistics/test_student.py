"""t intervals and p values against scipy.stats, and where nothing varies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tricklab.statistics.student import interval, p_value, quantile


@pytest.mark.parametrize(("blocks", "expected"), [(3, 4.30), (4, 3.18), (5, 2.78), (6, 2.57), (8, 2.36), (10, 2.26)])
def test_published_quantiles(blocks: int, expected: float) -> None:
    assert float(quantile(0.05, blocks - 1)) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("blocks", [2, 3, 5, 30])
def test_paired_t_is_scipys(blocks: int) -> None:
    rng = np.random.default_rng(blocks)
    differences = rng.normal(0.3, 1.0, blocks)
    reference = stats.ttest_1samp(differences, 0.0)
    effect, error = differences.mean(), differences.std(ddof=1) / np.sqrt(blocks)
    assert float(p_value(effect, error, blocks - 1)) == pytest.approx(reference.pvalue, rel=1e-10)
    for level in (0.05, 0.0278):
        ends = reference.confidence_interval(1.0 - level)
        assert [float(end) for end in interval(effect, error, blocks - 1, level)] == pytest.approx(
            [ends.low, ends.high]
        )


def test_zero_standard_error_gives_no_nan() -> None:
    assert p_value([0.0, 0.1, -0.1], [0.0, 0.0, 0.0], 4).tolist() == [1.0, 0.0, 0.0]
    assert [float(end) for end in interval(0.0, 0.0, 4, 0.05)] == [0.0, 0.0]
