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
    from tricklab.errors import UserError
    from tricklab.tricks import catalogue, get

    chosen = [get(name.removeprefix("+"))] if name is not None else catalogue()
    if task is not None:
        _check_task(task)
        if name is not None and not chosen[0].fits(task):
            raise UserError(f"the trick {chosen[0].name!r} does not fit the task {task!r}", where="--task")
        chosen = [trick for trick in chosen if trick.fits(task)]
    if as_json:
        listed = [describe(trick) for trick in chosen]
        print(json.dumps(listed[0] if name is not None else {"tricks": listed}, indent=2))
    elif name is not None:
        show_one(chosen[0])
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
    """A trick a line, its arguments below."""
    from rich.table import Table

    from tricklab.cli.console import console

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="cyan")
    table.add_column()
    for trick in tricks:
        only = "" if trick.tasks == "all" else f" [dim](only {', '.join(trick.tasks)})[/dim]"
        arguments = ", ".join(map(_parameter, trick.parameters))
        below = f"\n[dim]{_escaped(arguments)}[/dim]" if arguments else ""
        table.add_row(f"+{trick.name}", _escaped(trick.summary.replace("``", "")) + only + below)
    out = console()
    out.print(table)
    out.print(
        '\n`tricklab tricks NAME` shows one in full. Turn it on: tricklab train RECIPE "+NAME(key=value)"',
        soft_wrap=True,
    )


def show_one(trick: Trick) -> None:
    """A trick in full."""
    from tricklab.cli.console import console

    tasks = "every task" if trick.tasks == "all" else ", ".join(trick.tasks)
    acts = "on evaluation only: costs no training" if trick.stage == "evaluate" else "on training"
    if trick.trains_with:
        acts += f"; on training too with {' or '.join(trick.trains_with)}"
    lines = [f"[bold cyan]+{_signature(trick)}[/bold cyan]", "", _escaped(trick.description.replace("``", "")), ""]
    lines += [f"[bold]fits[/bold]    {tasks}", f"[bold]acts[/bold]    {acts}"]
    for probe in trick.probes:
        proof = (probe.function.__doc__ or "").split("\n")[0]
        lines.append(f"[bold]proof[/bold]   {_escaped(proof)} (judged after the {probe.when.replace('_', ' ')})")
    lines.append(f"[bold]source[/bold]  {_escaped(trick.source or 'not given')}")
    lines.append(f"[bold]file[/bold]    {_escaped(trick.file)}")
    console().print("\n".join(lines), soft_wrap=True)


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
