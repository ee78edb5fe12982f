"""What stands in a folder of experiments right now: states, progress, time left."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from tricklab.lab.designs import cell_name
from tricklab.lab.display import last_row
from tricklab.lab.durations import span
from tricklab.lab.plan import Plan
from tricklab.records import Experiment, RunFolder, RunSummary, scan
from tricklab.records.lock import holder

if TYPE_CHECKING:
    from rich.console import RenderableType

_STALE = "running"


@dataclass(frozen=True)
class RunningRun:
    """A run that is going on now; ``step``, ``epoch``, ``eta_s`` from its last training row."""

    path: str
    cell: str
    block: int
    step: int | None
    epoch: float | None
    eta_s: float | None


@dataclass(frozen=True)
class Overview:
    """One experiment.

    Attributes:
        state: ``running`` (a process works on it), ``finished``, ``stopped`` (to be resumed) or ``planned``.
        counts: runs by state; a run whose process was killed counts as ``interrupted``.
        total: runs that the open look needs; None for a single run.
        eta_s: seconds until the open look is done, by the runs so far.
        verdicts: by arm, of the last judged look.
    """

    name: str
    path: str
    state: str
    counts: dict[str, int]
    total: int | None
    blocks: int | None
    metric: str | None
    eta_s: float | None
    running: list[RunningRun] = field(default_factory=list)
    verdicts: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def overview(root: str | os.PathLike[str]) -> list[Overview]:
    """Every experiment at or below ``root``, and single runs as experiments of one run, sorted by name.

    Raises:
        UserError: the folder does not exist, or a file in it is damaged.
    """
    groups: dict[Path, list[RunSummary]] = {}
    for run in scan(root):
        groups.setdefault(run.path.parent.parent, []).append(run)
    start = Path(root)
    for place in (
        [start] if (start / "plan.json").is_file() else sorted(found.parent for found in start.glob("*/plan.json"))
    ):
        groups.setdefault(Path(os.path.abspath(place)), [])
    return [
        _experiment(path, runs) if (path / "plan.json").is_file() else _alone(path, runs)
        for path, runs in sorted(groups.items())
    ]


def render(found: list[Overview], root: str) -> RenderableType:
    """The overview as a table for a rich console."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    if not found:
        return Text(f"{root} holds no experiments and no runs")
    table = Table(box=None, pad_edge=False)
    for title in ("experiment", "state", "runs", "blocks", "left", "verdicts"):
        table.add_column(title, overflow="fold")
    parts: list[RenderableType] = [table]
    for one in found:
        done = sum(one.counts.get(state, 0) for state in ("finished", "failed", "not_live"))
        trouble = [
            f"{one.counts[state]} {state.replace('_', ' ')}"
            for state in ("failed", "interrupted", "not_live", "refused")
            if one.counts.get(state)
        ]
        runs = (f"{done}/{one.total}" if one.total else str(done)) + (f" ({', '.join(trouble)})" if trouble else "")
        verdicts = ", ".join(f"{arm}: {word}" for arm, word in one.verdicts.items())
        table.add_row(*map(Text, (one.name, one.state, runs, str(one.blocks or ""), span(one.eta_s), verdicts)))
        for run in one.running:
            step = "starting" if run.step is None else f"step {run.step}, epoch {run.epoch:.1f}"
            left = f", {span(run.eta_s)} left" if run.eta_s is not None else ""
            parts.append(Text(f"  running: {one.name}/{run.cell}, block {run.block}: {step}{left}"))
    return Group(*parts)


def _experiment(path: Path, runs: list[RunSummary]) -> Overview:
    experiment = Experiment.open(path)
    plan = Plan.from_dict(experiment.plan)
    looks = experiment.looks()
    blocks = max((look["blocks"] for look in looks), default=plan.looks[0])
    names = {cell.folder: cell_name(cell.arms) for cell in plan.cells}
    mine = [run for run in runs if run.arm in names and run.block < blocks]
    states = {(run.arm, run.block): _state(run) for run in mine}
    counts = Counter(states.values())
    total = blocks * len(plan.cells)
    settled = sum(counts[state] for state in ("finished", "failed", "not_live", "refused"))
    stopped = {arm for (arm, _), state in states.items() if state in ("not_live", "refused")}
    stopped |= {cell.folder for cell in plan.cells if cell.fit_from in stopped}
    left = [
        (cell, block)
        for cell in plan.cells
        for block in range(blocks)
        if cell.folder not in stopped and states.get((cell.folder, block)) not in ("finished", "failed")
    ]
    if holder(path / "lock") is not None:
        state = "running"
    else:
        state = "finished" if not left else "stopped" if settled or counts else "planned"
    judged = [look for look in looks if look.get("event") == "judged"]
    return Overview(
        name=plan.experiment,
        path=str(path),
        state=state,
        counts=dict(counts),
        total=total,
        blocks=blocks,
        metric=plan.metric,
        eta_s=_eta(plan, mine, [cell.folder for cell, _ in left]),
        running=[_running(run, names[run.arm]) for run in mine if states[run.arm, run.block] == "running"],
        verdicts=judged[-1]["verdicts"] if judged else {},
    )


def _alone(path: Path, runs: list[RunSummary]) -> Overview:
    states = [_state(run) for run in runs]
    state = (
        "running"
        if "running" in states
        else "finished"
        if set(states) <= {"finished", "failed", "not_live"}
        else "stopped"
    )
    metric = next((run.result["metric"]["name"] for run in runs if run.result), None)
    return Overview(
        name=path.name,
        path=str(path),
        state=state,
        counts=dict(Counter(states)),
        total=len(runs),
        blocks=None,
        metric=metric,
        eta_s=None,
        running=[_running(run, run.arm) for run, state in zip(runs, states, strict=True) if state == "running"],
    )


def _state(run: RunSummary) -> str:
    """A run's state; one that says it is running but that no process holds was killed."""
    if run.state == _STALE and RunFolder(run.path).holder() is None:
        return "interrupted"
    return run.state


def _running(run: RunSummary, cell: str) -> RunningRun:
    row = last_row(run.path) or {}
    return RunningRun(str(run.path), cell, run.block, row.get("step"), row.get("epoch"), row.get("eta_s"))


def _eta(plan: Plan, runs: list[RunSummary], left: list[str]) -> float | None:
    walls: dict[bool, list[float]] = {True: [], False: []}
    trains = {cell.folder: cell.fit_from is None for cell in plan.cells}
    for run in runs:
        if run.result:
            walls[trains[run.arm]].append(run.result["cost"]["wall_s"])
    if not left:
        return 0.0
    if not walls[True]:
        return None
    mean = {kind: fmean(values) if values else 0.0 for kind, values in walls.items()}
    return sum(mean[trains[folder]] for folder in left) / max(1, plan.workers)
