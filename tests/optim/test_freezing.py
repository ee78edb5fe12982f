"""What trains when: patterns, layers, batch normalisation, moments."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torch import nn

from tricklab.errors import UserError
from tricklab.optim import build_optimizer, layer_numbers
from tricklab.optim.clock import Clock
from tricklab.optim.freezing import Freezing

CLOCK = Clock(steps_per_epoch=4, batch_size=8, total_steps=12)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def resting(model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if not module.training]


def frozen(model: nn.Module) -> list[str]:
    return [name for name, parameter in model.named_parameters() if not parameter.requires_grad]


def test_a_module_with_its_batch_norms() -> None:
    model = timm.create_model("resnet10t", num_classes=3)
    freezing = Freezing(model, [{"match": "layer1", "until": {"epochs": 2}}], CLOCK)
    freezing.apply(0)
    assert frozen(model) == [name for name, _ in model.named_parameters() if name.startswith("layer1.")]
    assert resting(model) == [
        name for name, part in model.named_modules() if name.startswith("layer1.") and isinstance(part, nn.BatchNorm2d)
    ]
    assert resting(model)
    freezing.apply(7)
    assert frozen(model)
    freezing.apply(8)
    assert frozen(model) == resting(model) == []


@pytest.mark.parametrize(
    ("item", "names", "norms"),
    [
        ({"match": "0"}, ["0.weight", "0.bias"], []),
        ({"match": "1"}, ["1.weight", "1.bias"], ["1"]),
        ({"match": "[01]"}, ["0.weight", "0.bias", "1.weight", "1.bias"], ["1"]),
        ({"match": "*.bias"}, ["0.bias", "1.bias", "2.bias", "3.bias", "4.bias"], []),
        ({"match": "2.weight"}, ["2.weight"], []),
        ({"layers": 1}, ["0.weight", "0.bias", "1.weight", "1.bias"], ["1"]),
        ({"layers": -2}, ["0.weight", "0.bias", "1.weight", "1.bias"], ["1"]),
        ({"layers": 2, "batch_norm": "train"}, [f"{n}.{k}" for n in range(4) for k in ("weight", "bias")], []),
    ],
)
def test_what_an_item_means(item: dict[str, Any], names: list[str], norms: list[str]) -> None:
    model = network()
    freezing = Freezing(model, [item], CLOCK)
    freezing.apply(0)
    assert frozen(model) == names
    assert resting(model) == norms
    described = freezing.describe()[0]
    assert described["tensors"] == len(names)
    assert described["elements"] == sum(model.get_parameter(name).numel() for name in names)
    assert described["batch_norms"] == len(norms)


@pytest.mark.parametrize(
    ("moment", "first"), [({"epochs": 2}, 8), ({"iterations": 5}, 5), ({"samples": 33}, 5), (None, None)]
)
def test_moments(moment: dict[str, int] | None, first: int | None) -> None:
    freezing = Freezing(network(), [{"match": "0", "until": moment}], CLOCK)
    assert [step for step in range(12) if not freezing.frozen(step)] == ([] if first is None else [*range(first, 12)])


def test_gradual_unfreezing_from_the_head_backwards() -> None:
    model = network()
    items = [{"layers": -kept, "until": {"iterations": 3 * kept}} for kept in (1, 2)]
    freezing = Freezing(model, items, CLOCK)
    numbers = layer_numbers(model)
    lowest = []
    for step in range(12):
        freezing.apply(step)
        lowest.append(min(numbers[name] for name, parameter in model.named_parameters() if parameter.requires_grad))
    assert lowest == [2, 2, 2, 1, 1, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    "config",
    [
        {"type": "AdamW", "lr": 0.1, "weight_decay": 0.5},
        {"type": "SGD", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.5},
    ],
)
def test_frozen_weights_keep_their_bits_and_then_move(config: dict[str, Any]) -> None:
    model = network()
    freezing = Freezing(model, [{"layers": 1, "until": {"iterations": 3}}], CLOCK)
    optimizer = build_optimizer(config, model)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(model.parameters()))
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    held = ("0.", "1.")
    for step in range(6):
        freezing.apply(step)
        model(torch.randn(6, 3)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        now = model.state_dict()
        same = {name for name in now if torch.equal(now[name], start[name])}
        assert not any(name.startswith("2.w") or name.startswith("4.w") for name in same)
        if step < 3:
            assert {name for name in now if name.startswith(held)} <= same
        else:
            assert not {"0.weight", "1.weight", "1.running_mean", "1.num_batches_tracked"} & same


def test_what_never_wanted_a_gradient_never_gets_one() -> None:
    model = network()
    model[0].bias.requires_grad_(False)
    freezing = Freezing(model, [{"match": "0", "until": {"epochs": 1}}], CLOCK)
    freezing.apply(0)
    freezing.apply(4)
    assert frozen(model) == ["0.bias"]


def test_the_state_is_that_of_the_step_alone() -> None:
    items = [{"match": "0", "until": {"epochs": 1}}, {"layers": 2, "until": {"epochs": 2}}, {"match": "1.weight"}]
    one, other = network(), network()
    there = Freezing(one, items, CLOCK)
    for step in range(10):
        there.apply(step)
        here = Freezing(other.train().requires_grad_(True), items, CLOCK)
        here.apply(step)
        assert frozen(one) == frozen(other)
        assert resting(one) == resting(other)
    assert frozen(one) == ["1.weight"]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([{"match": "layer1"}], r"train\.freeze\.0\.match: no module or parameter .* its parts are 0, 1, 2, 3, 4"),
        ([{"match": "0"}, {"match": "2.wieght"}], r"train\.freeze\.1\.match"),
        ([{"layers": 3}], r"layers: 3 of a model of 3 layers.*1 to 2 from the input, or -1 to -2"),
        ([{"layers": -3}], r"layers: -3 of a model of 3 layers"),
        ([{"match": "*"}], "nothing is left to train"),
        ([{"match": "[0-3]"}, {"layers": -2}, {"match": "4", "until": {"epochs": 1}}], "nothing is left to train"),
        ([{"match": "0", "until": {"epochs": 3}}], r"train\.freeze\.0\.until: 3 epochs are the whole training or more"),
        ([{"match": "0", "until": {"iterations": 40}}], "40 iterations are the whole"),
    ],
)
def test_wrong_items(items: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Freezing(network(), items, CLOCK)


def test_a_part_without_parameters() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    with pytest.raises(UserError, match="match: 1 has no parameter that could train"):
        Freezing(model, [{"match": "1"}], CLOCK)
