"""A plan is declared once; the ledger is a scan."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tricklab.errors import UserError
from tricklab.records import Experiment, RunFolder, plan_hash, scan

PLAN = {
    "metric": {"name": "val/oa", "mode": "max", "delta": 0.005},
    "arms": ["base", "+se"],
    "blocks": 5,
    "looks": [5, 10],
}


def add_run(experiment: Experiment, arm: str, block: int, value: float | None = None) -> None:
    run = RunFolder.create(
        experiment.run_path(arm, block), recipe={"seed": 0}, block=block, arm=arm, experiment="e", tricks=[]
    )
    if value is not None:
        run.write_result({"metric": {"name": "val/oa", "value": value, "mode": "max"}})
        run.set_status("finished")


def test_a_plan_is_immutable(tmp_path: Path) -> None:
    experiment = Experiment.create(tmp_path / "e", PLAN)
    assert Experiment.create(tmp_path / "e", dict(reversed(PLAN.items()))).plan == PLAN
    with pytest.raises(UserError, match="another plan is declared under this name; it differs in blocks, metric"):
        Experiment.create(tmp_path / "e", {**PLAN, "blocks": 10, "metric": {"name": "val/aa"}})
    assert Experiment.open(tmp_path / "e").plan == PLAN
    assert experiment.hash == plan_hash(PLAN)


def test_an_edited_plan_is_noticed(tmp_path: Path) -> None:
    experiment = Experiment.create(tmp_path / "e", PLAN)
    path = experiment.path / "plan.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "blocks": 50}))
    with pytest.raises(UserError, match=r"plan\.json: this plan was edited"):
        Experiment.open(tmp_path / "e")


def test_no_plan_no_experiment(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not an experiment"):
        Experiment.open(tmp_path)


def test_looks_are_appended(tmp_path: Path) -> None:
    experiment = Experiment.create(tmp_path / "e", PLAN)
    assert experiment.looks() == []
    experiment.append_look({"look": 1, "blocks": 5})
    experiment.append_look({"look": 2, "blocks": 10})
    assert [look["blocks"] for look in Experiment.open(tmp_path / "e").looks()] == [5, 10]


def test_runs_are_found_with_their_state(tmp_path: Path) -> None:
    experiment = Experiment.create(tmp_path / "e", PLAN)
    for block in (10, 9, 0):
        add_run(experiment, "base", block, value=block / 100)
    add_run(experiment, "+se(reduction=8)", 0)
    (experiment.path / "report").mkdir()
    (experiment.path / ".cache").mkdir()
    runs = experiment.runs()
    assert [(run.arm, run.block) for run in runs] == [("+se(reduction=8)", 0), ("base", 0), ("base", 9), ("base", 10)]
    assert [run.state for run in runs] == ["planned", "finished", "finished", "finished"]
    assert [run.value for run in runs] == [None, 0.0, 0.09, 0.1]
    assert [run.result and run.result["metric"]["value"] for run in runs] == [None, 0.0, 0.09, 0.1]
    assert {run.experiment for run in runs} == {"e"}
    assert scan(tmp_path) == runs
    assert scan(experiment.path / "base" / "9") == [runs[2]]


def test_damage_is_named(tmp_path: Path) -> None:
    experiment = Experiment.create(tmp_path / "e", PLAN)
    add_run(experiment, "base", 0, value=1.0)
    (experiment.path / "base" / "0" / "result.json").write_text("{")
    (run,) = scan(tmp_path)
    assert run.state == "finished"
    with pytest.raises(UserError, match=r"base/0/result\.json: this is not JSON"):
        _ = run.value
    (experiment.path / "base" / "0" / "status.json").write_text("")
    (run,) = scan(tmp_path)
    with pytest.raises(UserError, match=r"base/0/status\.json: this is not JSON"):
        _ = run.state
    with pytest.raises(UserError, match="no such folder"):
        scan(tmp_path / "absent")


@pytest.mark.parametrize("value", [0.98, 1, -1.5e-7, 1e22, float("nan"), float("-inf"), None])
def test_the_metric_is_read_exactly_without_parsing_all(value: float | None, tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "e" / "a" / "0", recipe={}, block=0, arm="a", experiment="e", tricks=[])
    for more in ({}, {"delta": {"unit": "share"}}):
        run.write_result({"metric": {"name": "val/oa", "value": value, **more}, "confusion": [[1]]})
        (found,) = scan(tmp_path)
        assert found.result is not None
        assert repr(found.value) in (repr(found.result["metric"]["value"]), f"{value}.0")
    run.write_result({"classes": ["a"], "metric": {"value": 2.5}})
    assert [found.value for found in scan(tmp_path)] == [2.5]


@pytest.mark.parametrize("arm", ["", "..", "a/b", ".hidden"])
def test_an_arm_must_be_a_folder_name(arm: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot name an arm"):
        Experiment(tmp_path).run_path(arm, 0)


@pytest.mark.slow
def test_ten_thousand_results_are_read_in_half_a_second(tmp_path: Path) -> None:
    result = json.dumps(
        {
            "metric": {"name": "val/oa", "value": 0.98, "mode": "max"},
            "values": {f"val/{name}": 0.98 for name in ("oa", "aa", "kappa", "loss")},
            "confusion": [[i * j for j in range(16)] for i in range(16)],
            "classes": [f"class {i}" for i in range(16)],
            "cost": {"wall_s": 31.2, "train_s": 29.1, "device": "cpu", "threads": 1},
        }
    )
    for arm in range(10):
        for block in range(1000):
            folder = tmp_path / "e" / f"arm{arm}" / str(block)
            folder.mkdir(parents=True)
            (folder / "result.json").write_text(result)
            (folder / "status.json").write_text('{"state": "finished", "updated": "2026-11-22T07:43:11+00:00"}')
    times = []
    for _ in range(5):
        start = time.process_time()
        values = [run.value for run in scan(tmp_path) if run.state == "finished"]
        times.append(time.process_time() - start)
    assert values == [0.98] * 10_000
    assert scan(tmp_path)[0].result == json.loads(result)
    assert min(times) < 0.5, times


def test_a_link_to_a_folder_is_followed_once_and_only_out_of_the_tree(tmp_path: Path) -> None:
    inside, outside = tmp_path / "runs", tmp_path / "disk"
    for place in (inside / "e" / "base" / "0", outside / "moved" / "base" / "0"):
        RunFolder.create(place, recipe={"task": "x"}, block=0, arm="base", experiment="e", tricks=[])
    (inside / "latest").symlink_to(inside / "e")
    (inside / "e" / "up").symlink_to(inside)
    (inside / "e" / "above").symlink_to(tmp_path)
    (inside / "moved").symlink_to(outside / "moved")
    (inside / "moved_too").symlink_to(outside / "moved")
    (outside / "moved" / "base" / "again").symlink_to(outside / "moved")
    assert [run.experiment in ("e", "moved", "moved_too") for run in scan(inside)] == [True, True]
    assert [run.experiment for run in scan(inside / "latest")] == ["latest"], "a link that is named is the root itself"
