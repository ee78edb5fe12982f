"""What a plan costs and what it can show, before it runs."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from tricklab.errors import UserError
from tricklab.lab.designs import factors_of
from tricklab.lab.durations import span
from tricklab.lab.plan import CellPlan, Plan
from tricklab.records import Experiment, RunSummary, scan
from tricklab.statistics import Contrast, blocks_for, contrasts_for, level_for, smallest_detectable
from tricklab.statistics.blocked import SMALLEST_POOL

HOUR_S = 3600.0
FEWEST_FOR_SD = 3


@dataclass(frozen=True)
class Price:
    """The price of a plan up to a number of blocks.

    Attributes:
        runs, trainings, evaluations: how many; an evaluation is scored on a shared training.
        done: how many of the runs are settled already.
        device_hours: of what is left, or None while no run of these recipes has finished; ``basis`` says from what.
        sigma: standard deviation of one run within a block, from finished baselines, or None.
        smallest: smallest effect that is found with 80 % power, in units of σ; times ``sigma`` in the metric's unit.
        blocks_for_delta: how many blocks would show δ with 80 % power; None without δ or σ.
    """

    blocks: int
    runs: int
    trainings: int
    evaluations: int
    done: int
    device_hours: float | None
    basis: str
    sigma: float | None
    smallest: float | None
    delta: float | None
    blocks_for_delta: int | None

    def lines(self) -> list[str]:
        """The price in sentences, warnings last."""
        shared = f", {self.evaluations} scored on a shared training" if self.evaluations else ""
        text = [f"{self.runs} runs: {self.trainings} trainings{shared}" + (f"; {self.done} done" if self.done else "")]
        if self.done == self.runs:
            return text
        if self.device_hours is None:
            text.append("device-hours: known after the first run")
        else:
            text.append(f"about {span(self.device_hours * HOUR_S)} of device time ({self.basis})")
        text.append(self._power())
        return text

    def to_dict(self) -> dict[str, Any]:
        """The price as plain data."""
        return dataclasses.asdict(self)

    def _power(self) -> str:
        if self.smallest is None:
            return "one block is a smoke test: no effect can be detected"
        relative = f"{self.smallest:.1f} σ (σ: standard deviation of one run within a block)"
        if self.sigma is None:
            known = "" if self.delta is None else f"; δ = {self.delta:g} shows if σ ≤ {self.delta / self.smallest:.2g}"
            return f"smallest detectable effect: {relative}{known}"
        found = self.smallest * self.sigma
        text = f"smallest detectable effect: {found:.2g} ({relative}; σ ≈ {self.sigma:.2g})"
        if self.delta is None or found <= self.delta:
            return text
        more = f": about {self.blocks_for_delta} blocks would show it" if self.blocks_for_delta else ""
        return f"{text}. WARNING: larger than δ = {self.delta:g}{more}"


def price(plan: Plan, experiment_path: Path, blocks: int) -> Price:
    """Price a plan from finished runs of the same recipes in the same folder of experiments."""
    known = _finished(plan, experiment_path)
    seconds = {cell.folder: [run.result["cost"]["wall_s"] for run in runs if run.result] for cell, runs in known}
    trained = [value for cell in plan.trainings for value in seconds[cell.folder]]
    settled = {(run.arm, run.block) for run in _own(experiment_path) if run.state in ("finished", "failed", "not_live")}
    left = [(cell, block) for cell in plan.cells for block in range(blocks) if (cell.folder, block) not in settled]
    device_hours = None
    if trained:
        each = {
            cell.folder: fmean(seconds[cell.folder] or (trained if cell.fit_from is None else [0.0]))
            for cell in plan.cells
        }
        device_hours = sum(each[cell.folder] for cell, _ in left) / _sharing(plan) / HOUR_S
    sigma = _sigma(plan, known)
    smallest, needed = _power(plan, blocks, sigma)
    own = sum(len(runs) for _, runs in known)
    return Price(
        blocks=blocks,
        runs=blocks * len(plan.cells),
        trainings=blocks * len(plan.trainings),
        evaluations=blocks * (len(plan.cells) - len(plan.trainings)),
        done=blocks * len(plan.cells) - len(left),
        device_hours=device_hours,
        basis=f"from {own} finished runs",
        sigma=sigma,
        smallest=smallest,
        delta=plan.delta,
        blocks_for_delta=needed,
    )


def _finished(plan: Plan, experiment_path: Path) -> list[tuple[CellPlan, list[RunSummary]]]:
    """Finished runs of each cell's recipe, in this experiment and its neighbours."""
    found: dict[str, list[RunSummary]] = {cell.folder: [] for cell in plan.cells}
    by_digest: dict[tuple[str, str, bool], list[str]] = {}
    for cell in plan.cells:
        by_digest.setdefault(_key(cell), []).append(cell.folder)
    for place in sorted(experiment_path.parent.glob("*/plan.json")):
        try:
            other = Plan.from_dict(Experiment.open(place.parent).plan)
        except UserError:
            continue  # somebody else's folder; only its price would have been of use
        if (other.threads, other.device, other.metric) != (plan.threads, plan.device, plan.metric):
            continue
        cells = {cell.folder: _key(cell) for cell in other.cells if _key(cell) in by_digest}
        for run in scan(place.parent) if cells else []:
            if run.state == "finished" and run.arm in cells:
                for folder in by_digest[cells[run.arm]]:
                    found[folder].append(run)
    return [(cell, found[cell.folder]) for cell in plan.cells]


def _key(cell: CellPlan) -> tuple[str, str, bool]:
    return cell.digest.get("fit", ""), cell.digest.get("evaluate", ""), cell.fit_from is None


def _own(path: Path) -> list[RunSummary]:
    return scan(path) if path.is_dir() else []


def _sigma(plan: Plan, known: list[tuple[CellPlan, list[RunSummary]]]) -> float | None:
    """Standard deviation of the baseline's runs; the block's share in it makes this an upper bound."""
    values = {run.block: run.value for cell, runs in known if not cell.arms for run in runs if run.value is not None}
    return stdev(values.values()) if len(values) >= FEWEST_FOR_SD else None


def _power(plan: Plan, blocks: int, sigma: float | None) -> tuple[float | None, int | None]:
    names = {frozenset(cell.arms): cell.name for cell in plan.cells}
    contrasts = contrasts_for(plan.design, factors_of(plan.arms), names)
    widest = max(_width(plan, contrast) for contrast in contrasts)
    # cells that score one training lend one variance
    trainings = len(plan.trainings)
    pooled = trainings if trainings >= SMALLEST_POOL else 2
    level = level_for(plan.looks)
    smallest = None
    if blocks >= 2:
        df = (blocks - 1.0) * (pooled - 1.0)
        smallest = smallest_detectable(widest, blocks, df=df, level=level, tests=len(contrasts))
    needed = None
    if sigma and plan.delta:
        needed = blocks_for(plan.delta, widest * sigma, arms=pooled, level=level, tests=len(contrasts))
    return smallest, needed


def _width(plan: Plan, contrast: Contrast) -> float:
    """Standard deviation of a contrast in units of σ; cells that score one training are no independent runs."""
    trainer = {cell.name: cell.fit_from or cell.folder for cell in plan.cells}
    totals: dict[str, float] = {}
    for cell, weight in contrast.weights.items():
        totals[trainer[cell]] = totals.get(trainer[cell], 0.0) + weight
    between = math.sqrt(sum(weight**2 for weight in totals.values()))
    # within one training the noise is not known beforehand: independent runs are its upper bound
    return between if between > 1e-9 else math.sqrt(sum(weight**2 for weight in contrast.weights.values()))


def _sharing(plan: Plan) -> int:
    return plan.per_device if plan.device == "cuda" else plan.workers
