"""The hybrid blocked model against least squares with dummy variables, column by column."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tricklab.statistics.blocked import contrast_values, fit_blocked


def least_squares(scores: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, float, int]:
    """Estimate, standard error and residual degrees of freedom of one contrast in block + cell, by brute force."""
    blocks, cells = scores.shape
    rows = [(b, c) for b in range(blocks) for c in range(cells)]
    design = np.array(
        [[float(b == k) for k in range(blocks)] + [float(c == k) for k in range(1, cells)] for b, c in rows]
    )
    target = np.array([scores[b, c] for b, c in rows])
    solution, *_ = np.linalg.lstsq(design, target, rcond=None)
    df = len(rows) - design.shape[1]
    variance = float(((target - design @ solution) ** 2).sum()) / df
    picks = np.concatenate([np.zeros(blocks), weights[1:]])
    return float(picks @ solution), float(np.sqrt(variance * picks @ np.linalg.inv(design.T @ design) @ picks)), df


def add_one(tricks: int) -> NDArray[np.float64]:
    return np.concatenate([-np.ones((tricks, 1)), np.eye(tricks)], axis=1)


@pytest.mark.parametrize(("blocks", "cells"), [(2, 4), (5, 4), (5, 7), (10, 13)])
def test_pooled_contrasts_are_least_squares(blocks: int, cells: int) -> None:
    rng = np.random.default_rng(7)
    scores = rng.normal(0.9, 0.01, (blocks, cells)) + rng.normal(0.0, 0.05, (blocks, 1))
    weights = np.concatenate(
        [add_one(cells - 1), (rows := rng.normal(size=(2, cells))) - rows.mean(axis=1, keepdims=True)]
    )
    fit = fit_blocked(scores, weights)
    assert fit.in_pool.all()
    for row in range(len(weights)):
        effect, error, df = least_squares(scores, weights[row])
        assert fit.effect[row] == pytest.approx(effect, rel=1e-9)
        assert fit.standard_error[row] == pytest.approx(error, rel=1e-9)
        assert fit.df[row] == df == (blocks - 1) * (cells - 1)


def test_below_four_cells_each_contrast_is_a_paired_t() -> None:
    scores = np.random.default_rng(1).normal(size=(6, 3))
    fit = fit_blocked(scores, add_one(2))
    for row in range(2):
        reference = stats.ttest_rel(scores[:, row + 1], scores[:, 0])
        assert float(fit.p[row]) == pytest.approx(reference.pvalue, rel=1e-10)
        assert fit.df[row] == 5
    assert not fit.pooled.any()


def test_variance_test_is_least_squares_of_the_others() -> None:
    scores = np.random.default_rng(5).normal(size=(5, 6))
    fit = fit_blocked(scores, add_one(5))
    assert fit.in_pool.all()
    for cell in range(6):
        others = np.delete(scores, cell, axis=1)
        _, error, df = least_squares(others, np.array([-1.0, 1.0, 0.0, 0.0, 0.0]))
        apart = scores[:, cell] - others.mean(axis=1)
        ratio = apart.var(ddof=1) / (1 + 1 / 5) / (error**2 * 5 / 2)
        assert fit.variance_p[cell] == pytest.approx(stats.f.sf(ratio, 4, df), rel=1e-9)


def test_a_noisy_arm_leaves_and_the_others_stay_pooled() -> None:
    scores = np.random.default_rng(3).normal(size=(5, 7))
    scores[:, 4] = 30.0 * np.array([-1.0, 1.0, 0.5, -0.5, 0.2])
    fit = fit_blocked(scores, add_one(6))
    assert fit.in_pool.tolist() == [True, True, True, True, False, True, True]
    assert fit.variance_p[4] < 0.01
    assert float(fit.p[3]) == pytest.approx(stats.ttest_rel(scores[:, 4], scores[:, 0]).pvalue, rel=1e-9)
    kept = np.delete(scores, 4, axis=1)
    alone = fit_blocked(kept, add_one(5))
    assert fit.standard_error[[0, 1, 2, 4, 5]].tolist() == pytest.approx(alone.standard_error.tolist(), rel=1e-9)
    assert fit.df.tolist() == [20.0, 20.0, 20.0, 4.0, 20.0, 20.0]


def test_two_noisy_arms_leave_one_after_the_other() -> None:
    scores = np.random.default_rng(4).normal(size=(6, 8))
    scores[:, 2] = 40.0 * np.array([-1.0, 1.0, 0.5, -0.5, 0.2, 0.0])
    scores[:, 5] = 400.0 * np.array([1.0, -1.0, 0.5, 0.5, 0.2, 0.1])
    assert np.flatnonzero(~fit_blocked(scores, add_one(7)).in_pool).tolist() == [2, 5]


def test_many_experiments_at_once_are_the_same_as_one_by_one() -> None:
    scores = np.random.default_rng(8).standard_t(2, size=(40, 5, 6))
    together = fit_blocked(scores, add_one(5))
    assert 0 < (~together.in_pool).sum() < together.in_pool.size
    for index in range(40):
        alone = fit_blocked(scores[index], add_one(5))
        assert together.in_pool[index].tolist() == alone.in_pool.tolist()
        assert together.standard_error[index].tolist() == pytest.approx(alone.standard_error.tolist())
        assert together.df[index].tolist() == alone.df.tolist()


def test_identical_cells_give_exactly_zero() -> None:
    rng = np.random.default_rng(2)
    scores = np.repeat(rng.normal(0.95, 0.01, (5, 1)), 8, axis=1)
    weights = np.array([[-0.25, 0.25, 0.25, -0.25, 0.25, -0.25, -0.25, 0.25], [-1, 0, 0, 0, 0, 0, 0, 1.0]])
    fit = fit_blocked(scores, weights)
    assert fit.effect.tolist() == [0.0, 0.0]
    assert fit.standard_error.tolist() == [0.0, 0.0]
    assert fit.p.tolist() == [1.0, 1.0]
    assert fit.in_pool.all()


def test_rounding_is_not_a_difference() -> None:
    base = np.array([0.1 + 0.2, 0.7 + 0.1, 0.3 + 0.6])
    same = np.array([0.3, 0.8, 0.9])
    assert (base != same).any()
    assert contrast_values(np.stack([base, same], axis=1), [[-1.0, 1.0]]).tolist() == [[0.0], [0.0], [0.0]]


def test_only_one_arm_differs_from_identical_ones() -> None:
    scores = np.full((5, 5), 0.9)
    scores[:, 3] = [0.8, 0.85, 0.9, 0.95, 0.7]
    fit = fit_blocked(scores, add_one(4))
    assert np.isfinite(fit.p).all()
    assert fit.p[[0, 1, 3]].tolist() == [1.0, 1.0, 1.0]
    assert fit.in_pool.tolist() == [True, True, True, False, True]


def shared(blocks: int, extra: float, seed: int = 3) -> tuple[NDArray[np.float64], list[str]]:
    """Five trainings, of which the first two are scored in two ways each."""
    rng = np.random.default_rng(seed)
    trainings = ["a", "b", "c", "d", "e", "a", "b"]
    fits = rng.normal(size=(blocks, 5))
    return fits[:, [0, 1, 2, 3, 4, 0, 1]] + extra * rng.normal(size=(blocks, 7)), trainings


def test_two_scores_of_one_training_lend_its_variance_once() -> None:
    scores, trainings = shared(6, 0.1)
    fit = fit_blocked(scores, [[-1, 1, 0, 0, 0, 0, 0], [-0.5, 0.5, 0, 0, 0, -0.5, 0.5]], trainings)
    alone = fit_blocked(scores[:, :5], [[-1, 1, 0, 0, 0]])
    assert fit.pooled.all()
    for row in (0, 1):
        assert fit.standard_error[row] == pytest.approx(float(alone.standard_error[0]), rel=1e-12)
        assert fit.df[row] == alone.df[0] == 5 * 4
    blind = fit_blocked(scores, [[-0.5, 0.5, 0, 0, 0, -0.5, 0.5]])
    assert blind.standard_error[0] < 0.8 * fit.standard_error[1]


def test_two_scores_of_one_training_against_each_other_are_a_paired_t() -> None:
    scores, trainings = shared(6, 0.1)
    weights = np.array([[-1, 0, 0, 0, 0, 1, 0], [-0.5, 0, -0.5, 0, 0, 1, 0]])
    fit = fit_blocked(scores, weights, trainings)
    assert not fit.pooled.any()
    for row in range(2):
        assert float(fit.p[row]) == pytest.approx(stats.ttest_1samp(scores @ weights[row], 0.0).pvalue, rel=1e-9)


def test_three_trainings_make_no_pool_however_many_cells_score_them() -> None:
    scores, trainings = shared(6, 0.1)
    kept = [0, 1, 2, 5, 6]
    fit = fit_blocked(scores[:, kept], [[-1, 1, 0, 0, 0]], [trainings[cell] for cell in kept])
    assert not fit.in_pool.any()
    assert float(fit.p[0]) == pytest.approx(stats.ttest_rel(scores[:, 1], scores[:, 0]).pvalue, rel=1e-9)


def test_a_noisier_second_score_of_a_training_stays_out_of_the_pool() -> None:
    scores, trainings = shared(10, 0.1)
    scores[:, 5] += 20.0 * np.random.default_rng(4).normal(size=10)
    fit = fit_blocked(scores, [[0, -1, 0, 0, 0, 1, 0], [-1, 1, 0, 0, 0, 0, 0]], trainings)
    assert np.flatnonzero(~fit.in_pool).tolist() == [5]
    assert fit.pooled.tolist() == [False, True]
