"""tricklab status: states as the folders tell them, a killed run told from a running one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tricklab.cli.main import main
from tricklab.records import Experiment, RunFolder


def run(path: Path, arm: str = "run", block: int = 0) -> RunFolder:
    return RunFolder.create(path / arm / str(block), recipe={"a": 1}, block=block, arm=arm, experiment="e", tricks=[])


def shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[dict]:
    assert main(["status", str(folder), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["experiments"]


def test_a_single_run_with_its_progress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run(tmp_path / "single")
    folder.set_status("running")
    folder.append_metrics({"phase": "train", "step": 7, "epoch": 0.5, "samples_seen": 56, "wall_s": 1.0, "eta_s": 9.0})
    folder.append_metrics({"phase": "val", "step": 7, "epoch": 0.5, "samples_seen": 56, "wall_s": 1.0})
    with folder.lock():
        (one,) = shown(tmp_path, capsys)
        assert (one["name"], one["state"], one["counts"]) == ("single", "running", {"running": 1})
        assert one["running"][0] | {"path": ""} == {
            "path": "", "cell": "run", "block": 0, "step": 7, "epoch": 0.5, "eta_s": 9.0,
        }  # fmt: skip
        assert main(["status", str(tmp_path)]) == 0
        assert "running: single/run, block 0: step 7, epoch 0.5, 9 s left" in capsys.readouterr().out
    # without a process that holds it, it was killed
    (one,) = shown(tmp_path, capsys)
    assert (one["state"], one["counts"]) == ("stopped", {"interrupted": 1})


def test_an_experiment_counts_what_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = [
        {"arms": arms, "folder": folder, "recipe": {"a": 1}, "fit_from": source}
        for arms, folder, source in (([], "baseline", None), (["+ema"], "+ema", "baseline"))
    ]
    plan = {
        "experiment": "e", "kind": "recipe", "subject": "demo", "metric": "val/oa", "direction": "max", "delta": None,
        "design": "add-one", "arms": [{"name": "+ema", "factor": "+ema", "changes": []}], "cells": cells,
        "looks": [2, 4], "workers": 2, "threads": 1, "device": "cpu", "per_device": 1,
    }  # fmt: skip
    experiment = Experiment.create(tmp_path / "e", plan)
    (one,) = shown(tmp_path, capsys)
    assert (one["state"], one["total"], one["eta_s"]) == ("planned", 4, None)
    for block in range(2):
        folder = run(tmp_path / "e", "baseline", block)
        folder.write_result({"metric": {"name": "val/oa", "value": 0.5}, "cost": {"wall_s": 10.0}})
        folder.set_status("finished")
    (one,) = shown(tmp_path / "e", capsys)
    assert (one["state"], one["counts"], one["blocks"]) == ("stopped", {"finished": 2}, 2)
    assert one["eta_s"] == 0.0
    experiment.append_look({"event": "opened", "blocks": 4, "look": 2})
    (one,) = shown(tmp_path, capsys)
    assert (one["total"], one["eta_s"]) == (8, 2 * 10.0 / 2)
    run(tmp_path / "e", "+ema", 0).set_status("not_live", trick="ema")
    with experiment.lock():
        (one,) = shown(tmp_path, capsys)
        assert one["state"] == "running"
    assert main(["status", str(tmp_path)]) == 0
    assert "3/8 (1 not live)" in capsys.readouterr().out


def test_nothing_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(tmp_path)]) == 0
    assert "holds no experiments" in capsys.readouterr().out
    assert main(["status", str(tmp_path / "none")]) == 2
    assert "no such folder" in capsys.readouterr().err
