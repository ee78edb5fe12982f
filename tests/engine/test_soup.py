"""Branches of one training and what is mixed from their ends."""

from __future__ import annotations

import itertools
import os
import signal
from typing import Any

import pytest
import torch

from tests.engine.conftest import MakeRun, comparable
from tests.engine.test_resume import at_step
from tricklab.engine import execute
from tricklab.engine.averagings import averaging_key
from tricklab.errors import UserError
from tricklab.inference.ensemble import member_weights
from tricklab.records import Evidence, RunFolder, load_tree

LENGTH = ["train.epochs=2", "train.log_every={iterations: 1}"]
COSINE = "schedule=[{type: Cosine}]"


def members(run: RunFolder) -> list[dict[str, torch.Tensor]]:
    key = averaging_key(run.recipe["evaluate"]["averaging"])
    return member_weights(load_tree(run.checkpoint(f"members-{key}")))


def average(run: RunFolder) -> dict[str, torch.Tensor]:
    key = averaging_key(run.recipe["evaluate"]["averaging"])
    found: dict[str, torch.Tensor] = load_tree(run.checkpoint(f"average-{key}"))
    return found


def finished(run: RunFolder) -> dict[str, Any]:
    result = execute(run.path, threads=1, progress=False)
    assert result["state"] == "finished", run.status()
    return result


def test_branches_are_the_trainings_that_they_stand_for(make_run: MakeRun) -> None:
    # 16 steps: the point lies at 8, branches end at 12 and 16; the second has a rate of almost nothing
    soup = make_run("soup", [*LENGTH, COSINE], ["+soup(members=2, start=0.5, lr_ratios=[1.0, 1e-9])"])
    result = finished(soup)
    first, second = members(soup)

    # a path is a run of its length: same order, same dropout, same schedule
    path = make_run("path", ["train.iterations=12", "train.epochs=null", COSINE])
    finished(path)
    its = load_tree(path.checkpoint("weights"))
    assert all(tensor.equal(its[name]) for name, tensor in first.items())

    # with a rate of nothing the second branch stays at the branch point, wherever the first one went
    trunk = make_run("trunk", ["train.iterations=12", "train.epochs=null", COSINE, LENGTH[1]])
    kill = at_step(8, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert execute(trunk.path, threads=1, progress=False, observers=[kill])["state"] == "interrupted"
    point = load_tree(trunk.checkpoint("resume"))
    assert point["global_step"] == 8
    state = {name.removeprefix("model."): tensor for name, tensor in point["state_dict"].items()}
    assert all(torch.allclose(second[name], state[name], atol=1e-7) for name in second)
    assert not all(torch.allclose(first[name], state[name], atol=1e-4) for name in first)

    mean = average(soup)
    assert all(torch.allclose(mean[name], (first[name] + second[name]) / 2, atol=1e-7) for name in mean)
    assert len(result["members"]) == 2
    assert result["members"][1] == pytest.approx(result["raw"])
    rates = Evidence.from_folder(soup.path).series("lr")[1]
    assert rates[12] == pytest.approx(1e-9 * rates[8])


@pytest.mark.slow
@pytest.mark.parametrize("stop", [5, 8, 10, 12, 14])
def test_a_soup_resumes_bit_equal(make_run: MakeRun, stop: int) -> None:
    calls = ["+soup(members=2, start=0.5)"]
    whole = make_run("whole", LENGTH, calls)
    finished(whole)
    run = make_run("stopped", LENGTH, calls)
    kill = at_step(stop, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert execute(run.path, threads=1, progress=False, observers=[kill])["state"] == "interrupted"
    finished(run)
    assert [event["step"] for event in run.events() if event["kind"] == "resumed"] == [stop]
    for mine, its in itertools.chain(zip(members(run), members(whole), strict=True), [(average(run), average(whole))]):
        assert all(tensor.equal(its[name]) for name, tensor in mine.items())
    assert comparable(run.metrics()) == comparable(whole.metrics())


@pytest.mark.slow
def test_greedy_and_uniform_and_ensemble_share_a_training(make_run: MakeRun) -> None:
    test = [*LENGTH, "metric.monitor=test/oa", "train.validate_every=null"]
    arms = {
        mix: make_run(mix, test, [f"+soup(members=3, mix={mix})"], fit_from="greedy/0")
        for mix in ("uniform", "ensemble")
    }
    observers = [run.recipe["evaluate"]["averaging"] for run in arms.values()]
    greedy = make_run("greedy", test, ["+soup(members=3, mix=greedy)"], observers=observers)
    finished(greedy)
    results = {mix: finished(run) for mix, run in arms.items()}
    assert results["uniform"]["raw"] == results["ensemble"]["raw"] == greedy.result()["raw"]
    assert results["uniform"]["members"] == results["ensemble"]["members"] == greedy.result()["members"]
    key = averaging_key(greedy.recipe["evaluate"]["averaging"])
    found = Evidence.from_folder(greedy.path).fact(f"averaging/{key}/greedy")
    chosen, alone = found["chosen"], found["alone"]
    assert alone[chosen[0]] == max(alone)
    kept = [members(greedy)[number] for number in chosen]
    mean = average(greedy)
    name = next(name for name in mean if name.endswith("weight"))
    assert torch.allclose(mean[name], torch.stack([state[name] for state in kept]).mean(0), atol=1e-7)


def test_a_greedy_soup_may_not_choose_on_the_set_that_it_is_judged_by(make_run: MakeRun) -> None:
    run = make_run("greedy", LENGTH, ["+soup(members=2, mix=greedy)"])
    with pytest.raises(UserError, match="chosen on the validation set, and val/oa is read from it"):
        execute(run.path, threads=1, progress=False)


def test_an_average_along_a_branching_training_is_refused(make_run: MakeRun) -> None:
    run = make_run("ema", [*LENGTH, "train.branches={members: 2, start: 0.5}"], ["+ema(decay=0.9)"])
    with pytest.raises(UserError, match="Ema averages along a training"):
        execute(run.path, threads=1, progress=False)
