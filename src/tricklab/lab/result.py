"""The machine-readable result of an experiment, and the object that shows it."""

from __future__ import annotations

import os
import shlex
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from tricklab.lab.ledger import HOUR_S, Ledger
from tricklab.records import Evidence, RunFolder, RunSummary, plan_hash
from tricklab.statistics import Judgement


def experiment_result(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The result of an experiment as plain data, computed from its folders.

    The keys of ``STATISTICS`` (``experiment, metric, direction, delta, design, blocks, look, rho, arms, tricks``) and
    the rest of the judgement; ``scores`` by cell and block; ``failed``: runs without an outcome and failed ones;
    ``refusals``, ``not_live``, ``labels`` by arm; ``cost``; ``leakage``; ``environment``; ``command``.

    Raises:
        UserError: there is no experiment, its plan was edited, or a file is damaged.
    """
    return result_of(Ledger.read(path))


def result_of(ledger: Ledger) -> dict[str, Any]:
    """As ``experiment_result``, for a ledger that was read already."""
    plan, judgement = ledger.plan, ledger.judge()
    refused, labels = ledger.refused()
    plain = judgement.to_dict()
    for arm, cell in zip(plain["arms"], plan.cells, strict=True):
        runs = [run for run in ledger.of(cell) if run is not None and run.result]
        arm["cost"] = fmean(run.result["cost"]["wall_s"] for run in runs if run.result) if runs else None
        arm["folder"], arm["arms"], arm["fit_from"] = cell.folder, list(cell.arms), cell.fit_from
        arm["evaluate_s"] = _evaluation(runs)
        arm["values"] = _means(runs)
    looks = ledger.experiment.looks()
    commands = list(dict.fromkeys(shlex.join(look["command"]) for look in looks if look.get("command")))
    return {
        "experiment": plan.experiment,
        "path": str(ledger.experiment.path),
        "kind": plan.kind,
        "subject": plan.subject,
        "metric": plan.metric,
        "design": plan.design,
        **plain,
        "complete": not ledger.unsettled(),
        "scores": ledger.scores(),
        "failed": [_troubled(run, cell.name) for cell in plan.cells for run in ledger.of(cell) if _is_troubled(run)],
        "refusals": refused,
        "not_live": ledger.not_live(),
        "labels": labels,
        "cost": _cost(ledger),
        "leakage": _leakage(ledger),
        "environment": _environment(ledger),
        "command": commands[-1] if commands else None,
        "commands": commands,
        "plan_hash": plan_hash(ledger.experiment.plan),
        "plan_notes": list(plan.notes),
    }


class Result:
    """What ``ablate`` returns: the verdicts, drawn as a table in a terminal and in a notebook.

    Attributes:
        path: the experiment's folder.
        stopped: why the running ended before everything was settled, or None.
        report: the HTML report, or None if none was written.
    """

    def __init__(self, path: str | os.PathLike[str], *, stopped: str | None = None, report: Path | None = None) -> None:
        self.path, self.stopped, self.report = Path(path), stopped, report

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger.read(self.path)

    @cached_property
    def judgement(self) -> Judgement:
        """The verdicts as ``tricklab.statistics`` gives them."""
        return self.ledger.judge()

    @cached_property
    def _plain(self) -> dict[str, Any]:
        return result_of(self.ledger)

    def to_dict(self) -> dict[str, Any]:
        """The machine-readable result."""
        return self._plain

    def __getitem__(self, arm: str) -> Any:
        """The judgement of one arm by name."""
        return self.judgement.trick(arm)

    def __repr__(self) -> str:
        from tricklab.lab.table import as_text

        return as_text(self._plain)

    def _repr_html_(self) -> str:
        from tricklab.lab.table import as_html

        return as_html(self._plain)


def _is_troubled(run: RunSummary | None) -> bool:
    return run is not None and run.state not in ("finished", "planned", "running")


def _troubled(run: RunSummary | None, cell: str) -> dict[str, Any]:
    assert run is not None
    status = run.status
    return {
        "cell": cell,
        "block": run.block,
        "state": run.state,
        "reason": status.get("reason"),
        "message": status.get("message"),
        "path": str(run.path),
    }


def _evaluation(runs: list[RunSummary]) -> float | None:
    """Mean seconds of a run's evaluation, where runs measure it."""
    found = [run.result["cost"]["evaluate_s"] for run in runs if run.result and "evaluate_s" in run.result["cost"]]
    return fmean(found) if found else None


def _means(runs: list[RunSummary]) -> dict[str, float]:
    """Means over blocks of every number a cell was evaluated to; descriptive only."""
    found: dict[str, list[float]] = {}
    for run in runs:
        for name, value in ((run.result or {}).get("values") or {}).items():
            if isinstance(value, int | float):
                found.setdefault(name, []).append(float(value))
    return {name: fmean(values) for name, values in found.items()}


def _cost(ledger: Ledger) -> dict[str, Any]:
    runs = [run for cell in ledger.plan.cells for run in ledger.of(cell) if run is not None and run.result]
    wall = sum(run.result["cost"]["wall_s"] for run in runs if run.result)
    return {
        "runs": len(runs),
        "trainings": sum((run.result or {}).get("fit_from") is None for run in runs),
        "run_s": wall,
        "device_hours": wall / ledger.sharing / HOUR_S,
        "device_hours_per_block": ledger.hours_per_block(),
        "workers": ledger.plan.workers,
        "threads": ledger.plan.threads,
        "device": ledger.plan.device,
    }


def _leakage(ledger: Ledger) -> dict[str, Any] | None:
    """Leakage figures of the first cell, one list entry a block."""
    if ledger.plan.kind != "recipe":
        return None
    runs = [run for run in ledger.of(ledger.plan.cells[0]) if run is not None and run.result]
    found = [fact for run in runs if (fact := Evidence.from_folder(run.path).fact("data/leakage"))]
    return {"blocks": found} if found else None


def _environment(ledger: Ledger) -> dict[str, Any] | None:
    finished = next((run for run in ledger.runs.values() if run.result), None)
    if finished is None:
        return None
    return RunFolder.open(finished.path).provenance().get("environment")
