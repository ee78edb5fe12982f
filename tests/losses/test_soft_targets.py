"""Losses of soft targets: what classes give where they are one-hot, and their formula elsewhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from tricklab import registry
from tricklab.errors import UserError
from tricklab.losses import Losses

COUNTS = [20, 5, 0, 75]
WEIGHT = [1.0, 2.0, 0.5, 3.0]
CONFIGS: list[dict[str, Any]] = [
    {"type": "CrossEntropyLoss", "class_weight": weight, "label_smoothing": smoothing, "divisor": divisor}
    for weight in (None, WEIGHT, "balanced")
    for smoothing in (0.0, 0.1)
    for divisor in ("weights", "count")
] + [{"type": "FocalLoss", "gamma": gamma, "alpha": alpha} for gamma in (0.0, 2.0) for alpha in (None, WEIGHT)]


def scores(count: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(count, 4, generator=generator, dtype=torch.float64).requires_grad_()
    return logits, torch.tensor([0, 1, 2, 3, -1, 0, 3, 3, -1, 1, 0, 3])[:count]


def one_hot(target: torch.Tensor) -> torch.Tensor:
    return functional.one_hot(target.clamp(min=0), 4).double() * (target >= 0).unsqueeze(1)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_one_hot_rows_give_what_classes_give(config: dict[str, Any]) -> None:
    logits, target = scores()
    loss = registry.build("loss", config, class_counts=COUNTS)
    hard = loss(logits, {"target": target})
    (wanted,) = torch.autograd.grad(hard, logits)
    soft = loss(logits, {"target": target, "soft_target": one_hot(target)})
    (found,) = torch.autograd.grad(soft, logits)
    assert soft.item() == pytest.approx(hard.item(), rel=1e-14)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_mixed_rows_follow_the_formula(config: dict[str, Any]) -> None:
    logits, target = scores()
    share = 0.3
    soft = share * one_hot(target) + (1 - share) * one_hot(target).flip(0)
    loss = registry.build("loss", config, class_counts=COUNTS)
    weight = loss.class_weight if config["type"] == "CrossEntropyLoss" else loss.alpha
    weights = [1.0] * 4 if weight is None else weight.tolist()
    total = over = 0.0
    for row, wanted in zip(logits.detach().softmax(1).tolist(), soft.tolist(), strict=True):
        labelled = sum(wanted)
        for k in range(4):
            if config["type"] == "FocalLoss":
                total -= weights[k] * wanted[k] * (1 - row[k]) ** config["gamma"] * math.log(row[k])
                over += wanted[k]
            else:
                smoothing = config["label_smoothing"]
                total -= weights[k] * ((1 - smoothing) * wanted[k] + smoothing * labelled / 4) * math.log(row[k])
                over += wanted[k] * (weights[k] if config["divisor"] == "weights" else 1)
    assert loss(logits, {"target": target, "soft_target": soft}).item() == pytest.approx(total / over, rel=1e-12)
    assert torch.autograd.gradcheck(lambda x: loss(x, {"soft_target": soft}), (logits,))


def test_without_weights_it_is_torchs_loss_of_probabilities_and_with_them_its_divisor_differs() -> None:
    logits, target = scores(4)
    soft = 0.3 * one_hot(target) + 0.7 * one_hot(target).flip(0)
    for smoothing in (0.0, 0.2):
        loss = registry.build("loss", {"type": "CrossEntropyLoss", "label_smoothing": smoothing}, class_counts=None)
        theirs = functional.cross_entropy(logits, soft, label_smoothing=smoothing)
        assert loss(logits, {"soft_target": soft}).item() == pytest.approx(theirs.item(), rel=1e-14)
    weighted = registry.build("loss", {"type": "CrossEntropyLoss", "class_weight": WEIGHT}, class_counts=None)
    weight = torch.tensor(WEIGHT, dtype=torch.float64)
    theirs = functional.cross_entropy(logits, soft, weight) * 4 / (soft @ weight).sum()
    assert weighted(logits, {"soft_target": soft}).item() == pytest.approx(theirs.item(), rel=1e-14)


def test_maps_of_soft_targets_count_every_position() -> None:
    logits, target = scores()
    soft = 0.5 * one_hot(target) + 0.5 * one_hot(target).flip(0)
    maps = {"soft_target": soft.T.reshape(1, 4, 3, 4)}
    for config in (CONFIGS[2], CONFIGS[6], CONFIGS[-1]):
        loss = registry.build("loss", config, class_counts=COUNTS)
        found = loss(logits.T.reshape(1, 4, 3, 4), maps)
        assert found.item() == pytest.approx(loss(logits, {"soft_target": soft}).item(), rel=1e-12)


@pytest.mark.parametrize("kind", ["CrossEntropyLoss", "FocalLoss"])
def test_rows_of_zeros_give_zero_and_no_gradient(kind: str) -> None:
    logits, _ = scores()
    loss = registry.build("loss", {"type": kind}, class_counts=None)(logits, {"soft_target": torch.zeros(12, 4)})
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_smoothing_is_applied_once() -> None:
    certain = torch.tensor([[50.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    loss = registry.build("loss", {"type": "CrossEntropyLoss", "label_smoothing": 0.2}, class_counts=None)
    soft = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    assert loss(certain, {"soft_target": soft}).item() == pytest.approx(0.2 * 0.75 * 50, rel=1e-12)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_mixing_does_not_change_the_expected_initial_loss(config: dict[str, Any]) -> None:
    losses = Losses([config], class_counts=COUNTS)
    target = torch.from_numpy(np.random.default_rng(0).permutation(np.repeat(np.arange(4), COUNTS)))
    soft = 0.3 * one_hot(target) + 0.7 * one_hot(target).flip(0)
    total, _ = losses({"main": torch.zeros(100, 4, dtype=torch.float64)}, {"target": target, "soft_target": soft})
    assert losses.expected_initial(4) == pytest.approx(total.item(), rel=1e-12)


def test_half_precision_scores_are_computed_in_float32() -> None:
    logits, target = scores()
    soft = (0.3 * one_hot(target) + 0.7 * one_hot(target).flip(0)).float()
    for kind in ("CrossEntropyLoss", "FocalLoss"):
        loss = registry.build("loss", {"type": kind}, class_counts=None)
        found = loss(logits.to(torch.bfloat16), {"soft_target": soft})
        assert found.dtype == torch.float32
        exact = loss(logits.to(torch.bfloat16).double(), {"soft_target": soft.double()})
        assert found.item() == pytest.approx(exact.item(), rel=1e-6)


def test_a_term_that_ignores_a_class_needs_one_class_each() -> None:
    logits, target = scores()
    losses = Losses([{"type": "CrossEntropyLoss"}, {"type": "FocalLoss", "ignore_index": 0}], None)
    losses({"main": logits}, {"target": target})
    with pytest.raises(UserError, match=r"FocalLoss ignores class 0.*data\.ignore"):
        losses({"main": logits}, {"target": target, "soft_target": one_hot(target)})


def test_another_shape_is_refused() -> None:
    logits, _ = scores()
    loss = registry.build("loss", {"type": "CrossEntropyLoss"}, class_counts=None)
    with pytest.raises(UserError, match=r"soft targets \(12, 5\) for scores \(12, 4\)"):
        loss(logits, {"soft_target": torch.zeros(12, 5)})
