"""Run what a plan asks for: a fresh process per run, as many at a time as the plan says, and every stop resumable."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tricklab.errors import UserError
from tricklab.lab.disk import is_full
from tricklab.lab.machine import grouped, processes_of, visible_devices
from tricklab.lab.plan import Plan
from tricklab.lab.pool import Pool
from tricklab.lab.queue import Queue, Task
from tricklab.records import Experiment, RunFolder

ATTEMPTS = 3
GRACE_S = 60.0


class Progress(Protocol):
    """What the runner tells while it works."""

    def started(self, task: Task, queue: Queue) -> None: ...
    def ended(self, task: Task, status: dict[str, Any], queue: Queue) -> None: ...
    def tick(self, queue: Queue, slots: int) -> None: ...
    def say(self, text: str) -> None: ...


@dataclass
class Outcome:
    """How the running ended: ``stopped`` says why before the end (None: everything is settled)."""

    stopped: str | None = None
    signal: int | None = None
    gave_up: list[str] = field(default_factory=list)


def run(
    plan: Plan, experiment: Experiment, blocks: int, pool: Pool, progress: Progress, budget_s: float | None = None
) -> Outcome:
    """Make every run of the first ``blocks`` blocks that is not settled yet.

    Args:
        pool: where the runs are started.
        budget_s: no run is started that would end later than this many seconds from now, by what runs took so far.

    Raises:
        UserError: bad input that shows in a baseline run, or runs that die before any has finished.
    """
    return _Runner(plan, Queue(plan, experiment, blocks), pool, progress, budget_s).run()


class _Runner:
    def __init__(self, plan: Plan, queue: Queue, pool: Pool, progress: Progress, budget_s: float | None) -> None:
        self.plan, self.queue, self.pool, self.progress = plan, queue, pool, progress
        self.deadline = None if budget_s is None else time.monotonic() + budget_s
        devices: list[str | None] = [*visible_devices()] if plan.device == "cuda" else []
        if plan.device == "cuda" and not devices:
            raise UserError(
                "the plan asks for CUDA, and no CUDA device is visible here",
                where=str(queue.experiment.path),
                fix="go on where there is one, or declare the experiment for this machine under another --name",
            )
        self.slots = grouped(devices, processes_of(plan.cells)) * plan.per_device or [None] * plan.workers
        self.free = list(self.slots)
        self.held: dict[str, str | None] = {}
        self.outcome = Outcome()
        self.error: UserError | None = None
        self.killed_at: float | None = None
        self.tasks = {task.identity: task for task in queue.waiting}

    def run(self) -> Outcome:
        self._refuse_dead_baseline()
        with self._signals():
            while True:
                if self.outcome.stopped is None and self.error is None:
                    self._start_unless_full()
                if not self.queue.running:
                    break
                for report in self.pool.poll(timeout=0.5):
                    if "ended" in report:
                        self._ended(self.tasks[report["ended"]], report)
                self.progress.tick(self.queue, len(self.slots))
                self._insist()
        if self.error is not None:
            raise self.error
        return self.outcome

    def _refuse_dead_baseline(self) -> None:
        """A baseline that an earlier session found dead leaves nothing to compare with."""
        baseline = self.plan.baseline
        if baseline is None or baseline.folder not in self.queue.stopped_cells:
            return
        for block in range(self.queue.blocks):
            path = self.queue.experiment.run_path(baseline.folder, block)
            status = Task(baseline, block, path).state()
            if status["state"] == "not_live":
                raise _of_baseline(status, path)

    def _start_unless_full(self) -> None:
        try:
            self._start_what_fits()
        except OSError as error:
            if not is_full(error):
                raise
            self._stop_full(self.queue.experiment.path)

    def _stop_full(self, path: Path) -> None:
        self.outcome.stopped = f"the disk is full ({path})"
        self.pool.signal(signal.SIGTERM)

    def _start_what_fits(self) -> None:
        while self.free and not any(task.alone for task in self.queue.running.values()):
            task = next(self.queue.ready(), None)
            if task is None or (task.alone and self.queue.running):
                return
            if self._follows(task):
                continue
            if self._too_late(task):
                if not self.queue.running:
                    self.outcome.stopped = "budget"
                return
            self._start(task)

    def _start(self, task: Task) -> None:
        folder = task.folder(self.plan)
        self.queue.waiting.remove(task)
        self.queue.running[task.identity] = task
        task.attempts += 1
        device = self.held[task.identity] = self.free.pop(0)
        arguments: dict[str, Any] = {"folder": str(folder.path.resolve()), "threads": self.plan.threads}
        if self.plan.kind == "recipe":
            arguments["device"] = self.plan.device
        self.pool.start(
            task.identity,
            f"tricklab.lab.jobs.{self.plan.kind}:run",
            arguments,
            folder.path.resolve() / "log.txt",
            {"CUDA_VISIBLE_DEVICES": device or ""} if device or self.plan.device == "cpu" else {},
        )
        self.progress.started(task, self.queue)

    def _follows(self, task: Task) -> bool:
        """Settle a run whose shared training gave nothing to evaluate."""
        source = self.queue.source_state(task)
        if source in (None, "finished"):
            return False
        assert source is not None
        shared = RunFolder.open(task.path.parent.parent / str(task.cell.fit_from) / str(task.block)).status()
        reason = {key: value for key, value in shared.items() if key not in ("state", "updated")}
        task.folder(self.plan).set_status(source, **{**reason, "shared_training": f"{task.cell.fit_from}/{task.block}"})
        self.queue.waiting.remove(task)
        self._settled(task, RunFolder.open(task.path).status())
        return True

    def _too_late(self, task: Task) -> bool:
        if self.deadline is None:
            return False
        expected = self.queue.expected(task)
        ahead = [other for other in self.queue.remaining if other.block == task.block]
        whole = sum(self.queue.expected(other) or 0.0 for other in ahead) / len(self.slots)
        begins_block = len(ahead) == sum(cell.folder not in self.queue.stopped_cells for cell in self.plan.cells)
        needed = max(expected or 0.0, whole if begins_block else 0.0)
        return time.monotonic() + needed > self.deadline

    def _ended(self, task: Task, report: dict[str, Any]) -> None:
        self.free.append(self.held.pop(task.identity))
        folder = RunFolder.open(task.path)
        status = folder.status()
        if status["state"] in ("planned", "running"):
            status = self._died(folder, report["code"])
        if status["state"] == "interrupted":
            self._interrupted(task, status)
        else:
            self._settled(task, status)

    def _died(self, folder: RunFolder, code: int) -> dict[str, Any]:
        """Note how a run ended that could not say so itself."""
        told = code == -signal.SIGKILL and self.outcome.signal is not None
        reason = "stopped: killed after a signal" if told else _death(code)
        try:
            folder.set_status("interrupted", reason=reason, message=_tail(folder))
        except OSError as error:
            if not is_full(error):
                raise
            # the old status, by a process that is gone, says the same
            return {"state": "interrupted", "reason": "disk full"}
        return folder.status()

    def _settled(self, task: Task, status: dict[str, Any]) -> None:
        self.queue.settle(task, status["state"])
        self.progress.ended(task, status, self.queue)
        if status["state"] in ("refused", "not_live") and not task.cell.arms:
            self._abort(_of_baseline(status, task.path))

    def _interrupted(self, task: Task, status: dict[str, Any]) -> None:
        self.queue.running.pop(task.identity)
        if self.outcome.stopped is not None or self.error is not None:
            return
        reason = status.get("reason") or "stopped"
        if reason == "disk full":
            self._stop_full(task.path)
            return
        if task.attempts < ATTEMPTS:
            task.alone = "memory" in reason
            beside = ", with nothing beside it" if task.alone else ""
            self.progress.say(f"{task.identity}: {reason}; tried again{beside} ({task.attempts + 1} of {ATTEMPTS})")
            self.queue.waiting.insert(0, task)
            return
        self.progress.say(f"{task.identity}: {reason}; given up after {ATTEMPTS} attempts, see {task.path}/log.txt")
        self.outcome.gave_up.append(f"{task.identity}: {reason}")
        if not any(state == "finished" for state in self.queue.states.values()):
            log = str(task.path / "log.txt")
            self._abort(UserError(f"the first runs die: {reason}", where=log, fix=status.get("message") or None))

    def _abort(self, error: UserError) -> None:
        """End what runs (resumably) and raise ``error`` when it has ended."""
        self.error = error
        self.outcome.stopped = "error"
        self.pool.signal(signal.SIGTERM)

    def _insist(self) -> None:
        """Kill what has not ended a while after it was asked to."""
        if self.outcome.stopped is None or self.outcome.stopped == "budget":
            return
        self.killed_at = self.killed_at or time.monotonic() + GRACE_S
        if time.monotonic() > self.killed_at:
            self.pool.signal(signal.SIGKILL)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Forward a first SIGINT, SIGTERM or SIGHUP as SIGTERM to every run; a second one kills them.

        A SIGHUP that is ignored, as under nohup, stays so.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, _frame: object) -> None:
            again = self.outcome.signal is not None
            self.outcome.stopped, self.outcome.signal = signal.Signals(number).name, number
            self.pool.signal(signal.SIGKILL if again else signal.SIGTERM)

        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        before = {number: signal.signal(number, stop) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _of_baseline(status: dict[str, Any], path: Path) -> UserError:
    message = str(status.get("message") or "see its log.txt")
    what = "cannot run" if status["state"] == "refused" else "is not what its recipe says"
    return UserError(f"the baseline {what}: {message}", where=str(path))


def _death(code: int) -> str:
    if code == -signal.SIGKILL:
        return "killed, as a machine short of memory does"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"its process ended with code {code}"


def _tail(folder: RunFolder) -> str:
    log = folder.path / "log.txt"
    if not log.exists():
        return ""
    with open(log, "rb") as file:
        file.seek(max(0, os.path.getsize(log) - 2000))
        return file.read().decode(errors="replace").strip()
