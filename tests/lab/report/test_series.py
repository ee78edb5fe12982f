"""Learning curves: reading, averaging, subtracting."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tricklab.lab.report.series import MOST_POINTS, average, difference, grid, points, thinned


def line(values: list[float], step: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    return step * np.arange(len(values), dtype=float), np.array(values, dtype=float)


def test_points_sort_skip_what_is_no_number_and_let_the_last_row_win() -> None:
    rows = [
        {"phase": "val", "samples_seen": 20, "val/oa": 0.5},
        {"phase": "val", "samples_seen": 10, "val/oa": 0.1},
        {"phase": "val", "samples_seen": 20, "val/oa": 0.6},
        {"phase": "val", "samples_seen": 30, "val/oa": float("nan")},
        {"phase": "val", "samples_seen": 40, "val/oa": None},
        {"phase": "train", "samples_seen": 50, "val/oa": 0.9},
        {"phase": "val", "samples_seen": None, "val/oa": 0.9},
    ]
    x, y = points(rows, "val/oa", "val", "samples")
    assert x.tolist() == [10.0, 20.0]
    assert y.tolist() == [0.1, 0.6]


def test_grid_is_the_lines_own_where_they_agree_and_shared_otherwise() -> None:
    assert grid([line([1, 2, 3]), line([4, 5, 6])]).tolist() == [0.0, 1.0, 2.0]
    shared = grid([line([1, 2, 3, 4]), line([4, 5, 6], step=0.9)])
    assert shared[0] == 0.0
    assert shared[-1] == pytest.approx(1.8)
    apart = (np.array([5.0, 6.0]), np.zeros(2))
    assert len(grid([line([1, 2]), apart])) == 0


def test_average_leaves_failed_runs_out_of_the_mean_and_draws_them() -> None:
    curve = average("a", 0, [line([1, 2]), line([3, 4])], broken=[line([100, 100])])
    assert curve is not None
    assert curve.y.tolist() == [2.0, 3.0]
    assert len(curve.runs) == 3


def test_average_of_nothing_or_of_single_points_is_none() -> None:
    assert average("a", 0, []) is None
    assert average("a", 0, [line([1.0])]) is None


def test_difference_is_the_paired_t_interval_at_every_point() -> None:
    generator = np.random.default_rng(0)
    pairs = [(generator.normal(size=4), generator.normal(size=4)) for _ in range(5)]
    x = np.arange(4.0)
    curve = difference("a", 1, [[((x, on), (x, off))] for on, off in pairs], 0.95)
    assert curve is not None
    assert curve.low is not None
    assert curve.high is not None
    for place in range(4):
        values = [on[place] - off[place] for on, off in pairs]
        expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert curve.y[place] == pytest.approx(np.mean(values))
        assert (curve.low[place], curve.high[place]) == pytest.approx((expected.low, expected.high))


def test_difference_interpolates_runs_logged_elsewhere() -> None:
    curve = difference("a", 1, [[(line([0, 2, 4]), line([0, 1, 2, 3, 4, 5], step=0.4))]], 0.95)
    assert curve is not None
    assert curve.low is None
    expected = 2 * curve.x - curve.x / 0.4
    assert curve.y == pytest.approx(expected)


def test_difference_averages_the_pairs_of_a_block_first() -> None:
    blocks = [[(line([2, 2]), line([1, 1])), (line([4, 4]), line([1, 1]))]] * 3
    curve = difference("a", 1, blocks, 0.95)
    assert curve is not None
    assert curve.y.tolist() == [2.0, 2.0]


def test_thinning_keeps_the_ends() -> None:
    x, y = thinned(np.arange(10_000.0), np.arange(10_000.0))
    assert len(x) <= MOST_POINTS
    assert (x[0], x[-1], y[-1]) == (0.0, 9999.0, 9999.0)
