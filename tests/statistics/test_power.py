"""Smallest detectable effects and needed blocks against the published table, scipy's noncentral t and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tricklab.statistics.power import blocks_for, power, smallest_detectable

TABLE = [
    (3, 3.26, 8.02),
    (4, 2.13, 3.96),
    (5, 1.68, 2.76),
    (6, 1.43, 2.20),
    (8, 1.16, 1.65),
    (10, 1.00, 1.37),
    (20, 0.66, 0.86),
]


@pytest.mark.parametrize(("blocks", "single", "first_of_six"), TABLE)
def test_published_smallest_detectable_effects(blocks: int, single: float, first_of_six: float) -> None:
    assert smallest_detectable(1.0, blocks) == pytest.approx(single, abs=0.006)
    assert smallest_detectable(1.0, blocks, tests=6) == pytest.approx(first_of_six, abs=0.006)


@pytest.mark.parametrize(("shift", "df", "level"), [(4.0, 2, 0.05), (3.0, 4, 0.05), (1.0, 24, 0.0278), (2.5, 9, 0.01)])
def test_power_is_scipys_noncentral_t(shift: float, df: float, level: float) -> None:
    critical = stats.t.ppf(1 - level / 2, df)
    reference = stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift)
    assert power(shift, 1.0, df, level) == pytest.approx(reference, abs=1e-5)
    assert power(-shift, 1.0, df, level) == pytest.approx(reference, abs=1e-5)


def test_power_where_scipy_gives_nan() -> None:
    rng = np.random.default_rng(0)
    critical = stats.t.ppf(1 - 0.05 / 12, 2)
    draws = np.abs(rng.normal(14.0, 1.0, 200_000)) / np.sqrt(rng.chisquare(2, 200_000) / 2)
    assert power(14.0, 1.0, 2, 0.05 / 6) == pytest.approx((draws > critical).mean(), abs=0.004)


def test_power_of_nothing_is_the_level() -> None:
    assert power(0.0, 1.0, 4, 0.05) == pytest.approx(0.05, abs=1e-4)
    assert power(0.1, 0.0, 4) == 1.0
    assert power(0.0, 0.0, 4) == 0.05


@pytest.mark.parametrize("effect", [0.3, 0.7, 1.0, 2.0, 4.0])
@pytest.mark.parametrize(("arms", "tests"), [(2, 1), (7, 6)])
def test_blocks_for_is_the_fewest(effect: float, arms: int, tests: int) -> None:
    blocks = blocks_for(effect, 1.0, arms=arms, tests=tests)
    assert blocks is not None

    def reached(count: int) -> float:
        return power(effect, 1.0 / np.sqrt(count), (count - 1) * (arms - 1), 0.05 / tests)

    assert reached(blocks) >= 0.8 - 1e-9
    assert blocks == 2 or reached(blocks - 1) < 0.8


def test_blocks_for_without_noise_and_without_hope() -> None:
    assert blocks_for(0.1, 0.0) == 2
    assert blocks_for(1e-6, 1.0) is None
    assert smallest_detectable(0.0, 5) == 0.0
