"""From an experiment's folders to its judgement: a scan, nothing remembered elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from tricklab.lab.comparability import compare
from tricklab.lab.designs import factors_of
from tricklab.lab.plan import CellPlan, Plan
from tricklab.lab.queue import Queue
from tricklab.lab.recipe_cells import changed_paths
from tricklab.recipe import parse
from tricklab.records import Evidence, Experiment, RunFolder, RunSummary
from tricklab.statistics import Contrast, Judgement, contrasts_for, judge_experiment

HOUR_S = 3600.0


@dataclass(frozen=True)
class Ledger:
    """An experiment as its folders tell it.

    Attributes:
        blocks: the number of blocks of the look that is open.
        runs: every run by (cell folder, block).
    """

    experiment: Experiment
    plan: Plan
    blocks: int
    runs: dict[tuple[str, int], RunSummary]
    _sources: dict[str, str | None] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Ledger:
        """Scan an experiment's folder."""
        experiment = Experiment.open(path)
        plan = Plan.from_dict(experiment.plan)
        opened = [look["blocks"] for look in experiment.looks()]
        runs = {(run.arm, run.block): run for run in experiment.runs()}
        return cls(experiment, plan, max(opened, default=plan.looks[0]), runs)

    def of(self, cell: CellPlan) -> list[RunSummary | None]:
        """The runs of a cell, block by block; None where there is none yet."""
        return [self.runs.get((cell.folder, block)) for block in range(self.blocks)]

    def unsettled(self) -> bool:
        """Whether there is anything left that can be run."""
        return next(Queue(self.plan, self.experiment, self.blocks).ready(), None) is not None

    def scores(self) -> dict[str, list[float | None]]:
        """The metric of every finished run by cell name; None where there is no value."""
        return {
            cell.name: [run.value if run is not None and run.state == "finished" else None for run in self.of(cell)]
            for cell in self.plan.cells
        }

    def failed(self) -> dict[str, list[bool]]:
        """Which runs failed, by cell name."""
        return {
            cell.name: [run is not None and run.state == "failed" for run in self.of(cell)] for cell in self.plan.cells
        }

    def contrasts(self) -> list[Contrast]:
        """What is estimated for each arm."""
        names = {frozenset(cell.arms): cell.name for cell in self.plan.cells}
        return list(contrasts_for(self.plan.design, factors_of(self.plan.arms), names))

    def not_live(self) -> dict[str, str]:
        """Arms whose trick did nothing, with what its probe found."""
        found: dict[str, str] = {}
        for cell, run in self._ended("not_live"):
            trick = run.status.get("trick")
            for arm in self.plan.arms:
                names = {parse(text).name for text in arm.texts("trick")}
                if arm.name in cell.arms and (trick in names or len(cell.arms) == 1):
                    found.setdefault(arm.name, str(run.status.get("message") or ""))
        return found

    def stopped(self) -> dict[str, str]:
        """Cells that have no outcome, with the reason: bad input, or an exception in every block."""
        found = {}
        for cell in self.plan.cells:
            runs = [run for run in self.of(cell) if run is not None]
            asked = next((run for run in runs if run.state == "refused"), None)
            broken = [run for run in runs if run.state == "failed" and run.status.get("reason") != "non-finite"]
            if asked is not None:
                found[cell.name] = str(asked.status.get("message") or "")
            elif runs and len(broken) == self.blocks:
                found[cell.name] = f"an exception in every block: {broken[0].status.get('message', '')}"
        return found

    def refused(self) -> tuple[dict[str, str], dict[str, list[str]]]:
        """Arms that cannot be judged, with the reason; and what must be said beside the other arms."""
        stopped = self.stopped()
        refused = {arm.name: stopped[arm.name] for arm in self.plan.arms if arm.name in stopped}
        labels: dict[str, list[str]] = {}
        cells = {cell.name: cell for cell in self.plan.cells}
        for contrast in self.contrasts():
            against: dict[str, list[int]] = {}
            beside: list[str] = []
            edited: set[int] = set()
            for on, off in contrast.pairs:
                writes = changed_paths(cells[off].recipe, cells[on].recipe)
                for here, there in zip(self.of(cells[on]), self.of(cells[off]), strict=True):
                    if here is not None and there is not None and here.result and there.result:
                        reasons, said = compare(here.result, there.result, writes)
                        for reason in reasons:
                            against.setdefault(reason, []).append(here.block)
                        beside += said
                        if self._source(here) != self._source(there):
                            edited.add(here.block)
            if against and contrast.name not in refused:
                refused[contrast.name] = "; ".join(
                    f"{reason} in block {_listed(blocks)}" for reason, blocks in against.items()
                )
            if edited:
                beside.append(f"tricklab's own code was changed between its runs of block {_listed(edited)}")
            if beside:
                labels[contrast.name] = list(dict.fromkeys(beside))
        return refused, labels

    def judge(self) -> Judgement:
        """The verdicts over all whole blocks of the open look."""
        refused, _ = self.refused()
        not_live = self.not_live()
        out = {*refused, *not_live}
        dead = {cell.name for cell in self.plan.cells if out.intersection(cell.arms)} | set(self.stopped())
        dead |= {cell.name for cell, _ in self._ended("not_live")}
        kept, lost = surviving(self.contrasts(), dead, out)
        looks = list(self.plan.looks)
        trainer = {cell.folder: cell.name for cell in self.plan.cells}
        return judge_experiment(
            self.scores(),
            kept,
            direction=self.plan.direction,  # type: ignore[arg-type]
            delta=self.plan.delta,
            looks=looks,
            look=looks.index(self.blocks) + 1,
            final=len(looks) == 1,
            failed=self.failed(),
            not_live=list(not_live),
            refused={**lost, **refused},
            train_test_ratio=self.train_test_ratio(),
            cost_per_block=self.hours_per_block(),
            trainings={cell.name: trainer[cell.fit_from] for cell in self.plan.cells if cell.fit_from is not None},
        )

    def hours_per_block(self) -> float | None:
        """Device-hours that one block costs: the runs' wall-clock time over the runs that share a device."""
        means = []
        for cell in self.plan.cells:
            walls = [run.result["cost"]["wall_s"] for run in self.of(cell) if run is not None and run.result]
            if walls:
                means.append(fmean(walls))
        return sum(means) / self.sharing / HOUR_S if means else None

    @property
    def sharing(self) -> int:
        """How many runs share one device at a time."""
        return self.plan.per_device if self.plan.device == "cuda" else self.plan.workers

    def train_test_ratio(self) -> float | None:
        """Training samples per evaluated sample, when each block draws its own split; else None."""
        runs = [run for run in self.of(self.plan.cells[0]) if run is not None and run.result]
        digests = {str(run.result.get("data_digest")) for run in runs if run.result and run.result.get("data_digest")}
        if len(digests) < 2:
            return None
        sizes = Evidence.from_folder(runs[0].path).fact("data/sizes", {})
        evaluated = sizes.get(self.plan.metric.partition("/")[0])
        return sizes["train"] / evaluated if evaluated and sizes.get("train") else None

    def _source(self, run: RunSummary) -> str | None:
        """Hash of tricklab's own code that made a run, where it is recorded."""
        if run.folder not in self._sources:
            found = RunFolder(run.path).provenance().get("environment") or {}
            self._sources[run.folder] = found.get("source")
        return self._sources[run.folder]

    def _ended(self, state: str) -> list[tuple[CellPlan, RunSummary]]:
        return [
            (cell, run) for cell in self.plan.cells for run in self.of(cell) if run is not None and run.state == state
        ]


def _listed(blocks: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(set(blocks))))


def surviving(
    contrasts: Sequence[Contrast], dead: set[str], judged_otherwise: set[str]
) -> tuple[list[Contrast], dict[str, str]]:
    """Contrasts that can still be estimated when some cells have no outcome.

    An arm that loses one of its pairs is judged on those that are left (in ``both``: on its effect alone); one that
    loses all is refused. Arms that get no verdict anyway are left as they are.
    """
    kept, lost = [], {}
    for contrast in contrasts:
        pairs = [pair for pair in contrast.pairs if not dead.intersection(pair)]
        if contrast.name in judged_otherwise or len(pairs) == len(contrast.pairs):
            kept.append(contrast)
        elif pairs:
            weights: dict[str, float] = {}
            for on, off in pairs:
                weights[on] = weights.get(on, 0.0) + 1.0 / len(pairs)
                weights[off] = weights.get(off, 0.0) - 1.0 / len(pairs)
            kept.append(
                replace(contrast, kind="add-one", weights=weights, interaction_weights=None, pairs=tuple(pairs))
            )
        else:
            kept.append(contrast)
            lost[contrast.name] = (
                f"nothing to compare: no valid outcome in {' and '.join(sorted(dead & {*contrast.cells}))}"
            )
    return kept, lost
