"""Every rule: evidence with exactly its fault is found, the clean twin is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.doctor.image_cases import IMAGE_CASES
from tests.doctor.mask_cases import MASK_CASES
from tricklab.doctor import Finding, Rule, all_rules, run_rules
from tricklab.records import Evidence


def evidence(**parts: Any) -> Evidence:
    whole: dict[str, Any] = {"recipe": {}, "rows": [], "facts": {}, "events": [], "result": None, "status": {}}
    return Evidence(**(whole | parts))


def train_rows(loss: np.ndarray, lr: np.ndarray | None = None, per_epoch: int = 10) -> list[dict[str, Any]]:
    rates = np.full(len(loss), 1e-3) if lr is None else lr
    return [
        {"phase": "train", "step": i, "epoch": i / per_epoch, "samples_seen": 64 * i, "loss": float(v), "lr": float(r)}
        for i, (v, r) in enumerate(zip(loss, rates, strict=True))
    ]


def val_rows(loss: list[float], every: int) -> list[dict[str, Any]]:
    return [{"phase": "val", "step": every * (i + 1), "epoch": i + 1.0, "val/loss": v} for i, v in enumerate(loss)]


STEPS = np.arange(200)
NOISE = 0.02 * np.random.default_rng(0).normal(size=200)
FALLING = 1.8 * np.exp(-STEPS / 60) + 0.05 + NOISE * np.exp(-STEPS / 60)
RISING = np.where(STEPS < 80, FALLING, FALLING[80] + 0.02 * (STEPS - 80))
RATES = np.where(STEPS < 100, 1e-3, 1e-4)
STEADY = 1.0 + NOISE
DROPPING = np.where(STEPS < 100, STEADY, 0.6 + NOISE)


def metric(value: float, trivial: float) -> dict[str, Any]:
    return {"metric": {"name": "val/oa", "value": value, "mode": "max"}, "trivial": {"val/oa": trivial}}


# rule id: (evidence with the fault, its clean twin)
CASES: dict[str, tuple[Evidence, Evidence]] = {
    "M01": (evidence(result=metric(0.305, 0.30)), evidence(result=metric(0.95, 0.30))),
    "O01": (
        evidence(facts={"loss/initial": 4.0, "loss/expected_initial": 1.79}),
        evidence(facts={"loss/initial": 1.82, "loss/expected_initial": 1.79}),
    ),
    "O04": (evidence(rows=train_rows(RISING)), evidence(rows=train_rows(FALLING))),
    "O07": (evidence(rows=train_rows(DROPPING, RATES)), evidence(rows=train_rows(FALLING, RATES))),
    "O16": (
        evidence(
            recipe={"schedule": [{"type": "MultiStep", "milestones": [41, 76], "begin": 0, "end": None}],
                    "train": {"epochs": 60, "iterations": None, "samples": None}},
            facts={"schedule/planned": [[0, 1.0], [656, 0.1]]},
        ),
        evidence(
            recipe={"schedule": [{"type": "MultiStep", "milestones": [41, 76], "begin": 0, "end": None}],
                    "train": {"epochs": 100, "iterations": None, "samples": None}},
            facts={"schedule/planned": [[0, 1.0], [656, 0.1], [1216, 0.01]]},
        ),
    ),
    "S09": (
        evidence(rows=train_rows(FALLING) + val_rows([1.0, 0.5, 0.6, 0.7, 0.8], 40)),
        evidence(rows=train_rows(FALLING) + val_rows([1.0, 0.5, 0.45, 0.44, 0.44], 40)),
    ),
    "S12": (
        evidence(facts={"evaluate/training_modules": ["dropout"]}),
        evidence(facts={"evaluate/training_modules": []}),
    ),
    "S02": (evidence(facts={"evaluate/repeat_difference": 0.3}), evidence(facts={"evaluate/repeat_difference": 0.0})),
    "S03": (
        evidence(facts={"evaluate/loaded_keys": {"missing": ["a.w"], "unexpected": ["module.a.w"], "loaded": 3}}),
        evidence(facts={"evaluate/loaded_keys": {"missing": [], "unexpected": [], "loaded": 14}}),
    ),
    "D06": (
        evidence(facts={"data/statistics_fitted_on": {"split": "all", "train_pixels": 500, "other_pixels": 6638}}),
        evidence(facts={"data/statistics_fitted_on": {"split": "train", "train_pixels": 500, "other_pixels": 0}}),
    ),
    "D07": (
        evidence(facts={"data/leakage": {"centre_share": 1.0, "touch_share": 1.0, "covered_share": 0.956}}),
        evidence(facts={"data/leakage": {"centre_share": 0.0, "touch_share": 0.0, "covered_share": 0.0}}),
    ),
    "D15": (
        evidence(recipe={"metric": {"monitor": "val/oa", "delta": 0.005}}, facts={"data/sizes": {"val": 500}}),
        evidence(recipe={"metric": {"monitor": "val/oa", "delta": 0.005}}, facts={"data/sizes": {"val": 50_000}}),
    ),
    "S05": (
        evidence(facts={"averaging/distance": {"initial_share": 0.37, "updates": 10_000}}),
        evidence(facts={"averaging/distance": {"initial_share": 0.001, "updates": 10_000}}),
    ),
    "D02": (
        evidence(facts={"data/class_counts": {"train": [5, 5, 5], "val": [10, 0, 3]}}),
        evidence(facts={"data/class_counts": {"train": [5, 5, 5], "val": [0, 0, 0]}}),
    ),
    "D03": (
        evidence(facts={"data/class_counts": {"train": [246, 2, 30]}}),
        evidence(facts={"data/class_counts": {"train": [39, 134, 62]}}),
    ),
    **IMAGE_CASES,
    **MASK_CASES,
}  # fmt: skip


def test_every_rule_has_a_case() -> None:
    assert {rule.id for rule in all_rules()} == set(CASES)


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.id)
def test_planted_fault_is_found_and_clean_twin_is_not(rule: Rule) -> None:
    planted, clean = CASES[rule.id]
    found = rule.check(planted)
    assert isinstance(found, Finding)
    assert found.rule == rule.id
    assert found.numbers
    assert found.causes
    assert found.cheapest_test
    assert rule.check(clean) is None


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.id)
def test_without_facts_nothing_is_claimed(rule: Rule) -> None:
    assert rule.check(evidence()) is None


def test_gravest_first_and_only_the_phase() -> None:
    whole = evidence(
        result=metric(0.3, 0.3),
        facts={"loss/initial": 9.0, "loss/expected_initial": 1.0, "data/class_counts": {"train": [100, 1]}},
    )
    assert [f.severity for f in run_rules(whole)] == ["error", "warning", "note"]
    assert [f.rule for f in run_rules(whole, "first_steps")] == ["O01"]


def test_a_rule_that_crashes_is_reported_and_the_rest_goes_on() -> None:
    class Broken(Rule):
        id = "X99"
        phases = ("evaluation",)

        def check(self, evidence: Evidence) -> Finding | None:
            raise KeyError("gone")

    rules = [Broken(), *[r for r in all_rules() if r.id == "M01"]]
    found = run_rules(evidence(result=metric(0.3, 0.3)), rules=rules)
    assert [f.rule for f in found] == ["M01", "X99"]
    assert "KeyError" in found[1].title


def test_a_loss_that_is_not_finite_is_named_with_its_step() -> None:
    loss = FALLING.copy()
    loss[120:] = np.nan
    (found,) = [f for f in run_rules(evidence(rows=train_rows(loss))) if f.rule == "O04"]
    assert "step 120" in found.title


def test_a_loss_that_leaps_away_from_its_start_is_found() -> None:
    loss = FALLING.copy()
    loss[3] = 22.0
    (found,) = [f for f in run_rules(evidence(rows=train_rows(loss))) if f.rule == "O04"]
    assert "leapt" in found.title
    assert "step 3" in found.title


def test_the_fix_is_a_recipe_diff() -> None:
    found = next(r for r in all_rules() if r.id == "O04").check(
        evidence(rows=train_rows(RISING), recipe={"optimizer": {"lr": 1e-3}})
    )
    assert found is not None
    assert found.fix[0] == "optimizer.lr=0.0002"


def scheduled(schedule: dict[str, Any], **train: Any) -> list[str]:
    recipe = {"schedule": [schedule], "train": {"batch_size": 64, "accumulate": 1, **train}}
    found = run_rules(evidence(recipe=recipe, facts={"data/sizes": {"train": 1000}}))
    return [finding.title for finding in found if finding.rule == "O16"]


@pytest.mark.parametrize(
    ("schedule", "length", "late"),
    [
        ({"type": "MultiStep", "milestones": [800], "unit": "iterations"}, {"epochs": 50}, True),  # 16 steps an epoch
        ({"type": "MultiStep", "milestones": [799], "unit": "iterations"}, {"epochs": 50}, False),
        ({"type": "MultiStep", "milestones": [41]}, {"samples": 41_000}, True),
        ({"type": "MultiStep", "milestones": [41]}, {"samples": 42_000}, False),
        ({"type": "MultiStep", "milestones": [5], "begin": 6}, {"epochs": 10}, True),
        ({"type": "MultiStep", "milestones": [5], "end": 5}, {"epochs": 10}, True),
        ({"type": "MultiStep", "milestones": [5], "begin": 4}, {"epochs": 10}, False),
        ({"type": "Step", "step_size": 10}, {"epochs": 10}, True),
        ({"type": "Step", "step_size": 9}, {"epochs": 10}, False),
        ({"type": "LinearWarmup", "end": 5}, {"epochs": 4}, True),
        ({"type": "LinearWarmup", "end": 5}, {"epochs": 5}, False),
        ({"type": "Constant", "factor": 0.1, "begin": 10}, {"epochs": 10}, True),
        ({"type": "Cosine"}, {"epochs": 10}, False),
        ({"type": "ReduceOnPlateau"}, {"epochs": 10}, False),
    ],
)
def test_what_lies_beyond_the_run_is_found_in_every_unit(
    schedule: dict[str, Any], length: dict[str, int], late: bool
) -> None:
    assert bool(scheduled(schedule, **length)) is late


def test_noise_around_a_loss_that_was_low_from_the_first_row_is_no_high_learning_rate() -> None:
    loss = np.abs(0.01 * np.random.default_rng(1).normal(size=200)) + 0.005
    loss[[120, 124, 150, 154]] = 0.3
    rows = train_rows(loss)
    assert [f.rule for f in run_rules(evidence(rows=rows, facts={"loss/initial": 1.79})) if f.rule == "O04"] == []
    assert [f.rule for f in run_rules(evidence(rows=rows)) if f.rule == "O04"] == ["O04"]


def test_the_lowest_of_many_noisy_evaluations_is_no_overfitting() -> None:
    rng = np.random.default_rng(2)
    fired = 0
    for _ in range(200):
        noisy = 0.05 * np.exp(0.3 * rng.normal(size=40))
        found = run_rules(evidence(rows=train_rows(FALLING) + val_rows(noisy.tolist(), 5)))
        fired += any(finding.rule == "S09" for finding in found)
    assert fired <= 10
    rising = np.concatenate([np.geomspace(1, 0.1, 15), np.linspace(0.1, 0.4, 25)]) * np.exp(0.1 * rng.normal(size=40))
    found = run_rules(evidence(rows=train_rows(FALLING) + val_rows(rising.tolist(), 5)))
    assert "S09" in {finding.rule for finding in found}


def held(averaging: dict[str, Any], model: dict[str, Any] | None = None, **train: Any) -> list[str]:
    """Titles of S05 before a training on 1,000 items, 16 steps an epoch."""
    sections = {"evaluate": {"averaging": averaging}, "model": model or {"type": "timm"}}
    recipe = {**sections, "train": {"batch_size": 64, "accumulate": 1, **train}}
    found = run_rules(evidence(recipe=recipe, facts={"data/sizes": {"train": 1000}}), "before")
    return [finding.title for finding in found if finding.rule == "S05"]


def test_what_an_average_will_hold_is_known_before_the_training() -> None:
    slow = {"type": "Ema", "decay": 0.9999, "warmup": False, "every": 1}
    (title,) = held(slow, iterations=10_000)
    assert "after 10,000 updates the average will hold 37% of the initial weights" in title
    assert "random, so it is useless until about update 29,956" in title
    (title,) = held(slow, {"type": "timm", "pretrained": True}, epochs=100)
    assert "after 1,600 updates the average will hold 85%" in title
    assert "pre-trained, so it looks fine while it lacks 85%" in title
    assert "pre-trained" in held(slow, {"type": "GroupMamba", "weights": "w.pth"}, epochs=100)[0]
    assert "after 1,000 updates" in held({**slow, "every": 10}, iterations=10_000)[0]
    assert held({**slow, "warmup": True}, iterations=10_000) == []
    assert held({**slow, "decay": 0.99}, iterations=10_000) == []
    assert held({"type": "Swa", "start": 0.75}, iterations=100) == []
    assert held(slow) == []
