"""Closed forms of what an exponential average holds, against the product that they stand for."""

from __future__ import annotations

import math

import pytest

from tricklab.statistics.exponential_average import decay_at, half_life, initial_share, updates_until

DECAYS = (0.05, 0.5, 0.9, 0.99, 0.999, 0.9999)


@pytest.mark.parametrize("warmup", [False, True])
@pytest.mark.parametrize("decay", DECAYS)
def test_the_share_is_the_product_of_the_decays(decay: float, warmup: bool) -> None:
    for updates in (0, 1, 2, 9, 50, 4321):
        exact = math.fsum(math.log(decay_at(update, decay, warmup)) for update in range(updates))
        assert initial_share(updates, decay, warmup) == pytest.approx(math.exp(exact), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("warmup", [False, True])
@pytest.mark.parametrize("decay", DECAYS)
def test_the_first_update_that_reaches_a_share(decay: float, warmup: bool) -> None:
    for share in (0.5, 0.05, 0.001):
        first = updates_until(share, decay, warmup)
        assert initial_share(first, decay, warmup) <= share * (1 + 1e-9)
        assert initial_share(first - 1, decay, warmup) > share


def test_half_life_halves() -> None:
    assert 0.9999 ** half_life(0.9999) == pytest.approx(0.5)
