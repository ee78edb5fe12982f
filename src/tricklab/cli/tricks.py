"""tricklab tricks: every trick, its arguments and its source."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tricklab.tricks import Parameter, Trick


def command(
    name: Annotated[str | None, typer.Argument(help="one trick, in full")] = None,
    task: Annotated[str | None, typer.Option(help="only the tricks that fit this task")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Every trick with its arguments, or one trick in full: what it does, how it proves that it is on, its source.

    Examples:

      tricklab tricks

      tricklab tricks ema

      tricklab tricks --task hyperspectral --json
    """
    from tricklab.tricks import catalogue, get

    chosen = [get(name.removeprefix("+"))] if name is not None else catalogue()
    if task is not None:
        _check_task(task)
        chosen = [trick for trick in chosen if trick.fits(task)]
    if as_json:
        listed = [describe(trick) for trick in chosen]
        print(json.dumps(listed[0] if name is not None and listed else {"tricks": listed}, indent=2))
    elif name is not None:
        for trick in chosen:
            show_one(trick)
    else:
        show_all(chosen)


def describe(trick: Trick) -> dict[str, Any]:
    """What is known of a trick, as plain data."""
    return {
        "name": trick.name,
        "summary": trick.summary,
        "description": trick.description,
        "tasks": trick.tasks,
        "stage": trick.stage,
        "source": trick.source,
        "parameters": [
            {"name": p.name, "type": p.annotation, "required": p.required}
            | ({} if p.required else {"default": p.default})
            for p in trick.parameters
        ],
        "probes": [{"when": p.when, "proves": (p.function.__doc__ or "").split("\n")[0]} for p in trick.probes],
        "file": trick.file,
    }


def show_all(tricks: list[Trick]) -> None:
    """One line a trick."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("trick", "what it does", "fits"):
        table.add_column(title, overflow="fold")
    for trick in tricks:
        tasks = "every task" if trick.tasks == "all" else ", ".join(trick.tasks)
        table.add_row(f"[cyan]+{_signature(trick)}[/cyan]", _escaped(trick.summary), tasks)
    console = Console(highlight=False)
    console.print(table)
    console.print(
        '\n`tricklab tricks NAME` shows one in full; turn it on with: tricklab train RECIPE "+NAME(key=value)"'
    )


def show_one(trick: Trick) -> None:
    """A trick in full."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold cyan]+{_signature(trick)}[/bold cyan]\n")
    console.print(_escaped(trick.description))
    tasks = "every task" if trick.tasks == "all" else ", ".join(trick.tasks)
    acts = "on evaluation only: costs no training" if trick.stage == "evaluate" else "on training"
    console.print(f"\n[bold]fits[/bold]    {tasks}\n[bold]acts[/bold]    {acts}")
    for probe in trick.probes:
        proof = (probe.function.__doc__ or "").split("\n")[0]
        console.print(f"[bold]proof[/bold]   {_escaped(proof)} ({probe.when.replace('_', ' ')})")
    console.print(f"[bold]source[/bold]  {_escaped(trick.source or 'not given')}\n[bold]file[/bold]    {trick.file}")


def _signature(trick: Trick) -> str:
    return _escaped(f"{trick.name}({', '.join(map(_parameter, trick.parameters))})" if trick.parameters else trick.name)


def _parameter(parameter: Parameter) -> str:
    return parameter.name if parameter.required else f"{parameter.name}={_spelt(parameter.default)}"


def _spelt(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _check_task(task: str) -> None:
    from tricklab.errors import UserError, nearest
    from tricklab.registry import entries

    names = [entry.name for entry in entries("data")]
    if task not in names:
        raise UserError(f"unknown task {task!r}", where="--task", fix=nearest(task, names))
