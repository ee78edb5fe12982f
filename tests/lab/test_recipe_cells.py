"""Cells of a recipe: resolved before anything runs, trainings shared where the fit is the same."""

from __future__ import annotations

from typing import Any

import pytest

from tricklab.errors import UserError
from tricklab.lab.arms import parse_recipe_arms
from tricklab.lab.declaring import Wish, declare
from tricklab.lab.plan import Plan, differences
from tricklab.lab.recipe_cells import Subject, changed_paths, recipe_cells

TINY: dict[str, Any] = {
    "task": "hyperspectral",
    "data": {
        "scene": {"type": "SyntheticScene", "height": 24, "width": 24, "bands": 16, "classes": 3},
        "window": 9,
        "pca": 15,
        "split": {"type": "RandomPixels", "train": 0.2, "val": 0.2},
    },
    "model": {"type": "HybridSN"},
    "optimizer": {"type": "Adam", "lr": 1e-3},
    "train": {"epochs": 1, "batch_size": 32, "device": "cpu"},
    "metric": {"monitor": "val/oa", "delta": 0.01},
}


def planned(texts: list[str], **options: Any) -> Plan:
    return declare(TINY, texts, Wish(workers=2, **options))


def test_tricks_that_act_at_evaluation_share_the_training() -> None:
    plan = planned(["+se", "+ema(decay=0.9)", "+swa(start=0.5)"], design="add-one")
    found = {cell.name: cell.fit_from for cell in plan.cells}
    assert found == {"baseline": None, "+se": None, "+ema(decay=0.9)": "baseline", "+swa(start=0.5)": "baseline"}
    baseline = plan.cells[0]
    assert [watched["type"] for watched in baseline.observers] == ["Ema", "Swa"]
    assert baseline.digest["fit"] == plan.cells[2].digest["fit"] != plan.cells[1].digest["fit"]
    assert len({cell.digest["evaluate"] for cell in plan.cells}) == 3


def test_shared_trainings_within_company_too() -> None:
    plan = planned(["+se", "+ema"])
    assert plan.design == "both"
    assert {cell.name: cell.fit_from for cell in plan.cells} == {
        "baseline": None, "+se": None, "+ema": "baseline", "+se & +ema": "+se",
    }  # fmt: skip
    assert plan.cells[1].observers[0]["type"] == "Ema"
    assert plan.cell("+se").tricks[0]["name"] == "se"
    assert any(path.startswith("model.insert") for path in plan.cell("+se").tricks[0]["writes"])


def test_levels_of_a_value_and_another_model_are_arms() -> None:
    plan = planned(["optimizer.lr=1e-3|2e-4", "model=HybridSN|PixelSVM"])
    assert [arm.name for arm in plan.arms] == ["optimizer.lr=2e-4", "model=PixelSVM"]
    assert plan.notes == (
        "optimizer.lr=1e-3 is the recipe's own value: it is the baseline",
        "model=HybridSN is the recipe's own value: it is the baseline",
    )
    assert plan.cell("optimizer.lr=2e-4").writes == ["optimizer.lr"]
    assert plan.cell("model=PixelSVM").recipe["model"]["type"] == "PixelSVM"


def test_without_takes_a_trick_of_the_recipe_away() -> None:
    plan = declare({**TINY, "tricks": ["+se"]}, ["without se"], Wish())
    assert plan.cells[0].recipe["model"]["insert"]
    assert plan.cell("without_se").recipe["model"]["insert"] == []


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        (["optimizer.lr=1e-3"], {}, "changes nothing"),
        (["optimizer.lr=1e-3|0.001"], {}, "every level is the recipe's own value"),
        (["+sse"], {}, "did you mean 'se'"),
        (["optimizer.lrr=1"], {}, "did you mean 'lr'"),
        (["without se"], {}, "se"),
        (["+cosine", "+step_decay(at=[1])"], {"design": "both"}, "use --design add-one"),
        (["+se"], {"metric": "val/aa"}, "a recipe says its own metric"),
        (["+se"], {"blocks": 0}, "not a positive number"),
        (["+se"], {"delta": -1.0}, "not a positive number"),
        (["+se"], {"per_device": 2}, "no CUDA device"),
    ],
)
def test_what_cannot_be_run_is_refused_before_it_runs(
    texts: list[str], options: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tricklab.lab.declaring.device_kind", lambda asked: "cpu")
    with pytest.raises(UserError, match=message):
        declare(TINY, texts, Wish(**options))


def test_arms_that_cannot_stand_together_are_added_one_by_one() -> None:
    plan = planned(["+cosine", "+step_decay(at=[1])"])
    assert plan.design == "add-one"
    assert "cannot all stand in one recipe" in plan.notes[0]


def test_settings_hold_for_every_arm_and_arms_go_before_them() -> None:
    subject = Subject(TINY, ("train.batch_size=16", "optimizer.lr=0.01"))
    _, _, cells, _ = recipe_cells(subject, parse_recipe_arms(["optimizer.lr=0.1", "+se"]), "add-one")
    assert [cell.recipe["train"]["batch_size"] for cell in cells] == [16, 16, 16]
    assert [cell.recipe["optimizer"]["lr"] for cell in cells] == [0.01, 0.1, 0.01]


def test_another_seed_draws_fresh_blocks() -> None:
    here, there = planned(["+se"]), planned(["+se"], seed=1)
    assert [cell.recipe["seed"] for cell in there.cells] == [1, 1]
    assert there.experiment != here.experiment


def test_a_setting_of_a_component_that_an_arm_replaces_goes_with_it() -> None:
    for text in ("model=PixelSVM", "model.type=PixelSVM"):
        subject = Subject(TINY, ("model.dropout=0.1", "data.window=11"))
        _, _, cells, _ = recipe_cells(subject, parse_recipe_arms([text]), "add-one")
        assert cells[0].recipe["model"]["dropout"] == 0.1
        assert cells[1].recipe["model"]["type"] == "PixelSVM"
        assert cells[1].recipe["data"]["window"] == 11


def test_where_the_data_lie_is_no_part_of_the_plan() -> None:
    here, there = planned(["+se"], data="/a"), planned(["+se"], data="/b")
    assert here.experiment == there.experiment
    assert here.cells[0].recipe["data"]["root"] == "/a"
    assert differences(here.to_dict(), there.to_dict()) == []
    other = planned(["+se"], settings=("data.window=11",))
    assert other.experiment != here.experiment
    assert "cells.+se.recipe.data.window: 9 there, 11 asked for" in differences(here.to_dict(), other.to_dict())


def test_a_plan_survives_json() -> None:
    import json

    plan = planned(["+se", "optimizer.lr=1e-4"])
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan
    assert (plan.metric, plan.direction, plan.delta, plan.threads) == ("val/oa", "max", 0.01, 1)


def test_a_plan_of_another_kind_is_told() -> None:
    with pytest.raises(UserError, match="not the plan of an ablation"):
        Plan.from_dict({"experiment": "e", "arms": [], "cells": [{"arms": [], "place": "x"}], "looks": [5]})


def test_runs_on_gpus_are_counted_per_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tricklab.lab.declaring.device_kind", lambda asked: "cuda")
    monkeypatch.setattr("tricklab.lab.declaring.visible_devices", lambda: ["0", "1"])
    plan = declare(TINY, ["+se"], Wish(per_device=3))
    assert (plan.device, plan.workers, plan.per_device) == ("cuda", 6, 3)
    with pytest.raises(UserError, match="--per-device"):
        declare(TINY, ["+se"], Wish(workers=2))


def test_changed_paths_tell_numbers_from_booleans() -> None:
    assert changed_paths({"a": 1, "b": {"c": 1}}, {"a": True, "b": None}) == ["a", "b"]


@pytest.mark.parametrize("text", ["metric.monitor=val/aa", "metric.mode=min", "other: +se metric.monitor=val/aa"])
def test_an_arm_cannot_change_the_metric(text: str) -> None:
    with pytest.raises(UserError, match="cannot change the metric"):
        planned([text])


def test_an_arm_that_another_one_undoes_is_not_judged_in_its_company() -> None:
    texts = ["evaluate.averaging={type: Ema, decay: 0.5}", "+ema(decay=0.9)"]
    with pytest.raises(UserError, match=r"overwrites what .*decay: 0\.5.*add-one"):
        planned(texts, design="both")
    plan = planned(texts)
    assert plan.design == "add-one"
    assert "overwrites" in plan.notes[0]


def test_arms_that_add_to_one_another_stand_together() -> None:
    plan = planned(["model={type: HybridSN, dropout: 0.2}", "+se", "optimizer.lr=1e-4"], design="full")
    together = plan.cells[-1].recipe
    assert (together["model"]["dropout"], together["optimizer"]["lr"]) == (0.2, 1e-4)
    assert together["model"]["insert"]


def test_a_level_in_python_is_quoted_where_it_would_be_cut() -> None:
    with pytest.raises(UserError, match=r"unknown model 'A\|B c'"):
        declare(TINY, {"model.type": "A|B c"}, Wish())


def test_ensembles_averages_and_soups_share_the_training_that_they_have_in_common() -> None:
    texts = ["+swa(lr_ratio=0.5, cycles=2)", "+fge(members=2, shape=linear)", "+soup", "+soup(mix=ensemble)"]
    plan = planned(texts, design="add-one")
    cells = {cell.name: cell for cell in plan.cells}
    swa, fge, uniform, ensemble = (cells[text] for text in texts)
    assert (swa.fit_from, uniform.fit_from) == (None, None)
    assert (fge.fit_from, ensemble.fit_from) == (swa.folder, uniform.folder)
    assert [watched["type"] for watched in swa.observers] == ["Snapshots"]
    assert [watched["mix"] for watched in uniform.observers] == ["ensemble"]
