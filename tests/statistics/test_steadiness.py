"""Pitman-Morgan, Brown-Forsythe and F against scipy and against regression by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tricklab.statistics.steadiness import paired_steadiness, unpaired_steadiness


@pytest.mark.parametrize("blocks", [3, 5, 12])
def test_one_pair_is_the_correlation_of_sum_and_difference(blocks: int) -> None:
    rng = np.random.default_rng(blocks)
    first, second = rng.normal(0, 1, blocks), rng.normal(5, 3, blocks)
    found = paired_steadiness(first, second)
    assert found.p == pytest.approx(stats.pearsonr(first + second, first - second).pvalue)
    assert found.ratio == pytest.approx(first.std(ddof=1) / second.std(ddof=1))
    assert found.check_p == pytest.approx(stats.levene(first, second, center="median").pvalue)


def test_stacked_pairs_are_a_regression_with_an_intercept_for_each() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(0, 1, (2, 6)), rng.normal([[2], [7]], 2, (2, 6))
    total, difference = (first + second).ravel(), (first - second).ravel()
    design = np.stack([total, np.repeat([1.0, 0.0], 6), np.repeat([0.0, 1.0], 6)], axis=1)
    solution, residual, *_ = np.linalg.lstsq(design, difference, rcond=None)
    error = np.sqrt(residual[0] / 9 * np.linalg.inv(design.T @ design)[0, 0])
    assert paired_steadiness(first, second).p == pytest.approx(2 * stats.t.sf(abs(solution[0] / error), 9))


def test_type_one_error_with_shared_blocks() -> None:
    rng = np.random.default_rng(2)
    blocks = 3.0 * rng.normal(size=(3000, 1, 5))
    first, second = rng.normal(size=(2, 3000, 2, 5)) + blocks
    false = np.mean([(paired_steadiness(a, b).p or 0.0) < 0.05 for a, b in zip(first, second, strict=True)])
    assert false == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 3000))


def test_unpaired_is_the_f_test() -> None:
    a, b = [0.9498, 0.9786, 0.9560], [0.9780, 0.9778, 0.9808, 0.9802, 0.9797]
    found = unpaired_steadiness(b, a)
    ratio = np.var(b, ddof=1) / np.var(a, ddof=1)
    assert found.p == pytest.approx(2 * min(stats.f.cdf(ratio, 4, 2), stats.f.sf(ratio, 4, 2)))
    assert found.p == pytest.approx(0.0005, abs=1e-4)
    assert found.check_p == pytest.approx(stats.levene(b, a, center="median").pvalue)
    assert found.check_p == pytest.approx(0.13, abs=0.005)


def test_nothing_varies() -> None:
    same = [0.9] * 5
    for found in (paired_steadiness(same, same), unpaired_steadiness(same, same)):
        assert (found.ratio, found.p, found.check_p) == (1.0, 1.0, 1.0)
    varied = [0.9, 0.8, 0.7, 0.95, 0.85]
    for found in (paired_steadiness(varied, same), unpaired_steadiness(varied, same)):
        assert found.ratio is None
        assert found.p is not None
        assert 0 < found.p < 0.05
        assert found.judged(found.p, 0.05).verdict == "less steady"
    for found in (paired_steadiness(same, varied), unpaired_steadiness(same, varied)):
        assert found.ratio == 0.0
        assert found.judged(found.p, 0.05).verdict == "steadier"
    twins = paired_steadiness(varied, varied)
    assert (twins.ratio, twins.p, twins.verdict) == (1.0, 1.0, "undecided")


def test_equal_scores_count_as_rounded_to_the_smallest_step() -> None:
    same, varied = [0.95] * 4, [0.94, 0.97, 0.95, 0.96]
    floor = 0.01 / np.sqrt(12)
    quotient = floor**2 / np.var(varied, ddof=1)
    assert unpaired_steadiness(same, varied).p == pytest.approx(2 * stats.f.cdf(quotient, 3, 3))
    assert (paired_steadiness(same, varied).p or 0.0) > 0.01
    shifted = np.asarray(varied) + 1 / 3
    assert paired_steadiness(shifted, varied).p == 1.0


def test_two_blocks_have_no_test() -> None:
    found = paired_steadiness([1.0, 2.0], [1.0, 5.0])
    assert found.p is None
    assert found.judged(None, 0.05).verdict == "undecided"


def test_the_check_confirms_or_not() -> None:
    rng = np.random.default_rng(0)
    steady, loose = rng.normal(0, 0.1, 30), rng.normal(0, 1, 30)
    found = paired_steadiness(steady, loose)
    assert found.judged(found.p, 0.05).confirmed is True
    spiked = steady.copy()
    spiked[0] = 9.0
    found = paired_steadiness(spiked, steady)
    judged = found.judged(found.p, 0.05)
    assert (judged.verdict, judged.confirmed) == ("less steady", False)
