"""What a report is written from: the plan, the verdicts, and the run folders of one experiment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tricklab.records import Evidence, Experiment, RunFolder, scan


@dataclass(frozen=True)
class Run:
    """One run of a cell: ``value`` is the primary metric, None where the run gave none."""

    cell: str
    block: int
    folder: Path
    status: dict[str, Any]
    result: dict[str, Any]

    @property
    def state(self) -> str:
        return str(self.status.get("state", "planned"))

    @property
    def value(self) -> float | None:
        found = (self.result.get("metric") or {}).get("value")
        return float(found) if isinstance(found, int | float) and self.state == "finished" else None

    @property
    def cost(self) -> dict[str, Any]:
        return self.result.get("cost") or {}

    @cached_property
    def evidence(self) -> Evidence:
        return Evidence.from_folder(self.folder)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Where the numbers came from: versions, machine, command; empty if the run recorded none."""
        found = RunFolder.open(self.folder).provenance()
        return found.get("environment") or {key: value for key, value in found.items() if key != "declared"}


@dataclass(frozen=True)
class Cell:
    """One set of arms and its runs, by block; ``arms`` is empty for the baseline."""

    name: str
    arms: tuple[str, ...]
    runs: Mapping[int, Run]
    fit_from: str | None = None

    def finished(self) -> Iterator[Run]:
        return (run for run in self.runs.values() if run.state == "finished")


@dataclass(frozen=True)
class Source:
    """An experiment as the report sees it; ``outcome`` is the machine-readable result."""

    folder: Path
    plan: dict[str, Any]
    plan_hash: str
    outcome: dict[str, Any]
    cells: list[Cell]
    looks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.outcome.get("experiment") or self.folder.name)

    @property
    def subject(self) -> str:
        """The recipe, function or command that was tried, as the plan names it."""
        return str(self.plan.get("subject") or self.name)

    @property
    def title(self) -> str:
        """The subject without the folders of its file."""
        return Path(self.subject).stem if self.plan.get("kind") == "recipe" else self.subject

    @property
    def metric(self) -> str:
        return str(self.outcome["metric"])

    @property
    def minimise(self) -> bool:
        return str(self.outcome.get("direction", "max")).startswith("min")

    @property
    def delta(self) -> float | None:
        return self.outcome.get("delta")

    @property
    def tricks(self) -> list[dict[str, Any]]:
        return list(self.outcome.get("tricks", ()))

    @cached_property
    def runs(self) -> list[Run]:
        return [run for cell in self.cells for _, run in sorted(cell.runs.items())]

    @cached_property
    def blocks(self) -> list[int]:
        return sorted({run.block for run in self.runs})

    @property
    def block_count(self) -> int:
        """Blocks that the verdicts rest on."""
        found = self.outcome.get("blocks")
        return len(found) if isinstance(found, list) else int(found) if found is not None else len(self.blocks)

    @cached_property
    def worst(self) -> float | None:
        """The worst value that any finished run reached: what a failed run counts as."""
        values = [run.value for run in self.runs if run.value is not None]
        return (max(values) if self.minimise else min(values)) if values else None

    @cached_property
    def seconds_per_block(self) -> float:
        """Device time of one more block: the mean of each cell, summed; shared trainings cost once."""
        total = 0.0
        for cell in self.cells:
            found = [float(run.cost["wall_s"]) for run in cell.finished() if run.cost.get("wall_s") is not None]
            total += sum(found) / len(found) if found else 0.0
        return total

    def label(self, cell: Cell) -> str:
        """A cell's name, short where it holds all arms or all but one."""
        everything = tuple(str(arm["name"]) for arm in self.plan["arms"])
        if len(cell.arms) < 2 or len(everything) < 3:
            return cell.name
        missing = [arm for arm in everything if arm not in cell.arms]
        return "all together" if not missing else f"all but {missing[0]}" if len(missing) == 1 else cell.name

    @property
    def baseline(self) -> Cell | None:
        return next((cell for cell in self.cells if not cell.arms), None)

    def pairs_of(self, trick: str) -> list[tuple[Cell, Cell]]:
        """The (without, with) pairs of cells that differ in ``trick`` alone."""
        by_arms = {frozenset(cell.arms): cell for cell in self.cells}
        pairs = ((by_arms.get(frozenset(cell.arms) - {trick}), cell) for cell in self.cells if trick in cell.arms)
        return [(without, cell) for without, cell in pairs if without is not None]

    def a_finished_run(self) -> Run | None:
        """The first finished run, the baseline's if it has one: where data, environment and recipe are read from."""
        return next((run for run in self.runs if run.state == "finished"), None)


def ends(found: Mapping[str, Any], key: str = "interval") -> tuple[float | None, float | None]:
    """Low and high end of an interval of the result, or twice None."""
    low, high = found.get(key) or (None, None)
    return low, high


def read(folder: str | os.PathLike[str], outcome: dict[str, Any]) -> Source:
    """Read an experiment's folder; ``outcome`` is its machine-readable result.

    Raises:
        UserError: it is no experiment, its plan was edited, or a file is damaged.
    """
    experiment = Experiment.open(folder)
    plan = experiment.plan
    by_folder: dict[str, dict[int, Run]] = {}
    names = {cell["folder"]: _cell_name(cell["arms"]) for cell in plan["cells"]}
    for found in scan(experiment.path):
        if found.arm in names:
            run = Run(names[found.arm], found.block, found.path, found.status, found.result or {})
            by_folder.setdefault(found.arm, {})[found.block] = run
    cells = [
        Cell(names[cell["folder"]], tuple(cell["arms"]), by_folder.get(cell["folder"], {}), cell.get("fit_from"))
        for cell in plan["cells"]
    ]
    return Source(experiment.path, plan, experiment.hash, outcome, cells, experiment.looks())


def _cell_name(arms: list[str]) -> str:
    from tricklab.lab.designs import cell_name

    return cell_name(tuple(arms))
