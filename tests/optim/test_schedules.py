"""Every schedule against torch.optim.lr_scheduler, step by step in float64, and against document 002's own loop."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as torch_schedules

from tricklab import registry
from tricklab.errors import UserError
from tricklab.optim import Clock, Schedules

STEPS = 120
CLOCK = Clock(steps_per_epoch=8, batch_size=4, total_steps=STEPS, samples_per_epoch=30)


def torch_rates(kind: type[Any], momentum: bool = False, **arguments: Any) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    schedule = kind(optimizer, **arguments)
    found = []
    for _ in range(STEPS):
        found.append(float(optimizer.param_groups[0]["momentum" if momentum else "lr"]))
        optimizer.step()
        with warnings.catch_warnings():
            # torch deprecated the path that its own scheduler takes inside step()
            warnings.simplefilter("ignore")
            schedule.step()
    return found


def our_factors(config: dict[str, Any], clock: Clock = CLOCK) -> list[float]:
    schedule = registry.build("schedule", config)
    return [schedule.factor(step, clock) for step in range(clock.total_steps)]


ITERATIONS = {"unit": "iterations"}
PAIRS: list[tuple[str, dict[str, Any], type[Any], dict[str, Any]]] = [
    ("step", {"type": "Step", "step_size": 7, "gamma": 0.5}, torch_schedules.StepLR, {"step_size": 7, "gamma": 0.5}),
    (
        "multi_step",
        {"type": "MultiStep", "milestones": [3, 41, 76]},
        torch_schedules.MultiStepLR,
        {"milestones": [3, 41, 76]},
    ),
    ("poly", {"type": "Poly", "power": 0.9}, torch_schedules.PolynomialLR, {"total_iters": STEPS, "power": 0.9}),
    (
        "poly_end",
        {"type": "Poly", "power": 2.0, "end": 50},
        torch_schedules.PolynomialLR,
        {"total_iters": 50, "power": 2.0},
    ),
    (
        "cosine",
        {"type": "Cosine", "eta_min_ratio": 0.05},
        torch_schedules.CosineAnnealingLR,
        {"T_max": STEPS, "eta_min": 0.05},
    ),
    (
        "restarts",
        {"type": "CosineRestarts", "period": 10, "multiplier": 2, "eta_min_ratio": 0.01},
        torch_schedules.CosineAnnealingWarmRestarts,
        {"T_0": 10, "T_mult": 2, "eta_min": 0.01},
    ),
    (
        "restarts_equal",
        {"type": "CosineRestarts", "period": 9},
        torch_schedules.CosineAnnealingWarmRestarts,
        {"T_0": 9},
    ),
    *[
        (
            f"cyclic_{mode}",
            {
                "type": "Cyclic",
                "step_size_up": 8,
                "step_size_down": 12,
                "mode": mode,
                "gamma": gamma,
                "base_ratio": 0.1,
            },
            torch_schedules.CyclicLR,
            {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 8, "step_size_down": 12, "mode": mode, "gamma": gamma}
            | {"cycle_momentum": False},
        )
        for mode, gamma in (("triangular", 1.0), ("triangular2", 1.0), ("exp_range", 0.97))
    ],
    *[
        (
            f"one_cycle_{strategy}_{three}",
            {"type": "OneCycle", "anneal_strategy": strategy, "three_phase": three, "pct_start": 0.37},
            torch_schedules.OneCycleLR,
            {
                "max_lr": 1.0,
                "total_steps": STEPS,
                "anneal_strategy": strategy,
                "three_phase": three,
                "pct_start": 0.37,
            },
        )
        for strategy in ("cos", "linear")
        for three in (True, False)
    ],
    (
        "constant",
        {"type": "Constant", "factor": 0.25, "end": 20},
        torch_schedules.ConstantLR,
        {"factor": 0.25, "total_iters": 20},
    ),
    (
        "warmup",
        {"type": "LinearWarmup", "end": 20, "start_factor": 0.1},
        torch_schedules.LinearLR,
        {"start_factor": 0.1, "total_iters": 20},
    ),
]


@pytest.mark.parametrize(("config", "kind", "arguments"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
def test_every_step_equals_torch(config: dict[str, Any], kind: type[Any], arguments: dict[str, Any]) -> None:
    ours = our_factors({**config, **ITERATIONS})
    assert ours == pytest.approx(torch_rates(kind, **arguments), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("three_phase", [True, False])
def test_one_cycle_moves_momentum_as_torch(three_phase: bool) -> None:
    ours = registry.build("schedule", {"type": "OneCycle", "three_phase": three_phase, "unit": "iterations"})
    theirs = torch_rates(
        torch_schedules.OneCycleLR, momentum=True, max_lr=1.0, total_steps=STEPS, three_phase=three_phase
    )
    assert [ours.momentum(step, CLOCK) for step in range(STEPS)] == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize(("patience", "cooldown"), [(0, 0), (2, 0), (1, 3)])
def test_plateau_equals_torch(mode: str, threshold_mode: str, patience: int, cooldown: int) -> None:
    shared: dict[str, Any] = {"mode": mode, "factor": 0.5, "patience": patience, "cooldown": cooldown}
    shared |= {"threshold": 0.02, "threshold_mode": threshold_mode}
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch_schedules.ReduceLROnPlateau(optimizer, min_lr=0.01, **shared)
    ours = registry.build("schedule", {"type": "ReduceOnPlateau", "min_ratio": 0.01, **shared})
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(200, generator=generator, dtype=torch.float64) * 0.05
    values = [1 + math.exp(-i / 20) * (1 if mode == "min" else -1) + float(noise[i]) for i in range(200)]
    for value in values:
        theirs.step(value)
        before = ours.factor(0, CLOCK)
        assert ours.observe(value) == (optimizer.param_groups[0]["lr"] < before)
        assert ours.factor(0, CLOCK) == optimizer.param_groups[0]["lr"]
    assert ours.factor(0, CLOCK) == 0.01


def test_document_002s_decay_is_a_multi_step_at_41_and_76() -> None:
    clock = Clock(steps_per_epoch=16, batch_size=64, total_steps=1600)
    schedule = registry.build("schedule", {"type": "MultiStep", "milestones": [41, 76]})
    for epoch in range(100):
        lr = 0.0001
        if epoch > 40:
            lr = 0.00001
        if epoch > 75:
            lr = 0.000001
        for step in (epoch * 16, epoch * 16 + 15):
            assert 0.0001 * schedule.factor(step, clock) == pytest.approx(lr, rel=1e-12)


@pytest.mark.parametrize(
    ("config", "unit_length"),
    [
        ({"type": "Cosine"}, 15),
        ({"type": "Poly"}, 15),
        ({"type": "CosineRestarts", "period": 4}, 15),
        ({"type": "Step", "step_size": 4}, 15),
    ],
)
def test_epochs_meet_torch_at_each_epochs_start(config: dict[str, Any], unit_length: int) -> None:
    kinds: dict[str, tuple[type[Any], dict[str, Any]]] = {
        "Cosine": (torch_schedules.CosineAnnealingLR, {"T_max": unit_length}),
        "Poly": (torch_schedules.PolynomialLR, {"total_iters": unit_length, "power": 0.9}),
        "CosineRestarts": (torch_schedules.CosineAnnealingWarmRestarts, {"T_0": 4}),
        "Step": (torch_schedules.StepLR, {"step_size": 4}),
    }
    kind, arguments = kinds[config["type"]]
    by_epoch = torch_rates(kind, **arguments)[:unit_length]
    assert our_factors(config)[:: CLOCK.steps_per_epoch] == pytest.approx(by_epoch, rel=1e-12, abs=1e-15)


def test_samples_count_the_short_last_batch() -> None:
    # 30 samples an epoch in 8 steps: 7 of 4 and one of 2
    assert [CLOCK.samples_at(step) for step in (1, 7, 8, 9, 16)] == [4, 28, 30, 34, 60]
    drops = our_factors({"type": "MultiStep", "milestones": [30, 62], "unit": "samples"})
    assert drops[7:9] == [1.0, 0.1]
    assert drops[16:18] == [0.1, pytest.approx(0.01)]


def test_before_begin_and_after_end_the_factor_is_held() -> None:
    factors = our_factors({"type": "Cosine", "begin": 5, "end": 10, "eta_min_ratio": 0.2})
    assert factors[:41] == [1.0] * 41
    assert factors[60] == pytest.approx(0.6)
    assert factors[80:] == pytest.approx([0.2] * 40)
    held = our_factors({"type": "CosineRestarts", "period": 5, "end": 10})
    assert held[80:] == pytest.approx([0.0] * 40, abs=1e-15)
    assert our_factors({"type": "Constant", "factor": 0.5, "begin": 2, "end": 4})[15:33] == [1.0] + [0.5] * 16 + [1.0]


def test_a_list_multiplies() -> None:
    schedules = Schedules(
        [{"type": "LinearWarmup", "end": 5, "start_factor": 0.01}, {"type": "Cosine", "begin": 5}], CLOCK
    )
    warm, cosine = (
        registry.build("schedule", config)
        for config in (
            {"type": "LinearWarmup", "end": 5, "start_factor": 0.01},
            {"type": "Cosine", "begin": 5},
        )
    )
    for step in range(STEPS):
        assert schedules.factor(step) == warm.factor(step, CLOCK) * cosine.factor(step, CLOCK)
    assert schedules.factor(0) == pytest.approx(0.01)
    assert schedules.factor(40) == 1.0


def test_no_schedule_leaves_the_rate() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    schedules = Schedules([], CLOCK)
    assert [schedules.apply(optimizer, step) for step in range(3)] == [0.3] * 3
    assert schedules.planned() == [[0, 1.0]]


def test_applying_keeps_the_groups_apart_and_needs_no_history() -> None:
    first, second = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer = torch.optim.AdamW([{"params": [first], "lr": 0.1}, {"params": [second], "lr": 0.01}], betas=(0.9, 0.99))
    schedules = Schedules([{"type": "MultiStep", "milestones": [2]}, {"type": "OneCycle", "div_factor": 1.0}], CLOCK)
    schedules.apply(optimizer, 100)
    assert schedules.apply(optimizer, 0) == pytest.approx(0.1)
    assert optimizer.param_groups[1]["lr"] == pytest.approx(0.01)
    assert optimizer.param_groups[0]["betas"] == (0.95, 0.99)


def test_planned_changes_stand_at_their_steps() -> None:
    assert Schedules([{"type": "MultiStep", "milestones": [3, 7.5]}], CLOCK).planned() == [
        [0, 1.0],
        [24, 0.1],
        [60, pytest.approx(0.01)],
    ]
    thinned = Schedules([{"type": "Cosine"}], CLOCK).planned(points=20)
    assert len(thinned) == 20
    assert thinned[0] == [0, 1.0]
    assert thinned[-1][0] == STEPS - 1


def test_a_plateau_in_a_list_goes_on_after_a_stop() -> None:
    configs = [{"type": "Cosine"}, {"type": "ReduceOnPlateau", "patience": 1, "mode": "max", "monitor": "val/oa"}]
    one, other = Schedules(configs, CLOCK), Schedules(configs, CLOCK)
    assert one.watches == ["val/oa"]
    assert [one.observe({"val/oa": value}) for value in (0.5, 0.5)] == [[], []]
    other.load_state_dict(one.state_dict())
    assert one.observe({"val/oa": 0.4}) == other.observe({"val/oa": 0.4}) == ["ReduceOnPlateau"]
    assert (
        one.factor(30)
        == other.factor(30)
        == pytest.approx(0.1 * registry.build("schedule", configs[0]).factor(30, CLOCK))
    )
    with pytest.raises(UserError, match="no evaluation gives 'val/oa'"):
        one.observe({"val/aa": 1.0})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "MultiStep", "milestones": [76, 41]}, "must be above zero and rise"),
        ({"type": "MultiStep", "milestones": []}, "must be above zero and rise"),
        ({"type": "MultiStep", "milestones": [0, 4]}, "must be above zero and rise"),
        ({"type": "MultiStep", "milestones": [41], "gamma": 0.0}, r"MultiStep\.gamma: must be above zero"),
        ({"type": "Cosine", "begin": 5, "end": 5}, r"end \(5.*\) must lie after begin"),
        ({"type": "Cosine", "eta_min_ratio": 2.0}, r"must lie in \[0, 1\]"),
        ({"type": "Cosine", "begin": 200}, "the run ends after 15 epochs"),
        ({"type": "Cosine", "begin": -1}, "must not be negative"),
        ({"type": "LinearWarmup", "end": 3, "start_factor": 0.0}, "between 0 and 1"),
        ({"type": "OneCycle", "base_momentum": 1.0}, r"OneCycle\.base_momentum"),
        ({"type": "OneCycle", "three_phase": True, "pct_start": 0.6}, "at most 0.5"),
        ({"type": "OneCycle", "begin": 15}, "at least two steps"),
        ({"type": "CosineRestarts", "period": 5, "multiplier": 0}, "1 or more"),
        ({"type": "ReduceOnPlateau", "factor": 1.0}, "between 0 and 1"),
        ({"type": "ReduceOnPlateau", "patience": -1}, "must not be negative"),
        ({"type": "Step", "step_size": 0}, "must be above zero"),
        ({"type": "Cyclic", "step_size_up": 4, "step_size_down": 0}, "must be above zero"),
        ({"type": "Step", "step_sise": 3}, "did you mean 'step_size'"),
    ],
)
def test_wrong_values_are_named(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Schedules([config], CLOCK)


def test_two_schedules_cannot_move_the_momentum() -> None:
    with pytest.raises(UserError, match="two schedules move the momentum"):
        Schedules([{"type": "OneCycle"}, {"type": "OneCycle"}], CLOCK)


def test_an_optimizer_without_momentum_is_refused() -> None:
    optimizer = torch.optim.Adagrad([torch.nn.Parameter(torch.zeros(1))])
    with pytest.raises(UserError, match="no momentum to move"):
        Schedules([{"type": "OneCycle"}], CLOCK).apply(optimizer, 0)
    Schedules([{"type": "OneCycle", "base_momentum": None}], CLOCK).apply(optimizer, 0)


def test_moments_in_tenths_of_an_epoch_are_not_a_step_late() -> None:
    clock = Clock(steps_per_epoch=10, batch_size=8, total_steps=30)
    drops = Schedules([{"type": "Step", "step_size": 0.1, "gamma": 0.5}], clock)
    assert [drops.factor(step) for step in range(30)] == [0.5**step for step in range(30)]
    late = Schedules([{"type": "MultiStep", "milestones": [0.2], "begin": 0.1}], clock)
    assert [late.factor(step) for step in (2, 3)] == [1.0, 0.1]
    restarts = Schedules([{"type": "CosineRestarts", "period": 0.3}], clock)
    assert [restarts.factor(step) for step in range(0, 30, 3)] == pytest.approx([1.0] * 10)
