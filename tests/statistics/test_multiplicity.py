"""Holm against its definition as a closed test, Benjamini-Hochberg against scipy."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from tricklab.statistics.multiplicity import benjamini_hochberg, holm


@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_holm_is_the_closed_bonferroni_test(count: int) -> None:
    p = np.random.default_rng(count).uniform(0, 0.2, count)
    for index, adjusted in enumerate(holm(p)):
        families = [
            set(chosen)
            for size in range(1, count + 1)
            for chosen in combinations(range(count), size)
            if index in chosen
        ]
        assert adjusted == pytest.approx(max(min(1.0, len(s) * min(p[list(s)])) for s in families))


def test_holm_along_the_last_axis_and_with_ties() -> None:
    p = np.array([[0.01, 0.01, 0.5], [0.9, 0.02, 1.0]])
    assert holm(p).tolist() == [holm(row).tolist() for row in p]
    assert holm(p)[0].tolist() == [0.03, 0.03, 0.5]


@pytest.mark.parametrize("count", [1, 12, 40])
def test_benjamini_hochberg_is_scipys(count: int) -> None:
    p = np.random.default_rng(count).uniform(0, 1, count) ** 3
    assert benjamini_hochberg(p).tolist() == pytest.approx(stats.false_discovery_control(p).tolist())
