"""tricklab ablate: judge tricks against the baseline on the same random blocks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from tricklab.lab.declaring import Wish
    from tricklab.lab.plan import Plan
    from tricklab.lab.price import Price
    from tricklab.lab.runner import Outcome
    from tricklab.records import Experiment


ASK_FROM_HOURS = 1.0


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RECIPE ARM...",
            help="a recipe and the arms: +trick, '+trick(key=value)', key=value, key=a|b, 'without trick'",
            show_default=False,
        ),
    ] = None,
    design: Annotated[str | None, typer.Option(help="add-one, leave-one-out, both or full", show_default=False)] = None,
    blocks: Annotated[
        int | None, typer.Option(help="blocks of the first look (5); the second look is at twice as many")
    ] = None,
    final: Annotated[
        bool, typer.Option("--final", help="one look only: all of the error level is spent on it")
    ] = False,
    data: Annotated[str | None, typer.Option(help="folder of the data files")] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="key=value for every arm; may be repeated")] = None,
    delta: Annotated[float | None, typer.Option(help="smallest effect worth having, in the metric's unit")] = None,
    seed: Annotated[int | None, typer.Option(help="another number draws fresh blocks (the recipe's own, or 0)")] = None,
    name: Annotated[str | None, typer.Option(help="name of the experiment")] = None,
    out: Annotated[str, typer.Option(help="folder of experiments")] = "runs",
    workers: Annotated[int | None, typer.Option(help="runs at a time (as many as cores)")] = None,
    threads: Annotated[int | None, typer.Option(help="threads of a run (1)")] = None,
    per_device: Annotated[int | None, typer.Option(help="runs that share a GPU (1)")] = None,
    budget: Annotated[str | None, typer.Option(help="start no run that would end later than this: 2h, 90m")] = None,
    command_line: Annotated[
        str | None, typer.Option("--command", help="instead of a recipe: 'python train.py --seed {seed} {args}'")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="with --command: which number of its last JSON line")] = None,
    metric_regex: Annotated[str | None, typer.Option(help="with --command: pattern around the number")] = None,
    minimise: Annotated[bool, typer.Option("--minimise", help="with --command: lower is better")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="do not ask, however long it will take (an hour and more)")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the plan and its price, run nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Every trick against the baseline on the same random blocks: a priced plan, the runs, a verdict table, a report.

    The same command again goes on where it was stopped. With --blocks of the declared second look it extends the
    experiment; another plan under the same name is refused. Exit code 1 when not everything could be run.

    Examples:

      tricklab ablate demo +se "+step_decay(at=[14, 18])" --design both --blocks 5

      tricklab ablate salinas-a-hybridsn "optimizer.lr=1e-3|1e-4" --design full --data DIR --dry-run

      tricklab ablate --command "python train.py --seed {seed} {args}" +--flip "+lr=0.1|0.2" --metric accuracy
    """
    from tricklab.cli.train import check_name
    from tricklab.lab.ablation import budget_seconds
    from tricklab.lab.declaring import Wish, declare, opened
    from tricklab.lab.price import price

    subject, arms = _subject(words or [], command_line, metric_regex)
    direction = "min" if minimise else None
    wish = Wish(
        design=design, blocks=blocks, final=final, metric=metric, direction=direction, delta=delta, data=data,
        settings=tuple(setting or ()), seed=seed, workers=workers, threads=threads, per_device=per_device, name=name,
        out=out,
    )  # fmt: skip
    check_name(name)
    budget_s = budget_seconds(budget)
    plan = declare(subject, arms, wish)
    if dry_run:
        _dry_run(plan, wish, as_json)
        return
    experiment, plan, reached = opened(plan, wish)
    priced = price(plan, experiment.path, reached)
    if not as_json:
        _print(plan_view(plan, priced))
        dear = (priced.device_hours or 0.0) >= ASK_FROM_HOURS
        if dear and not yes and sys.stdin.isatty() and not typer.confirm("start the runs?", default=True):
            raise typer.Exit(0)
    carry_on(experiment, plan, reached, budget_s, as_json)


def carry_on(experiment: Experiment, plan: Plan, reached: int, budget_s: float | None, as_json: bool) -> None:
    """Run what is left, print the verdicts and leave with the exit code that tells how it ended."""
    from tricklab.lab.ablation import conduct, write_report
    from tricklab.lab.result import Result
    from tricklab.lab.table import render

    outcome = conduct(experiment, plan, reached, budget_s=budget_s)
    if outcome.signal is not None:
        _stopped(outcome, experiment.path)
    report = write_report(experiment.path)
    result = Result(experiment.path, stopped=outcome.stopped, report=report)
    if as_json:
        print(json.dumps({**result.to_dict(), "stopped": outcome.stopped, "report": str(report)}, indent=2))
    else:
        _print(render(result.to_dict()))
        _print(f"\nreport: {report}")
    if outcome.stopped or outcome.gave_up:
        _stopped(outcome, experiment.path)


def _stopped(outcome: Outcome, path: Path) -> NoReturn:
    """Say why not everything was run and how to go on; leave with the code that tells it."""
    for line in outcome.gave_up:
        print(f"given up: {line}", file=sys.stderr)
    why = f"stopped ({outcome.stopped})" if outcome.stopped else "not everything was run"
    print(f"{why}; go on with: tricklab resume {path}", file=sys.stderr)
    raise typer.Exit(1 if outcome.signal is None else 128 + outcome.signal)


def _subject(words: list[str], command_line: str | None, metric_regex: str | None) -> tuple[Any, list[str]]:
    from tricklab.errors import UserError
    from tricklab.lab.declaring import Command

    if command_line is not None:
        return Command(command_line, metric_regex), words
    if metric_regex is not None:
        raise UserError("a recipe says its own metric", where="--metric-regex", fix="use it with --command")
    if not words:
        raise UserError("no recipe is named", fix="tricklab ablate RECIPE ARM..., or --command; see tricklab recipes")
    if words[0].startswith("+") or "=" in words[0]:
        raise UserError(f"{words[0]!r} is an arm", where="the first word", fix="name the recipe before the arms")
    return words[0], words[1:]


def _dry_run(plan: Plan, wish: Wish, as_json: bool) -> None:
    """Show plan and price; write nothing."""
    from tricklab.lab.price import price

    priced = price(plan, Path(wish.out) / plan.experiment, plan.looks[0])
    if as_json:
        print(json.dumps({"plan": plan.to_dict(), "price": priced.to_dict()}, indent=2))
    else:
        _print(plan_view(plan, priced))


def plan_view(plan: Plan, priced: Price) -> Any:
    """The plan as a person reads it before agreeing to its price."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    direction = "higher" if plan.direction == "max" else "lower"
    delta = "no δ declared: nothing can be called equivalent" if plan.delta is None else f"δ = {plan.delta:g}"
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    looks = " and ".join(map(str, plan.looks))
    for key, text in (
        ("experiment", plan.experiment),
        (plan.kind, plan.subject),
        ("metric", f"{plan.metric} ({direction} is better), {delta}"),
        ("design", f"{plan.design}: {len(plan.arms)} arms, {len(plan.cells)} cells"),
        ("blocks", f"{priced.blocks}; looks at {looks}"),
        ("runs on", f"{plan.device}, {plan.workers} at a time, {plan.threads} thread{'s' * (plan.threads > 1)} each"),
    ):
        table.add_row(key, Text(text))
    cells = Table(box=None, pad_edge=False)
    for title in ("cell", "differs from the baseline in", "training"):
        cells.add_column(title, overflow="fold")
    for cell in plan.cells:
        training = "own" if cell.fit_from is None else f"that of {plan.cell(cell.fit_from).name}"
        cells.add_row(Text(cell.name), Text(", ".join(cell.writes)), Text(training))
    said = [Text(line, style="bold yellow" if "WARNING" in line else "") for line in priced.lines()]
    return Group(table, cells, *(Text(f"note: {note}") for note in plan.notes), *said)


def _print(what: Any) -> None:
    from tricklab.cli.console import console

    console().print(what, soft_wrap=isinstance(what, str), markup=False)
