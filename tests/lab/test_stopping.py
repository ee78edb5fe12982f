"""Stops of every kind leave nothing running and everything resumable."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.lab.killing import alive, descendants, kill_all, start, until
from tricklab.lab import experiment_result, resume
from tricklab.lab.overview import overview
from tricklab.records import scan

WAITING = """
from tests.lab import jobs
from tricklab.lab import ablate
ablate(jobs.waiting, {{"flip": True}}, blocks=2, workers=2, name="e", out={out!r}, progress=False, report=False)
"""


def two_waiting(tmp_path: Path) -> tuple[subprocess.Popen[bytes], list[int]]:
    """An ablation whose first two runs have started, and their process numbers."""
    marks = tmp_path / "marks"
    marks.mkdir()
    process = start(WAITING.format(out=str(tmp_path)), environment={"TRICKLAB_TEST_MARKS": str(marks)})
    until(lambda: len(list(marks.glob("*.pid"))) == 2, "two runs have started", process)
    return process, [int(mark.stem) for mark in marks.glob("*.pid")]


def test_runs_die_with_a_killed_parent(tmp_path: Path) -> None:
    process, runs = two_waiting(tmp_path)
    below = descendants(process.pid)
    assert set(runs) < set(below)
    assert overview(tmp_path / "e")[0].state == "running"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    until(lambda: not any(map(alive, below)), "the server and its runs are gone")
    found = overview(tmp_path / "e")[0]
    assert (found.state, found.counts) == ("stopped", {"interrupted": 2})


def test_runs_die_with_a_killed_server(tmp_path: Path) -> None:
    process, runs = two_waiting(tmp_path)
    (server,) = set(descendants(process.pid)) - set(runs)
    os.kill(server, signal.SIGKILL)
    until(lambda: not any(map(alive, runs)), "the runs are gone")
    _, errors = process.communicate()
    assert process.returncode != 0
    assert b"the process that starts the runs has ended" in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything_resumably(number: signal.Signals, tmp_path: Path) -> None:
    process, runs = two_waiting(tmp_path)
    process.send_signal(number)
    _, errors = process.communicate()
    assert b"KeyboardInterrupt" in errors
    assert not any(map(alive, runs))
    states = {run.arm: run.status for run in scan(tmp_path / "e")}
    assert {status["state"] for status in states.values()} == {"interrupted"}
    assert "SIGTERM" in states["baseline"]["reason"]


RECIPE = """
task: hyperspectral
data:
  scene: {type: SyntheticScene, height: 40, width: 40, bands: 24, classes: 4}
  window: 9
  pca: 15
  split: {type: RandomPixels, train: 0.2, val: 0.2}
model: {type: HybridSN}
losses: [{type: CrossEntropyLoss, on: main}]
optimizer: {type: Adam, lr: 1e-3}
train: {device: cpu, epochs: 3, batch_size: 32, checkpoint_every: {iterations: 2}, log_every: {iterations: 1}}
metric: {monitor: val/oa, mode: max, delta: 0.01}
"""
ABLATE = """
from tricklab.lab import ablate
arms = ["+se", "+ema(decay=0.9)"]
ablate({recipe!r}, arms, blocks=3, workers=2, threads=1, name="e", out={out!r}, progress=False, report=False)
"""


def verdict(folder: Path) -> dict[str, Any]:
    """All that must not depend on stops: every figure but what time it took and where."""
    found = experiment_result(folder)
    timed = ("cost", "environment", "command", "commands", "path")
    kept: dict[str, Any] = {key: value for key, value in found.items() if key not in timed}
    kept["arms"] = [{k: v for k, v in arm.items() if k not in ("cost", "evaluate_s")} for arm in found["arms"]]
    untimed = [{k: v for k, v in trick.items() if k not in ("cost_needed", "text")} for trick in found["tricks"]]
    return {**kept, "tricks": untimed}


@pytest.mark.slow
def test_three_kills_change_no_digit_and_repeat_nothing(tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(RECIPE)
    unbroken = start(ABLATE.format(recipe=str(recipe), out=str(tmp_path / "whole")))
    _, errors = unbroken.communicate()
    assert unbroken.returncode == 0, errors.decode()[-3000:]

    place = tmp_path / "broken"
    moments = random.Random(20240607)
    finished: dict[Path, int] = {}
    for _ in range(3):
        process = start(ABLATE.format(recipe=str(recipe), out=str(place)))
        until(lambda: any(run.state == "running" for run in scan(place)) if place.exists() else False, "a run", process)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=moments.uniform(0.2, 5.0))
        below = kill_all(process)
        until(lambda pids=below: not any(map(alive, pids)), "all are dead")  # type: ignore[misc]
        for path, written in finished.items():
            assert (path / "result.json").stat().st_mtime_ns == written
        finished = {
            run.path: (run.path / "result.json").stat().st_mtime_ns for run in scan(place) if run.state == "finished"
        }
    assert len(finished) < 12, "the kills came too late to interrupt anything"

    resume(place / "e", progress=False, report=False)
    for path, written in finished.items():
        assert (path / "result.json").stat().st_mtime_ns == written
    assert verdict(place / "e") == verdict(tmp_path / "whole" / "e")
