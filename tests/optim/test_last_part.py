"""Schedules that take over in the last part of a run, against torch and the papers' formulas."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import pytest
import torch
from torch.optim.swa_utils import SWALR

from tricklab.errors import UserError
from tricklab.optim import Clock, Schedules
from tricklab.optim.cycles import cycles_of

CLOCK = Clock(steps_per_epoch=1, batch_size=4, total_steps=40)


def factors(*configs: dict[str, Any], clock: Clock = CLOCK) -> list[float]:
    schedules = Schedules(configs, clock)
    return [schedules.factor(step) for step in range(clock.total_steps)]


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("epochs", [0, 4, 25])
def test_swalr_is_torchs(strategy: Any, epochs: int) -> None:
    before = factors({"type": "Cosine"})
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))], lr=before[30])
    schedule = SWALR(optimizer, swa_lr=0.4, anneal_epochs=epochs, anneal_strategy=strategy)
    expected = []
    for _ in range(10):
        expected.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            schedule.step()
    ours = {"type": "SWALR", "lr_ratio": 0.4, "start": 0.75, "anneal_epochs": epochs, "anneal_strategy": strategy}
    found = factors({"type": "Cosine"}, ours)
    assert found[:30] == before[:30]
    # torch takes one step at the old rate even where nothing is to be annealed
    skip = 1 if epochs == 0 else 0
    assert found[30 + skip :] == pytest.approx(expected[skip:], rel=1e-12)


def test_a_cosine_cycle_is_the_snapshot_papers() -> None:
    found = factors({"type": "EqualCycles", "cycles": 4})
    cycle = math.ceil(40 / 4)
    # equation 2, with iterations from 1
    assert found == pytest.approx([(math.cos(math.pi * ((t - 1) % cycle) / cycle) + 1) / 2 for t in range(1, 41)])


def test_a_linear_cycle_is_the_swa_papers() -> None:
    config = {"type": "EqualCycles", "cycles": 2, "start": 0.5, "shape": "linear", "high": 0.5, "low": 0.005}
    found = factors({"type": "Poly"}, config)
    shares = [((i - 1) % 10 + 1) / 10 for i in range(1, 21)]
    assert found[20:] == pytest.approx([(1 - t) * 0.5 + t * 0.005 for t in shares])
    assert found[:20] == factors({"type": "Poly"})[:20]


def test_a_triangle_is_fges_and_its_last_one_ends_at_the_low_rate() -> None:
    config = {"type": "EqualCycles", "cycles": 3, "start": 0.5, "shape": "triangle", "high": 0.5, "low": 0.1}
    found = factors({"type": "Poly"}, config)[20:]

    def alpha(i: int, c: int = 8) -> float:
        t = ((i - 1) % c + 1) / c
        return (1 - 2 * t) * 0.5 + 2 * t * 0.1 if t <= 0.5 else (2 - 2 * t) * 0.1 + (2 * t - 1) * 0.5

    assert found == pytest.approx([alpha(i) for i in range(1, 21)])
    assert found[-1] == pytest.approx(0.1)


def test_a_warm_up_still_multiplies_and_another_decay_does_not() -> None:
    warm = {"type": "LinearWarmup", "end": 30}
    cycles = {"type": "EqualCycles", "cycles": 4}
    alone, rising = factors(cycles), factors(warm)
    assert factors({"type": "Poly"}, cycles) == alone
    assert factors(warm, cycles) == pytest.approx([a * b for a, b in zip(alone, rising, strict=True)])


@pytest.mark.parametrize("shape", ["cosine", "linear", "triangle"])
@pytest.mark.parametrize(("cycles", "start", "total"), [(3, 0.0, 100), (5, 0.75, 41), (1, 0.7, 7), (7, 0.31, 1001)])
def test_cycles_follow_each_other_and_end_with_the_run(shape: Any, cycles: int, start: float, total: int) -> None:
    clock = Clock(steps_per_epoch=3, batch_size=4, total_steps=total)
    found = cycles_of(cycles, start, shape, clock, "here")
    assert found[0].first == math.ceil(start * total)
    assert found[-1].low == found[-1].end == total
    assert all(one.end == other.first for one, other in itertools.pairwise(found))
    assert all(one.first < one.low <= one.end for one in found)
    rates = factors({"type": "EqualCycles", "cycles": cycles, "start": start, "shape": shape, "low": 0.1}, clock=clock)
    for one in found:
        assert rates[one.low - 1] == min(rates[one.first : one.end])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match="30 cycles do not fit into the last 20 steps"):
        factors({"type": "EqualCycles", "cycles": 30, "start": 0.5})
    with pytest.raises(UserError, match="two schedules take over: SWALR, EqualCycles"):
        factors({"type": "SWALR", "lr_ratio": 0.5}, {"type": "EqualCycles", "cycles": 3})
    with pytest.raises(UserError, match=r"EqualCycles\.low"):
        factors({"type": "EqualCycles", "cycles": 3, "low": 1.0})
    with pytest.raises(UserError, match=r"start"):
        factors({"type": "SWALR", "lr_ratio": 0.5, "start": 1.0})
