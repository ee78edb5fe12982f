"""Pocock levels against the figures of 400,000 simulations and against fresh ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tricklab.errors import UserError
from tricklab.statistics.looks import crossing, level_for, pocock_level


def simulated(looks: tuple[int, ...], level: float, trials: int, seed: int) -> float:
    data = np.random.default_rng(seed).standard_normal((trials, looks[-1]))
    crossed = np.zeros(trials, dtype=bool)
    for count in looks:
        crossed |= stats.ttest_1samp(data[:, :count], 0.0, axis=1).pvalue < level
    return float(crossed.mean())


@pytest.mark.parametrize(
    ("looks", "published"),
    [((3, 5), 0.0280), ((3, 5, 8), 0.0200), ((3, 5, 10), 0.0192), ((5, 10), 0.0278), ((5, 7, 10), 0.0225),
     ((4, 6, 8, 10), 0.0180)],
)  # fmt: skip
def test_computed_levels_are_the_published_ones(looks: tuple[int, ...], published: float) -> None:
    assert pocock_level(looks) == pytest.approx(published, abs=2.5e-4)


def test_every_block_from_three_to_ten() -> None:
    assert pocock_level(tuple(range(3, 11))) == pytest.approx(0.0121, abs=4e-4)


def test_the_declared_levels_are_used_as_declared() -> None:
    assert level_for([5, 10]) == 0.0278
    assert level_for([3, 5, 10]) == 0.0192
    assert crossing((5, 10), 0.0278) <= 0.05
    assert crossing((3, 5, 10), 0.0192) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize(("looks", "lowest", "highest"), [((5, 10), 0.083, 0.090), ((3, 5, 10), 0.115, 0.125)])
def test_peeking_at_the_five_percent_level_errs_too_often(
    looks: tuple[int, ...], lowest: float, highest: float
) -> None:
    assert lowest < crossing(looks, 0.05) < highest


@pytest.mark.parametrize("looks", [(5, 10), (2, 4), (6, 7), (4, 8, 9), (20, 40)])
def test_crossing_is_the_simulated_one(looks: tuple[int, ...]) -> None:
    trials = 60_000
    for level in (0.03, 0.2):
        expected = crossing(looks, level)
        error = np.sqrt(expected * (1 - expected) / trials)
        assert simulated(looks, level, trials, seed=sum(looks)) == pytest.approx(expected, abs=4 * error)


def test_one_look_none_and_final_spend_everything() -> None:
    assert level_for([]) == level_for([5]) == level_for([5, 10], final=True) == level_for([1, 2]) == 0.05
    assert crossing((7,), 0.05) == pytest.approx(0.05, abs=1e-9)


def test_levels_rise_to_the_normal_limit() -> None:
    levels = [pocock_level((n, 2 * n)) for n in (2, 3, 5, 10, 50)]
    assert levels == sorted(levels)
    assert levels[-1] < 0.0294


@pytest.mark.parametrize("looks", [[5, 5], [10, 5], [0, 5], [-1]])
def test_looks_must_rise(looks: list[int]) -> None:
    with pytest.raises(UserError, match="rising"):
        level_for(looks)
