"""The order of runs, what shares devices, and what each way of ending leads to; with a pool that only pretends."""

from __future__ import annotations

import dataclasses
import errno
import os
import signal
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from tests.lab.test_ledger import RESULT, experiment
from tricklab.errors import UserError
from tricklab.lab.display import Lines, Live, Silent
from tricklab.lab.plan import Plan
from tricklab.lab.queue import Queue
from tricklab.lab.runner import ATTEMPTS, Outcome, run
from tricklab.records import Experiment, RunFolder, scan

Ending = Callable[[str, int], dict[str, Any] | int]


class Pretending:
    """Ends runs in the order they were started; ``ending`` tells a run's status, or the code it dies with."""

    def __init__(self, ending: Ending = lambda name, attempt: {"state": "finished"}, wall_s: float = 10.0) -> None:
        self.ending, self.wall_s = ending, wall_s
        self.going: list[tuple[str, Path]] = []
        self.started: list[str] = []
        self.environments: list[dict[str, str]] = []
        self.most = 0
        self.signals: list[int] = []

    def start(
        self, identity: str, target: str, arguments: dict[str, Any], log: Path, environment: dict[str, str]
    ) -> None:
        assert target == "tricklab.lab.jobs.recipe:run"
        assert log.parent == Path(arguments["folder"])
        self.going.append((identity, log.parent))
        self.started.append(identity)
        self.environments.append(environment)
        self.most = max(self.most, len(self.going))

    def signal(self, number: int) -> None:
        self.signals.append(number)

    def poll(self, timeout: float) -> list[dict[str, Any]]:
        identity, path = self.going.pop(0)
        folder = RunFolder.open(path)
        told = self.ending(identity, self.started.count(identity))
        if isinstance(told, int):
            folder.set_status("running")
            return [{"ended": identity, "code": told}]
        if told["state"] == "finished":
            metric = {"name": "val/oa", "value": 0.5, "mode": "max"}
            cost = {**RESULT["cost"], "wall_s": self.wall_s}
            folder.write_result({**RESULT, "metric": metric, "cost": cost, "fit_from": None})
        folder.set_status(**told)
        return [{"ended": identity, "code": 0}]


def go(opened: Experiment, plan: Plan, pool: Pretending, **options: Any) -> Outcome:
    return run(plan, opened, options.pop("blocks", plan.looks[0]), pool, Silent(), **options)  # type: ignore[arg-type]


def test_blocks_come_one_after_another_and_trainings_first(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+ema", "+se"], blocks=2)
    pool = Pretending()
    assert go(opened, plan, pool) == Outcome()
    first = ["baseline/0", "+se/0", "+ema/0", "+ema_and_+se/0"]
    assert pool.started[:4] == first
    assert pool.started[4:] == [name.replace("/0", "/1") for name in first]
    assert pool.most == plan.workers == 2
    assert RunFolder.open(opened.run_path("+ema", 1)).declared["fit_from"] == "baseline/1"
    # once more: nothing is left
    again = Pretending()
    go(opened, plan, again)
    assert again.started == []


def test_runs_share_devices_as_the_plan_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, plan = experiment(tmp_path, ["+se", "+cosine"], blocks=2)
    assert plan.device == "cpu"
    pool = Pretending()
    monkeypatch.setattr("tricklab.lab.runner.visible_devices", lambda: ["2", "5"])
    go(opened, dataclasses.replace(plan, device="cuda", per_device=2), pool)
    assert pool.most == 4
    assert [environment["CUDA_VISIBLE_DEVICES"] for environment in pool.environments[:4]] == ["2", "5", "2", "5"]


def test_runs_on_the_processor_see_no_device(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se"], blocks=1)
    pool = Pretending()
    go(opened, plan, pool)
    assert pool.environments == [{"CUDA_VISIBLE_DEVICES": ""}] * 2


def test_what_evaluates_a_failed_training_fails_with_it(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+ema"], blocks=2)
    failed = {"state": "failed", "reason": "non-finite", "message": "loss is nan"}
    pool = Pretending(lambda name, attempt: failed if name == "baseline/0" else {"state": "finished"})
    go(opened, plan, pool)
    assert "+ema/0" not in pool.started
    status = RunFolder.open(opened.run_path("+ema", 0)).status()
    assert (status["state"], status["reason"], status["shared_training"]) == ("failed", "non-finite", "baseline/0")
    assert RunFolder.open(opened.run_path("+ema", 1)).status()["state"] == "finished"


def test_an_arm_that_is_not_live_stops_with_what_shares_its_training(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se", "+ema"], blocks=3)
    dead = {"state": "not_live", "message": "no sign", "trick": "se"}
    pool = Pretending(lambda name, attempt: dead if name.startswith("+se/") else {"state": "finished"})
    go(opened, plan, pool)
    assert {name for name in pool.started if "+se" in name} <= {"+se/0", "+se/1"}
    assert sum(name.startswith(("baseline/", "+ema/")) for name in pool.started) == 6


@pytest.mark.parametrize("state", ["refused", "not_live"])
def test_a_baseline_that_cannot_run_stops_everything(state: str, tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se"], blocks=5)
    pool = Pretending(lambda name, attempt: {"state": state, "message": "no file x.mat", "trick": "ema"})
    with pytest.raises(UserError, match=r"the baseline .*: no file x\.mat"):
        go(opened, plan, pool)
    assert len(pool.started) == 2
    assert pool.signals == [signal.SIGTERM]


def test_killed_runs_are_tried_again_a_bounded_number_of_times(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se"], blocks=2)
    pool = Pretending(lambda name, attempt: -9 if name == "+se/1" else {"state": "finished"})
    outcome = go(opened, plan, pool)
    assert pool.started.count("+se/1") == ATTEMPTS
    assert outcome.gave_up == ["+se/1: killed, as a machine short of memory does"]
    states = {(run.arm, run.block): run.state for run in scan(opened.path)}
    assert states[("+se", 1)] == "interrupted"


def test_after_memory_ran_out_a_run_gets_the_machine_for_itself(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se", "+cosine"], blocks=1)
    beside: list[int] = []

    def ending(name: str, attempt: int) -> dict[str, Any]:
        if name == "baseline/0" and attempt == 1:
            return {"state": "interrupted", "reason": "out of memory"}
        if name == "baseline/0":
            beside.append(len(pool.going))
        return {"state": "finished"}

    pool = Pretending(ending)
    assert go(opened, plan, pool) == Outcome()
    assert beside == [0]


def test_a_full_disk_stops_resumably(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se"], blocks=3)
    pool = Pretending(lambda name, attempt: {"state": "interrupted", "reason": "disk full"})
    outcome = go(opened, plan, pool)
    assert outcome.stopped is not None
    assert "disk is full" in outcome.stopped
    assert len(pool.started) == 2


def test_a_budget_begins_no_block_that_would_not_end_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, plan = experiment(tmp_path, ["+se", "+cosine"], blocks=5)
    now = [0.0]
    monkeypatch.setattr("tricklab.lab.runner.time.monotonic", lambda: now[0])

    def ending(name: str, attempt: int) -> dict[str, Any]:
        now[0] += 5.0  # ten seconds a run, two at a time
        return {"state": "finished"}

    # four cells of ten seconds on two workers: twenty seconds a block
    pool = Pretending(ending)
    outcome = go(opened, plan, pool, budget_s=49.0)
    assert outcome.stopped == "budget"
    assert len(pool.started) == 8, "two whole blocks, no third"
    assert go(opened, plan, Pretending()).stopped is None


def test_time_left_counts_trainings_and_evaluations_apart(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+ema"], blocks=4)
    queue = Queue(plan, opened, 4)
    assert queue.seconds_left(2) is None
    go(opened, plan, Pretending(wall_s=10.0), blocks=1)
    queue = Queue(plan, opened, 4)
    queue.durations[False] = [1.0]
    assert queue.seconds_left(2) == pytest.approx(3 * (10.0 + 1.0) / 2)
    assert queue.counts() == {"running": 0, "waiting": 6, "finished": 2}


def test_progress_as_lines_and_as_a_table(tmp_path: Path) -> None:
    from rich.console import Console
    from rich.live import Live as RichLive

    opened, plan = experiment(tmp_path, ["+se"], blocks=1)
    lines, screen = StringIO(), StringIO()
    run(plan, opened, 1, Pretending(), Lines(plan, lines))  # type: ignore[arg-type]
    first, last = lines.getvalue().splitlines()
    assert first.startswith("[1/2] baseline, block 0: finished, val/oa 0.5 in 10 s; eta ")
    assert last == "[2/2] +se, block 0: finished, val/oa 0.5 in 10 s; eta 0.0 s"

    queue = Queue(plan, opened, 2)
    task = queue.waiting[0]
    task.folder(plan).append_metrics(
        {"phase": "train", "step": 12, "epoch": 0.5, "samples_seen": 9, "wall_s": 1.0, "loss": 0.25, "eta_s": 30.0}
    )
    queue.running[task.identity] = task
    queue.waiting.remove(task)
    with RichLive(console=Console(file=screen, force_terminal=True, width=100), auto_refresh=False) as live:
        shown = Live(plan, live)
        shown.started(task, queue)
        shown.tick(queue, 2)
    text = screen.getvalue()
    assert "1 running, 1 waiting, 2 finished of 4" in text
    for part in ("baseline", "12", "0.25", "30 s"):
        assert part in text


def test_a_dead_baseline_stops_a_later_session_too(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se"], blocks=3)
    dead = {"state": "not_live", "message": "no sign", "trick": "ema"}
    with pytest.raises(UserError, match="no sign"):
        go(opened, plan, Pretending(lambda name, attempt: dead if name == "baseline/0" else {"state": "finished"}))
    again = Pretending()
    with pytest.raises(UserError, match="the baseline is not what its recipe says: no sign"):
        go(opened, plan, again)
    assert again.started == []


def test_a_plan_for_gpus_is_not_done_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, plan = experiment(tmp_path, ["+se"], blocks=1)
    monkeypatch.setattr("tricklab.lab.runner.visible_devices", list)
    with pytest.raises(UserError, match="no CUDA device is visible"):
        go(opened, dataclasses.replace(plan, device="cuda"), Pretending())


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_too_full_for_a_run_folder_stops_resumably(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, plan = experiment(tmp_path, ["+se"], blocks=2)
    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "create", full)
        outcome = go(opened, plan, Pretending())
    assert "disk is full" in str(outcome.stopped)
    assert go(opened, plan, Pretending()) == Outcome()


def test_a_disk_too_full_for_a_status_stops_resumably(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, plan = experiment(tmp_path, ["+se"], blocks=2)
    with monkeypatch.context() as patched:

        def ending(name: str, attempt: int) -> int:
            patched.setattr(RunFolder, "set_status", full)
            return 1

        class Dying(Pretending):
            def poll(self, timeout: float) -> list[dict[str, Any]]:
                identity, _ = self.going.pop(0)
                return [{"ended": identity, "code": ending(identity, 1)}]

        outcome = go(opened, plan, Dying())
    assert "disk is full" in str(outcome.stopped)
    assert go(opened, plan, Pretending()) == Outcome()


def test_a_hangup_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se"], blocks=1)
    seen: dict[int, Any] = {}

    def ending(name: str, attempt: int) -> dict[str, Any]:
        seen.update({number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)})
        return {"state": "finished"}

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        go(opened, plan, Pretending(ending))
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert seen[signal.SIGHUP] is signal.SIG_IGN, "nohup must outlive its terminal"
    assert callable(seen[signal.SIGTERM])


def test_a_second_signal_kills_and_says_so(tmp_path: Path) -> None:
    opened, plan = experiment(tmp_path, ["+se"], blocks=1)

    def ending(name: str, attempt: int) -> int:
        if not pool.signals:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
        return -signal.SIGKILL

    pool = Pretending(ending)
    outcome = go(opened, plan, pool)
    assert pool.signals == [signal.SIGTERM, signal.SIGKILL]
    assert outcome.signal == signal.SIGTERM
    assert {run.status["reason"] for run in scan(opened.path)} == {"stopped: killed after a signal"}
