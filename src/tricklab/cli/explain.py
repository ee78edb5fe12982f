"""tricklab explain: where every value of a resolved recipe came from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tricklab.recipe import Recipe
    from tricklab.tricks import Applied


def command(
    recipe: Annotated[str, typer.Argument(help="a recipe file or the name of a shipped recipe")],
    changes: Annotated[list[str] | None, typer.Argument(help="+tricks and key=value")] = None,
    without: Annotated[list[str] | None, typer.Option(help="a trick of the recipe to leave out")] = None,
    data: Annotated[Path | None, typer.Option(help="folder of the data files")] = None,
    defaults: Annotated[bool, typer.Option(help="also the values that nobody set")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Every value of the resolved recipe with where it came from, and what each trick writes.

    Examples:

      tricklab explain demo +se "+step_decay(at=[6, 8])"

      tricklab explain salinas-a-hybridsn optimizer.lr=1e-4 --no-defaults
    """
    from tricklab import tricks
    from tricklab.recipe import load

    texts = [*(changes or ()), *([] if data is None else [f"data.root={json.dumps(str(data))}"])]
    loaded = load(
        recipe,
        overrides=[text for text in texts if not text.startswith("+")],
        tricks=[text for text in texts if text.startswith("+")],
        without=without or (),
    )
    applied = tricks.apply(loaded)
    if as_json:
        print(json.dumps(explained(loaded.name, applied), indent=2))
    else:
        show(loaded.name, applied, defaults)


def explained(name: str, applied: Applied) -> dict[str, Any]:
    """Values with origins, write-sets and identities as plain data."""
    resolved = applied.recipe
    return {
        "recipe": name,
        "values": {path: {"value": value, "origin": origin} for path, value, origin in leaves(resolved)},
        "tricks": [
            {
                "call": call.text,
                "name": call.name,
                "arguments": call.arguments,
                "origin": str(call.origin),
                "writes": {path: list(change) for path, change in applied.writes[place].items()},
            }
            for place, call in enumerate(applied.calls)
        ],
        "digest": {"fit": resolved.digest("fit"), "evaluate": resolved.digest("evaluate")},
    }


def leaves(recipe: Recipe) -> Iterator[tuple[str, Any, str]]:
    """(path, value, origin) of every value that is no mapping and no list of mappings."""

    def walk(value: Any, path: tuple[object, ...]) -> Iterator[tuple[str, Any, str]]:
        from tricklab.recipe.paths import join

        if isinstance(value, dict) and value:
            for key, item in value.items():
                yield from walk(item, (*path, key))
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            for number, item in enumerate(value):
                yield from walk(item, (*path, number))
        else:
            yield join(path), value, str(recipe.origin(join(path)))

    yield from walk(recipe.tree, ())


def show(name: str, applied: Applied, defaults: bool) -> None:
    """Two tables: values, and what each trick writes."""
    from rich.markup import escape
    from rich.table import Table

    from tricklab.cli.console import console

    out = console()
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("key", "value", "from"):
        table.add_column(title, overflow="fold")
    for path, value, origin in leaves(applied.recipe):
        by_default = origin.startswith("default")
        if by_default and not defaults:
            continue
        style = "dim" if by_default else "green" if origin.startswith("trick ") else None
        table.add_row(escape(path), escape(json.dumps(value, ensure_ascii=False)), escape(origin), style=style)
    out.print(table)
    for place, call in enumerate(applied.calls):
        out.print(f"\n[bold cyan]{escape(call.text)}[/bold cyan] ({escape(str(call.origin))}) writes", soft_wrap=True)
        for path, (before, after) in applied.writes[place].items():
            change = f"{json.dumps(before, ensure_ascii=False)} -> {json.dumps(after, ensure_ascii=False)}"
            out.print(f"  {escape(path)}: {escape(change)}", soft_wrap=True)
    fit, evaluate = applied.recipe.digest("fit"), applied.recipe.digest("evaluate")
    identities = f"identity of the training {fit[:12]}, of the evaluation {evaluate[:12]}"
    out.print(f"\n{escape(name)}: {identities}", soft_wrap=True)
