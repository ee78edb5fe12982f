"""Averages against their formulas in float64, under plain names, exact over a stop."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tricklab import registry
from tricklab.errors import UserError
from tricklab.optim import Averaging, Clock, plain_state, reestimate_statistics
from tricklab.records import load_tree, save_tree

CLOCK = Clock(steps_per_epoch=5, batch_size=4, total_steps=40)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def move(model: nn.Module, step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for tensor in plain_state(model).values():
            if tensor.is_floating_point():
                tensor.add_(torch.randn(tensor.shape, generator=generator).to(tensor.dtype))
            else:
                tensor.add_(1)


def average(config: dict[str, Any], model: nn.Module, clock: Clock = CLOCK) -> Averaging:
    return registry.build("averaging", config, model=model, clock=clock)


@pytest.mark.parametrize(("decay", "warmup"), [(0.9, False), (0.9, True), (0.5, True)])
def test_ema_follows_its_formula(decay: float, warmup: bool) -> None:
    model = network().double()
    ema = average({"type": "Ema", "decay": decay, "warmup": warmup}, model)
    reference = {name: tensor.clone() for name, tensor in plain_state(model).items()}
    share = 1.0
    for step in range(40):
        move(model, step)
        ema.update(model)
        now = min(decay, (1 + step) / (10 + step)) if warmup else decay
        share *= now
        for name, tensor in plain_state(model).items():
            reference[name] = now * reference[name] + (1 - now) * tensor if tensor.is_floating_point() else tensor
    for name, tensor in ema.weights().items():
        assert torch.allclose(tensor.double(), reference[name].double(), rtol=1e-12, atol=1e-12), name
    assert ema.initial_share() == pytest.approx(share, rel=1e-12)
    assert ema.final_initial_share() == pytest.approx(share, rel=1e-12)  # type: ignore[attr-defined]


def test_ema_takes_each_so_many_th_step_and_none_that_was_skipped() -> None:
    model = network().double()
    rare = average({"type": "Ema", "decay": 0.9, "every": 3}, model)
    steady = average({"type": "Ema", "decay": 0.9}, model)
    for step in range(1, 13):
        if step not in (4, 5):
            move(model, step)
        # the weights are what they were: averaging them again would forget the start too fast
        rare.update(model, moved=step not in (4, 5))
        if step in (3, 8, 11):
            steady.update(model)
    assert (rare.steps, rare.updates, steady.updates) == (10, 3, 3)
    assert rare.initial_share() == steady.initial_share()
    its = steady.weights()
    assert all(tensor.equal(its[name]) for name, tensor in rare.weights().items())
    assert rare.final_initial_share() == pytest.approx(
        0.1 * (2 / 11) * 0.25 * math.prod(min(0.9, (1 + t) / (10 + t)) for t in range(3, 13))
    )  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="40 steps"):
        average({"type": "Ema", "every": 41}, model)


def test_document_004s_average_keeps_a_third_of_the_initial_weights() -> None:
    ema = average({"type": "Ema", "decay": 0.9999, "warmup": False}, nn.Linear(1, 1), Clock(208, 16, 10_000))
    assert ema.initial_share() == 1.0
    assert ema.final_initial_share() == pytest.approx(0.37, abs=0.005)  # type: ignore[attr-defined]


def test_integer_buffers_are_copied_not_averaged() -> None:
    model = network()
    for config in ({"type": "Ema"}, {"type": "Swa", "start": 0.0}):
        averaged = average(config, model)
        for step in range(10):
            move(model, step)
            averaged.update(model)
        found = averaged.weights()["1.num_batches_tracked"]
        assert found.dtype == torch.int64
        assert int(found) == int(model[1].num_batches_tracked)


def test_swa_is_the_mean_of_the_last_epochs() -> None:
    model = network().double()
    swa = average({"type": "Swa", "start": 0.75}, model)
    initial = {name: tensor.clone() for name, tensor in plain_state(model).items()}
    seen = []
    for step in range(1, 41):
        move(model, step)
        swa.update(model)
        if step in (35, 40):
            seen.append({name: tensor.clone() for name, tensor in plain_state(model).items()})
        if step == 30:
            assert swa.initial_share() == 1.0
            assert swa.distance_to(initial) == 0.0
    assert (swa.updates, swa.initial_share()) == (2, 0.0)
    weights = swa.weights()
    for name in ("0.weight", "0.bias", "1.weight", "2.bias"):
        assert torch.allclose(weights[name], (seen[0][name] + seen[1][name]) / 2, rtol=1e-12)
    # running statistics belong to the last weights and are to be estimated anew
    assert weights["1.running_mean"].equal(seen[1]["1.running_mean"])
    assert swa.needs_statistics_update(model)
    assert not swa.needs_statistics_update(nn.Linear(1, 1))
    assert not average({"type": "Ema"}, model).needs_statistics_update(model)


class Compiled(nn.Module):
    """Wraps as torch.compile does: the network is an attribute and a prefix of every name."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self._orig_mod = inner


def test_names_are_plain_whatever_wraps_the_model() -> None:
    model = network()
    names = list(model.state_dict())
    inside = nn.Sequential(Compiled(nn.Linear(2, 2)))
    holder = nn.ModuleDict({"module": nn.Linear(2, 2)})
    assert list(plain_state(Compiled(model))) == names
    assert list(plain_state(nn.DataParallel(Compiled(model)))) == names
    assert list(plain_state(inside)) == ["0.weight", "0.bias"]
    # a network's own part may be called module
    assert list(plain_state(holder)) == ["module.weight", "module.bias"]
    ema = average({"type": "Ema", "decay": 0.5, "warmup": False}, Compiled(model))
    before = model[0].weight.detach().clone()
    move(model, 0)
    ema.update(model)
    assert torch.allclose(ema.weights()["0.weight"], (before + model[0].weight.detach()) / 2)
    network().load_state_dict(ema.weights())


@pytest.mark.slow
def test_names_are_plain_after_a_real_compilation() -> None:
    model = network()
    compiled = torch.compile(model, backend="eager")
    assert list(plain_state(compiled)) == list(model.state_dict())  # type: ignore[arg-type]
    ema = average({"type": "Ema"}, compiled)  # type: ignore[arg-type]
    compiled(torch.randn(4, 3))
    move(model, 0)
    ema.update(compiled)  # type: ignore[arg-type]
    assert 0 < ema.distance_to(model) < 1


@pytest.mark.parametrize("config", [{"type": "Ema", "decay": 0.99}, {"type": "Swa", "start": 0.2}])
def test_an_average_goes_on_bit_for_bit(config: dict[str, Any], tmp_path: Path) -> None:
    model, resumed = network(), network()
    whole, first = average(config, model), average(config, resumed)
    for step in range(40):
        move(model, step)
        whole.update(model)
    for step in range(17):
        move(resumed, step)
        first.update(resumed)
    save_tree(tmp_path / "resume.safetensors", first.state_dict())
    second = average(config, resumed)
    second.load_state_dict(load_tree(tmp_path / "resume.safetensors"))
    for step in range(17, 40):
        move(resumed, step)
        second.update(resumed)
    assert all(second.weights()[name].equal(tensor) for name, tensor in whole.weights().items())
    assert (second.updates, second.steps, second.initial_share()) == (whole.updates, whole.steps, whole.initial_share())


def test_a_saved_state_does_not_move_on() -> None:
    model = network()
    ema = average({"type": "Ema"}, model)
    state, weights = ema.state_dict(), ema.weights()
    kept = {name: tensor.clone() for name, tensor in state["average"].items()}
    move(model, 0)
    ema.update(model)
    assert all(state["average"][name].equal(tensor) for name, tensor in kept.items())
    assert all(weights[name].equal(tensor) for name, tensor in kept.items())


def test_the_distance_is_relative() -> None:
    model = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, 4.0]]))
    ema = average({"type": "Ema"}, model)
    assert ema.distance_to(model) == 0.0
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, 9.0]]))
    assert ema.distance_to(model) == pytest.approx(5 / 90**0.5)
    assert ema.distance_to({"weight": torch.zeros(1, 2)}) == pytest.approx(5.0)


def test_half_precision_is_averaged_in_float32() -> None:
    model = nn.Linear(1, 1, bias=False).bfloat16()
    with torch.no_grad():
        model.weight.fill_(1.0)
    ema = average({"type": "Ema", "decay": 0.999, "warmup": False}, model, Clock(1, 1, 3000))
    with torch.no_grad():
        model.weight.fill_(2.0)
    for _ in range(700):
        ema.update(model)
    # in bfloat16 every step of 0.001 would round away and the average stay at 1
    assert ema.state_dict()["average"]["weight"].item() == pytest.approx(2 - 0.999**700, rel=1e-4)
    assert ema.weights()["weight"].dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "Ema", "decay": 1.0}, r"Ema\.decay"),
        ({"type": "Ema", "decay": 0.0}, r"Ema\.decay"),
        ({"type": "Swa", "start": 1.0}, r"Swa\.start"),
        ({"type": "Swa", "every": 0.0}, r"Swa\.every"),
        ({"type": "Swa", "every": 20.0}, "no weights would be collected in 40 steps"),
    ],
)
def test_wrong_settings_are_named(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        average(config, network())


def test_the_average_of_another_model_is_refused() -> None:
    ema = average({"type": "Ema"}, network())
    other = nn.Sequential(nn.Linear(3, 4))
    with pytest.raises(UserError, match=r"another model: 7 names differ, such as 1\.bias"):
        ema.update(other)
    with pytest.raises(UserError, match="another model"):
        ema.distance_to(other)
    with pytest.raises(UserError, match="another model"):
        ema.load_state_dict(average({"type": "Ema"}, nn.Linear(1, 1)).state_dict())


def test_statistics_are_estimated_as_torch_does() -> None:
    model, theirs = network(), network()
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randn(n, 3, generator=generator) for n in (8, 8, 5)]
    model.eval()
    model[1].momentum = 0.3
    assert reestimate_statistics(model, batches, lambda network, batch: network(batch)) == 3
    torch.optim.swa_utils.update_bn(batches, theirs)
    assert model[1].running_mean.equal(theirs[1].running_mean)
    assert model[1].running_var.equal(theirs[1].running_var)
    assert (model[1].momentum, model.training, model[1].training) == (0.3, False, False)
