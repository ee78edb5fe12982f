"""The rates that averages ask for: what a trick writes, what it refuses, and that its probes see the rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tricks.test_probes_contract import TINY
from tricklab import tricks
from tricklab.errors import UserError
from tricklab.recipe import load
from tricklab.records import Evidence, RunFolder


def applied(*calls: str) -> tricks.Applied:
    return tricks.apply(load("demo", [], list(calls)))


def schedule(*calls: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = applied(*calls).recipe.get("schedule")
    return found


def test_swa_trains_only_where_a_rate_is_asked_for() -> None:
    base = applied()
    assert applied("+swa").recipe.digest("fit") == base.recipe.digest("fit")
    assert [path for path in applied("+swa").writes[0] if not path.startswith("evaluate.")] == []
    with_rate = applied("+swa(lr_ratio=0.5, anneal=2)")
    assert with_rate.recipe.digest("fit") != base.recipe.digest("fit")
    (item,) = with_rate.recipe.get("schedule")
    assert (item["type"], item["lr_ratio"], item["start"], item["anneal_epochs"]) == ("SWALR", 0.5, 0.75, 2.0)


def test_swa_in_cycles_trains_as_linear_fge_does() -> None:
    swa, fge = applied("+swa(lr_ratio=0.5, cycles=5)"), applied("+fge(shape=linear)")
    assert swa.recipe.digest("fit") == fge.recipe.digest("fit")
    assert swa.recipe.digest("evaluate") != fge.recipe.digest("evaluate")
    assert applied("+fge").recipe.digest("fit") != fge.recipe.digest("fit")


def test_soups_of_every_mix_train_alike() -> None:
    assert len({applied(f"+soup(mix={mix})").recipe.digest("fit") for mix in ("uniform", "greedy", "ensemble")}) == 1
    assert applied("+soup(lr_ratios=[1.0, 0.5, 0.1])").recipe.get("train.branches.lr_ratios") == [1.0, 0.5, 0.1]


def test_a_decay_and_the_rate_of_the_last_part_stand_side_by_side() -> None:
    assert [item["type"] for item in schedule("+warmup", "+cosine", "+swa(lr_ratio=0.5)")] == [
        "LinearWarmup",
        "Cosine",
        "SWALR",
    ]
    assert {item["type"] for item in schedule("+fge", "+cosine")} == {"EqualCycles", "Cosine"}
    # cycles from the first step on are the decay
    assert [item["type"] for item in schedule("+warmup", "+snapshot")] == ["LinearWarmup", "EqualCycles"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("+swa(anneal=3)", "anneal does nothing without lr_ratio"),
        ("+swa(cycles=3)", "cycles does nothing without lr_ratio"),
        ("+swa(lr_ratio=0.5, anneal=3, cycles=3)", "anneal leads to a constant rate"),
        ("+fge(high=0.1, low=0.2)", "must lie below the high one"),
        ("+snapshot(members=1)", "members"),
        ("+soup(members=1)", "members"),
    ],
)
def test_what_makes_no_sense_is_refused(call: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        applied(call)


def test_an_evaluate_trick_that_may_train_says_with_what() -> None:
    assert tricks.get("swa").trains_with == ("lr_ratio",)
    assert tricks.get("ema").trains_with == ()
    with pytest.raises(UserError, match="trains_with names 'rate'"):

        @tricks.trick("misdeclared", stage="evaluate", trains_with=("rate",))
        def misdeclared(recipe: Any) -> Any:
            return recipe


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["lr_ratio=0.5, anneal=0.5", "lr_ratio=0.5, cycles=3"])
def test_the_probes_see_the_rate(arguments: str, tmp_path: Path) -> None:
    from tricklab.engine import execute

    call = f"+swa(start=0.3, {arguments})"
    found = tricks.apply(load(TINY, [], [call]))
    declared = [{"name": c.name, "arguments": c.arguments, "writes": {}} for c in found.calls]
    folder = tmp_path / "tiny" / "arm" / "0"
    RunFolder.create(folder, recipe=found.recipe.tree, block=0, arm="arm", experiment="tiny", tricks=declared)
    result = execute(folder, threads=1, device="cpu", progress=False)
    assert result["state"] == "finished", result
    evidence = Evidence.from_folder(folder)
    probes = [probe for _, _, probe in tricks.probes([tricks.parse(call)])]
    assert all(probe(evidence).live for probe in probes)
    rates = evidence.series("lr")[1]
    full = evidence.recipe["optimizer"]["lr"]
    assert rates[-1] == pytest.approx(0.5 * full if "anneal" in arguments else 0.005 * full)
    # a run whose rate never got there is not live
    flat = Evidence(recipe=evidence.recipe, facts=evidence.facts, rows=[{**row, "lr": full} for row in evidence.rows])
    assert not all(probe(flat).live for probe in probes)
