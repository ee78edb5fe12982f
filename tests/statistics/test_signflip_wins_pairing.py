"""The small exact companions of the t test: sign flips, wins, the pairing correlation, other data, tiers."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from tricklab.statistics.other_data import nadeau_bengio
from tricklab.statistics.pairing import pairing_correlation
from tricklab.statistics.signflip import floor, sign_flip_p
from tricklab.statistics.tiers import tier
from tricklab.statistics.wins import clopper_pearson


@pytest.mark.parametrize("blocks", [6, 7, 10])
def test_sign_flips_are_all_of_them(blocks: int) -> None:
    values = np.random.default_rng(blocks).normal(0.4, 1.0, blocks)
    sums = [abs(np.dot(signs, values)) for signs in product((-1, 1), repeat=blocks)]
    assert sign_flip_p(values) == pytest.approx(np.mean(np.array(sums) >= abs(values.sum()) - 1e-12), abs=1e-12)


def test_sign_flip_is_scipys_permutation_test() -> None:
    values = np.random.default_rng(3).normal(0.5, 1.0, 9)
    reference = stats.permutation_test(  # type: ignore[call-overload]
        (values,), np.mean, permutation_type="samples", vectorized=False, n_resamples=np.inf
    )
    assert sign_flip_p(values) == pytest.approx(reference.pvalue)


@pytest.mark.parametrize(
    ("blocks", "published"), [(3, 0.25), (4, 0.125), (5, 0.0625), (6, 0.031), (8, 0.0078), (10, 0.002)]
)
def test_published_floors(blocks: int, published: float) -> None:
    assert floor(blocks) == pytest.approx(published, abs=0.0005)
    p = sign_flip_p(np.ones(blocks))
    assert p is None if blocks < 6 else p == floor(blocks)


def test_sign_flip_with_ties_zeros_and_many_blocks() -> None:
    assert sign_flip_p(np.zeros(7)) == 1.0
    assert sign_flip_p([1, 1, 1, 1, -1, -1, 0, 0]) == pytest.approx(
        np.mean([abs(sum(signs)) >= 2 for signs in product((-1, 1), repeat=6)])
    )
    assert sign_flip_p(np.ones(41)) is None
    values = np.random.default_rng(1).normal(0.3, 1.0, 36)
    assert sign_flip_p(values) == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=0.02)


@pytest.mark.parametrize(("count", "total"), [(0, 5), (3, 5), (5, 5), (9, 10), (6, 6)])
@pytest.mark.parametrize("level", [0.05, 0.0278])
def test_clopper_pearson_is_scipys(count: int, total: int, level: float) -> None:
    reference = stats.binomtest(count, total).proportion_ci(1 - level, method="exact")
    assert clopper_pearson(count, total, level) == pytest.approx((reference.low, reference.high))


def test_wins_needed_to_exclude_a_half() -> None:
    assert clopper_pearson(5, 5)[0] == pytest.approx(0.478, abs=5e-4)
    assert clopper_pearson(6, 6)[0] > 0.5
    assert clopper_pearson(8, 8)[0] > 0.5
    assert clopper_pearson(9, 10)[0] > 0.5
    assert clopper_pearson(7, 8)[0] < 0.5
    assert clopper_pearson(8, 10)[0] < 0.5
    assert clopper_pearson(0, 0) == (0.0, 1.0)


def test_pairing_correlation_is_the_anova_one() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(8, 5)) + 1.5 * rng.normal(size=(8, 1))
    blocks, cells = scores.shape
    between = cells * scores.mean(axis=1).var(ddof=1)
    residual = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0) + scores.mean()
    within = (residual**2).sum() / ((blocks - 1) * (cells - 1))
    assert pairing_correlation(scores) == pytest.approx((between - within) / (between + (cells - 1) * within))


def test_pairing_correlation_says_how_much_a_difference_shrinks() -> None:
    scores = np.random.default_rng(6).multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=20_000)
    rho = pairing_correlation(scores)
    assert rho == pytest.approx(0.6, abs=0.02)
    assert (scores[:, 0] - scores[:, 1]).var() == pytest.approx(2 * (1 - 0.6), rel=0.03)


def test_pairing_correlation_of_constants_is_not_nan() -> None:
    assert pairing_correlation(np.full((5, 3), 0.9)) is None
    assert pairing_correlation(np.ones((2, 3))) is None
    assert pairing_correlation(np.repeat(np.arange(5.0)[:, None], 3, axis=1)) == pytest.approx(1.0)


def test_nadeau_bengio_widens_by_the_test_share() -> None:
    differences = np.random.default_rng(4).normal(0.01, 0.02, 10)
    sd = differences.std(ddof=1)
    half = stats.t.ppf(0.975, 9) * np.sqrt((1 / 10 + 0.1 / 0.9) * sd**2)
    low, high = nadeau_bengio(differences.mean(), sd / np.sqrt(10), 9, 10, train_test_ratio=9.0)
    assert (low, high) == pytest.approx((differences.mean() - half, differences.mean() + half))


@pytest.mark.parametrize(
    ("blocks", "word"),
    [(0, "smoke"), (2, "smoke"), (3, "screening"), (4, "screening"), (5, "evidence"), (10, "strong")],
)
def test_tiers(blocks: int, word: str) -> None:
    assert tier(blocks) == word
