"""Optimizers take the torch optimizers' steps, in groups that hold every parameter once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.optim import build_optimizer, describe_groups, unmatched_parameters


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).double()


def train(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    data = torch.arange(18, dtype=torch.float64).reshape(6, 3).sin()
    for _ in range(5):
        optimizer.zero_grad()
        model(data).square().sum().backward()
        optimizer.step()
    return [parameter.detach().clone() for parameter in model.parameters()]


@pytest.mark.parametrize(
    ("config", "kind", "arguments"),
    [
        ({"type": "Adam", "lr": 0.01, "betas": [0.8, 0.99]}, torch.optim.Adam, {"lr": 0.01, "betas": (0.8, 0.99)}),
        (
            {"type": "Adam", "lr": 0.01, "weight_decay": 0.1, "amsgrad": True, "eps": 1e-4},
            torch.optim.Adam,
            {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True, "eps": 1e-4},
        ),
        ({"type": "AdamW", "lr": 0.01, "weight_decay": 0.1}, torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
        (
            {"type": "SGD", "lr": 0.01, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True},
            torch.optim.SGD,
            {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True},
        ),
        (
            {"type": "SGD", "lr": 0.01, "momentum": 0.9, "dampening": 0.5},
            torch.optim.SGD,
            {"lr": 0.01, "momentum": 0.9, "dampening": 0.5},
        ),
    ],
)
def test_steps_equal_torch(config: dict[str, Any], kind: type[Any], arguments: dict[str, Any]) -> None:
    ours, theirs = network(), network()
    found = train(ours, build_optimizer(config, ours))
    fused = {} if kind is torch.optim.SGD else {"fused": True}
    expected = train(theirs, kind(theirs.parameters(), **arguments, **fused))
    assert all(a.equal(b) for a, b in zip(found, expected, strict=True))
    plain = network()
    expected = train(plain, kind(plain.parameters(), **arguments, foreach=False))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


def test_norm_and_bias_can_be_left_undecayed() -> None:
    model = network()
    optimizer = build_optimizer({"type": "AdamW", "weight_decay": 0.1, "decay_norm_and_bias": False}, model)
    names = {group["weight_decay"]: group["names"] for group in optimizer.param_groups}
    assert names == {0.1: ["0.weight", "2.weight"], 0.0: ["0.bias", "1.weight", "1.bias", "2.bias"]}
    assert unmatched_parameters(model, optimizer.param_groups) == []
    assert describe_groups(optimizer.param_groups) == [
        {"count": 2, "elements": 20, "lr": 1e-3, "weight_decay": 0.1},
        {"count": 4, "elements": 14, "lr": 1e-3, "weight_decay": 0.0},
    ]


def test_keys_multiply_and_the_longest_decides() -> None:
    keys = {"2": {"lr_mult": 10.0}, "2.bias": {"lr_mult": 20.0, "decay_mult": 0.0}, "1.": {"decay_mult": 0.5}}
    config = {"type": "SGD", "lr": 0.1, "weight_decay": 0.2, "decay_norm_and_bias": False, "custom_keys": keys}
    optimizer = build_optimizer(config, network())
    found = {name: (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for name in group["names"]}
    assert found == {
        "0.weight": (0.1, 0.2),
        "0.bias": (0.1, 0.0),
        "1.weight": (0.1, 0.1),
        "1.bias": (0.1, 0.1),
        "2.weight": (1.0, 0.2),
        "2.bias": (2.0, 0.0),
    }
    assert all(group["initial_lr"] == group["lr"] for group in optimizer.param_groups)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "Adam", "custom_keys": {"head": {"lr_mult": 2.0}}}, "'head' matches no trainable parameter"),
        ({"type": "Adam", "custom_keys": {"0.wieght": {"lr_mult": 2.0}}}, "did you mean '0.weight'"),
        ({"type": "Adam", "custom_keys": {"0": {"lr_multi": 2.0}}}, "did you mean 'lr_mult'"),
        ({"type": "Adam", "custom_keys": {"0": {"lr_mult": -1.0}}}, "must not be negative"),
        ({"type": "Adam", "custom_keys": {"0": {}}}, "changes nothing"),
        ({"type": "Adam", "lr": 0.0}, r"optimizer\.lr: the learning rate must be above zero"),
        ({"type": "Adam", "weight_decay": -0.1}, "must not be negative"),
        ({"type": "Adam", "betas": [0.9, 1.0]}, r"optimizer\.betas"),
        ({"type": "Adam", "eps": -1e-8}, r"optimizer\.eps"),
        ({"type": "SGD", "lr": 0.1, "momentum": 1.5}, r"optimizer\.momentum"),
        ({"type": "SGD", "lr": 0.1, "nesterov": True}, "needs momentum above zero"),
        ({"type": "SGD"}, "needs the key 'lr'"),
        ({"type": "Adam", "weight_decy": 0.1}, "did you mean 'weight_decay'"),
    ],
)
def test_wrong_settings_are_named(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_optimizer(config, network())


def test_frozen_parameters_are_left_out() -> None:
    model = network()
    model[0].requires_grad_(False)
    optimizer = build_optimizer({"type": "Adam"}, model)
    assert [name for group in optimizer.param_groups for name in group["names"]] == [
        "1.weight",
        "1.bias",
        "2.weight",
        "2.bias",
    ]
    assert unmatched_parameters(model, optimizer.param_groups) == []
    with pytest.raises(UserError, match="matches no trainable"):
        build_optimizer({"type": "Adam", "custom_keys": {"0.": {"lr_mult": 2.0}}}, model)
    with pytest.raises(UserError, match="no parameter that can be trained"):
        build_optimizer({"type": "Adam"}, model.requires_grad_(False))


def test_forgotten_and_doubled_parameters_are_listed() -> None:
    model = network()
    groups = [{"params": [model[0].weight, model[0].bias]}, {"params": [model[0].bias, *model[1].parameters()]}]
    assert unmatched_parameters(model, groups) == ["0.bias", "2.weight", "2.bias"]
