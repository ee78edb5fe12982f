"""What is left to run, in which order, and how long it will take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from tricklab.lab.plan import CellPlan, Plan
from tricklab.records import Experiment, RunFolder

SETTLED = ("finished", "failed", "not_live")


@dataclass
class Task:
    """One run that is to be made: a cell in a block."""

    cell: CellPlan
    block: int
    path: Path
    attempts: int = 0
    alone: bool = False

    @property
    def identity(self) -> str:
        """``<cell folder>/<block>``."""
        return f"{self.cell.folder}/{self.block}"

    def folder(self, plan: Plan) -> RunFolder:
        """The run folder, declared if it is not there yet."""
        if (self.path / "status.json").exists():
            return RunFolder.open(self.path)
        source = self.cell.fit_from
        return RunFolder.create(
            self.path,
            recipe=self.cell.recipe,
            block=self.block,
            arm=self.cell.folder,
            experiment=plan.experiment,
            tricks=self.cell.tricks,
            observers=self.cell.observers,
            fit_from=None if source is None else f"{source}/{self.block}",
        )

    def state(self) -> dict[str, Any]:
        """``status.json``, or ``planned`` while there is no folder."""
        if not (self.path / "status.json").exists():
            return {"state": "planned"}
        return RunFolder(self.path).status()


@dataclass
class Queue:
    """The runs of an experiment up to a number of blocks, block by block, trainings before what evaluates them.

    Block-major order, so that a stop leaves whole blocks: only whole blocks can be compared.
    """

    plan: Plan
    experiment: Experiment
    blocks: int
    waiting: list[Task] = field(default_factory=list)
    running: dict[str, Task] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    durations: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    stopped_cells: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for block in range(self.blocks):
            for cell in sorted(self.plan.cells, key=lambda cell: cell.fit_from is not None):
                task = Task(cell, block, self.experiment.run_path(cell.folder, block))
                state = task.state()["state"]
                if state in SETTLED:
                    self.settle(task, state)
                else:
                    self.waiting.append(task)

    @property
    def total(self) -> int:
        return self.blocks * len(self.plan.cells)

    def settle(self, task: Task, state: str) -> None:
        """Note how a run ended; a trick that was not live, or bad input, stops its cell."""
        self.running.pop(task.identity, None)
        self.states[task.identity] = state
        if state in ("not_live", "refused"):
            sharing = {cell.folder for cell in self.plan.cells if cell.fit_from == task.cell.folder}
            self.stopped_cells |= {task.cell.folder, *sharing}
        if state == "finished":
            result = RunFolder(task.path).result() or {}
            self.durations[task.cell.fit_from is None].append(float(result.get("cost", {}).get("wall_s", 0.0)))

    def ready(self) -> Iterator[Task]:
        """Waiting runs that may start now, best first."""
        for task in self.waiting:
            if task.cell.folder in self.stopped_cells:
                continue
            if task.cell.fit_from is None or f"{task.cell.fit_from}/{task.block}" in self.states:
                yield task

    def source_state(self, task: Task) -> str | None:
        """How the training that this run evaluates ended; None for a run that trains."""
        source = task.cell.fit_from
        return None if source is None else self.states.get(f"{source}/{task.block}")

    @property
    def remaining(self) -> list[Task]:
        """Runs that will still be started."""
        return [task for task in self.waiting if task.cell.folder not in self.stopped_cells]

    def expected(self, task: Task) -> float | None:
        """Seconds that a run will take: the mean of its kind so far; None while nothing of its kind is known."""
        known = self.durations[task.cell.fit_from is None]
        return fmean(known) if known else None

    def seconds_left(self, slots: int) -> float | None:
        """Seconds until everything is done, or None while no run has finished."""
        trained = self.durations[True]
        if not trained:
            return None
        ahead = sum(self.expected(task) or 0.0 for task in self.remaining)
        halfway = 0.5 * sum(self.expected(task) or 0.0 for task in self.running.values())
        return (ahead + halfway) / max(1, slots)

    def counts(self) -> dict[str, int]:
        """How many runs are in each state."""
        found = {"running": len(self.running), "waiting": len(self.remaining)}
        for state in self.states.values():
            found[state] = found.get(state, 0) + 1
        return found
