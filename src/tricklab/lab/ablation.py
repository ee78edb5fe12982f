"""Ablate and resume: declare, run, judge, report."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tricklab.errors import UserError
from tricklab.lab.declaring import Wish, declare, opened
from tricklab.lab.disk import told_if_full
from tricklab.lab.display import display
from tricklab.lab.jobs.function import IN_MEMORY
from tricklab.lab.ledger import Ledger
from tricklab.lab.plan import Plan
from tricklab.lab.pool import Pool
from tricklab.lab.result import Result
from tricklab.lab.runner import Outcome, run
from tricklab.records import Experiment, scan
from tricklab.records.environment import versions

_HEAVY = ("torch", "lightning", "safetensors.torch", "sklearn.model_selection", "tricklab.engine")


def ablate(
    subject: Any,
    factors: Sequence[str] | Mapping[str, Any],
    *,
    blocks: int | None = None,
    final: bool = False,
    design: str | None = None,
    metric: str | None = None,
    direction: str | None = None,
    delta: float | None = None,
    data: str | os.PathLike[str] | None = None,
    settings: Sequence[str] = (),
    seed: int | None = None,
    workers: int | None = None,
    threads: int | None = None,
    per_device: int | None = None,
    budget: float | str | None = None,
    name: str | None = None,
    out: str | os.PathLike[str] = "runs",
    progress: bool = True,
    report: bool = True,
) -> Result:
    """Judge tricks against the baseline on the same random blocks.

    Args:
        subject: a recipe (file, name of a shipped one, or mapping), a ``Command``, or any callable
            ``fn(seed=…, block=…, **levels)`` that returns a number or a dict of numbers; ``seed`` is the same for all
            arms of a block, and ``block`` counts from 0.
        factors: arms as texts (``"+se"``, ``"optimizer.lr=1e-3|2e-4"``, ``"without se"``), or keywords with a level or
            a list of levels (a function's own defaults are the baseline).
        blocks: blocks of the first look (5); a second look at twice as many stays open unless ``final``. Asking for the
            second look's blocks later extends the same experiment.
        design: ``add-one``, ``leave-one-out``, ``both`` (default for two to six arms) or ``full``.
        metric, direction: what a function or command returns, ``score`` and ``max``; a recipe says its own.
        delta: the smallest effect worth having, in the metric's unit; a recipe's own if not given.
        data: folder of a recipe's data files.
        settings: ``key=value`` laid on a recipe for every arm.
        seed: another one than before draws fresh blocks, as confirming a screening needs; a recipe's own, or 0.
        workers, threads: runs at a time and threads of each; as many one-thread runs as there are cores.
        per_device: runs that share a GPU.
        budget: seconds, or ``"2h"``: no run is started that would end later.
        name, out: the experiment is kept in ``<out>/<name>``; the default name tells the subject and the plan.
        progress: show progress on the standard error.
        report: write report.html, .md, .csv and .json into the folder.

    Raises:
        UserError: bad input of any kind; another plan under the same name.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, when every run has stopped resumably.
    """
    wish = Wish(
        design=design, blocks=blocks, final=final, metric=metric, direction=direction, delta=delta,
        data=None if data is None else os.fspath(data), settings=tuple(settings), seed=seed, workers=workers,
        threads=threads, per_device=per_device, name=name, out=os.fspath(out),
    )  # fmt: skip
    experiment, plan, reached = opened(declare(subject, factors, wish), wish)
    outcome = conduct(experiment, plan, reached, budget_s=budget_seconds(budget), progress=progress)
    return _concluded(experiment, outcome, report)


def resume(
    path: str | os.PathLike[str],
    *,
    blocks: int | None = None,
    budget: float | str | None = None,
    progress: bool = True,
    report: bool = True,
) -> Result:
    """Go on with a stopped experiment; what is finished is not repeated.

    Args:
        path: the experiment's folder.
        blocks: go on to a declared later look.
        budget, progress, report: as for ``ablate``.

    Raises:
        UserError: no experiment; a number of blocks that was not declared; another version of a library than the
            finished runs used; a function that lived only in the memory of a process that has ended.
    """
    experiment, plan, reached = reopened(path, blocks)
    outcome = conduct(experiment, plan, reached, budget_s=budget_seconds(budget), progress=progress)
    return _concluded(experiment, outcome, report)


def reopened(path: str | os.PathLike[str], blocks: int | None = None) -> tuple[Experiment, Plan, int]:
    """An existing experiment, its plan and the blocks to run now."""
    experiment = Experiment.open(path)
    plan = Plan.from_dict(experiment.plan)
    reached = max((look["blocks"] for look in experiment.looks()), default=plan.looks[0])
    if blocks is not None and blocks not in plan.looks:
        raise UserError(
            f"a look at {blocks} blocks was not declared",
            where=str(path),
            fix=f"declared: {', '.join(map(str, plan.looks))}",
        )
    if plan.kind == "function" and plan.subject.startswith("memory:") and plan.subject not in IN_MEMORY:
        raise UserError(
            f"the function {plan.subject.partition(':')[2]} lived only in the memory of the process that started this",
            where=str(path),
            fix="call ablate again with it and the same name, or define it in a module",
        )
    return experiment, plan, max(reached, blocks or reached)


def conduct(
    experiment: Experiment, plan: Plan, blocks: int, *, budget_s: float | None = None, progress: bool = True
) -> Outcome:
    """Run what is left of an experiment up to a number of blocks, alone in its folder, and record the look."""
    _check_versions(experiment)
    look = {"look": plan.looks.index(blocks) + 1, "blocks": blocks}
    command = [os.path.basename(sys.argv[0]), *sys.argv[1:]] if sys.argv and sys.argv[0] else ["python"]
    with told_if_full(experiment.path), experiment.lock():
        experiment.append_look({**look, "event": "opened", "time": round(time.time()), "command": command})
        ledger = Ledger.read(experiment.path)
        outcome = Outcome()
        if ledger.unsettled():
            in_memory = plan.subject in IN_MEMORY
            with (
                Pool(_preload(plan), threads=plan.threads, in_memory=in_memory) as pool,
                display(plan, wanted=progress) as shown,
            ):
                outcome = run(plan, experiment, blocks, pool, shown, budget_s)
        judged = Ledger.read(experiment.path).judge()
        verdicts = {trick.name: trick.verdict for trick in judged.tricks}
        experiment.append_look(
            {
                **look,
                "event": "judged",
                "time": round(time.time()),
                "complete_blocks": judged.blocks,
                "verdicts": verdicts,
            }
        )
    return outcome


def write_report(path: str | os.PathLike[str]) -> Path:
    """Write the experiment's report and return its HTML file."""
    from tricklab.lab import report

    with told_if_full(path):
        return report.write(path)["html"]


def budget_seconds(budget: float | str | None) -> float | None:
    """A budget in seconds, from seconds or from ``"2h"``."""
    from tricklab.lab.durations import seconds_of

    return seconds_of(budget) if isinstance(budget, str) else budget


def _concluded(experiment: Experiment, outcome: Outcome, report: bool) -> Result:
    if outcome.signal is not None:
        raise KeyboardInterrupt
    written = write_report(experiment.path) if report else None
    given_up = f"given up: {'; '.join(outcome.gave_up)}" if outcome.gave_up else None
    return Result(experiment.path, stopped=outcome.stopped or given_up, report=written)


def _check_versions(experiment: Experiment) -> None:
    """Refuse to mix runs of two versions of a library in one experiment before the time is spent."""
    here = versions()
    for found in scan(experiment.path):
        known = (found.result or {}).get("versions")
        if known:
            other = [
                f"{name} {known[name]} there, {here.get(name)} here" for name in known if known[name] != here.get(name)
            ]
            if other:
                raise UserError(
                    f"the finished runs were made with other versions: {', '.join(other)}",
                    where=str(found.path),
                    fix="use those versions, or start again under another --name",
                )
            return


def _preload(plan: Plan) -> list[str]:
    """What every run will need: loading it once saves seconds a run."""
    if plan.kind == "command":
        return ["tricklab.lab.jobs.command"]
    if plan.kind == "function":
        return ["tricklab.lab.jobs.function", *(["torch"] if "torch" in sys.modules else [])]
    from tricklab import registry

    named = {cell.recipe["task"] for cell in plan.cells} | {name for cell in plan.cells for name in _types(cell.recipe)}
    found = {entry.module for kind in registry.FOLDERS for entry in registry.entries(kind) if entry.name in named}
    return [*_HEAVY, *sorted(module for module in found if module.startswith("tricklab."))]


def _types(tree: Any) -> Iterator[str]:
    """The names of all components in a recipe."""
    items = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ()
    if isinstance(tree, Mapping) and isinstance(tree.get("type"), str):
        yield tree["type"]
    for item in items:
        yield from _types(item)
