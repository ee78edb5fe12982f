"""Members of ensembles and soups, and where a training branches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.optim.test_averaging import move, network
from tricklab import registry
from tricklab.errors import UserError
from tricklab.optim import Clock, Schedules, plain_state
from tricklab.optim.branches import Branches
from tricklab.optim.members import ENSEMBLE, Members
from tricklab.records import load_tree, save_tree

CLOCK = Clock(steps_per_epoch=5, batch_size=4, total_steps=40)


def members(config: dict[str, Any], model: nn.Module, branches: tuple[int, ...] = ()) -> Members:
    found: Members = registry.build("averaging", config, model=model, clock=CLOCK, branches=branches)
    return found


def states_at(averaging: Members, model: nn.Module, moments: set[int]) -> list[dict[str, torch.Tensor]]:
    kept = []
    for step in range(1, 41):
        move(model, step)
        averaging.update(model)
        if step in moments:
            kept.append({name: tensor.clone() for name, tensor in plain_state(model).items()})
    return kept


def test_snapshots_are_whole_models_at_the_low_points() -> None:
    model = network()
    snapshots = members({"type": "Snapshots", "cycles": 4}, model)
    kept = states_at(snapshots, model, {10, 20, 30, 40})
    found = snapshots.weights()
    assert len(found) == 4 * len(kept[0])
    for number, state in enumerate(kept):
        for name, tensor in state.items():
            assert found[f"{ENSEMBLE}.{number}.{name}"].equal(tensor)
    assert snapshots.updates == 4
    assert not snapshots.needs_statistics_update(model)


def test_spread_is_the_distance_of_the_two_nearest_members() -> None:
    model = nn.Linear(2, 1, bias=False)
    snapshots = members({"type": "Snapshots", "cycles": 4, "start": 0.9}, model)
    values = iter([1.0, 3.0, 6.0, 10.0])
    assert snapshots.numbers() == {"spread": None}
    for step in range(1, 41):
        with torch.no_grad():
            model.weight.fill_(next(values) if step > 36 else 0.0)
        snapshots.update(model)
    # |10 - 6| / 6 is less than |6 - 3| / 3 and |3 - 1| / 1
    assert snapshots.numbers()["spread"] == pytest.approx(4 / 6)


def test_a_triangle_is_kept_in_its_middle() -> None:
    model = network()
    snapshots = members({"type": "Snapshots", "cycles": 2, "start": 0.4, "shape": "triangle"}, model)
    kept = states_at(snapshots, model, {24, 40})
    assert snapshots.moments == (24, 40)
    assert snapshots.members[0]["0.weight"].equal(kept[0]["0.weight"])


def test_a_uniform_soup_is_the_mean_of_the_ends() -> None:
    model = network().double()
    soup = members({"type": "Soup"}, model, branches=(30, 40))
    ends = states_at(soup, model, {30, 40})
    found = soup.weights()
    for name in ("0.weight", "0.bias", "1.weight", "2.bias"):
        assert torch.allclose(found[name], (ends[0][name] + ends[1][name]) / 2, rtol=1e-12)
        assert torch.allclose(soup.mean_of([0, 1])[name], found[name], rtol=1e-12)
        assert soup.mean_of([0])[name].equal(ends[0][name])
    assert found["1.num_batches_tracked"].equal(ends[1]["1.num_batches_tracked"])
    assert soup.needs_statistics_update(model)
    assert not members({"type": "Soup", "mix": "ensemble"}, model, branches=(40,)).needs_statistics_update(model)


def test_members_go_on_bit_for_bit(tmp_path: Path) -> None:
    config = {"type": "Snapshots", "cycles": 4}
    model, other = network(), network()
    whole, first, second = members(config, model), members(config, other), members(config, network())
    states_at(whole, model, set())
    for step in range(1, 26):
        move(other, step)
        first.update(other)
    save_tree(tmp_path / "half", first.state_dict())
    second.load_state_dict(load_tree(tmp_path / "half"))
    for step in range(26, 41):
        move(other, step)
        second.update(other)
    its = second.weights()
    assert all(tensor.equal(its[name]) for name, tensor in whole.weights().items())


def test_swa_collects_where_its_cycles_are_lowest() -> None:
    model = network().double()
    swa = registry.build("averaging", {"type": "Swa", "start": 0.5, "cycles": 3}, model=model, clock=CLOCK)
    ends = states_at(swa, model, {27, 33, 40})
    mean = sum(end["0.weight"] for end in ends) / 3
    assert swa.updates == 3
    assert torch.allclose(swa.weights()["0.weight"], mean, rtol=1e-12)
    with pytest.raises(UserError, match="every and cycles"):
        registry.build("averaging", {"type": "Swa", "cycles": 3, "every": 2.0}, model=model, clock=CLOCK)


def test_a_soup_needs_branches() -> None:
    with pytest.raises(UserError, match="needs a training that branches"):
        members({"type": "Soup"}, network())


@pytest.mark.parametrize(("total", "count", "start"), [(20, 2, 0.5), (41, 3, 0.33), (7, 6, 0.0), (10, 2, 0.8)])
def test_branches_spend_the_budget_in_equal_parts(total: int, count: int, start: float) -> None:
    branches = Branches.plan(members=count, start=start, lr_ratios=None, total_steps=total)
    lengths = [end - begin for begin, end in zip((branches.point, *branches.ends), branches.ends, strict=False)]
    assert lengths == [lengths[0]] * count
    assert branches.ends[-1] == total
    assert branches.point >= start * total
    assert branches.point - start * total < count + 1
    paths = [branches.along_path(step) for step in range(total)]
    length = branches.path_length
    assert paths == [*range(length)] + [*range(branches.point, length)] * (count - 1)
    assert [step for step in range(total + 1) if branches.goes_back(step)] == list(branches.ends[:-1])


def test_the_schedule_sees_one_path_and_each_branch_its_own_ratio() -> None:
    branches = Branches.plan(members=2, start=0.5, lr_ratios=[1.0, 0.1], total_steps=40)
    ours = Schedules([{"type": "Cosine"}], CLOCK, branches)
    path = Schedules([{"type": "Cosine"}], Clock(steps_per_epoch=5, batch_size=4, total_steps=30))
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    rates = [ours.apply(optimizer, step) for step in range(40)]
    whole = [2.0 * path.factor(step) for step in range(30)]
    assert rates[:30] == pytest.approx(whole)
    assert rates[30:] == pytest.approx([0.1 * rate for rate in whole[20:]])


def test_branches_that_cannot_be_are_refused() -> None:
    with pytest.raises(UserError, match="cannot be shared by 3 branches"):
        Branches.plan(members=3, start=0.9, lr_ratios=None, total_steps=20)
    with pytest.raises(UserError, match="2 learning rates are given for 3 branches"):
        Branches.plan(members=3, start=0.5, lr_ratios=[1.0, 0.5], total_steps=20)
    branches = Branches.plan(members=2, start=0.5, lr_ratios=None, total_steps=40)
    with pytest.raises(UserError, match="cannot go back"):
        Schedules([{"type": "ReduceOnPlateau"}], CLOCK, branches)
