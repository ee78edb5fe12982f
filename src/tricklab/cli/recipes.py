"""tricklab recipes: the recipes that come with tricklab."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def command(as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False) -> None:
    """The recipes that come with tricklab; any command takes their names.

    Examples:

      tricklab recipes

      tricklab explain demo
    """
    from tricklab.recipe.shipped_recipes import shipped, summary

    found = [{"name": name, "summary": summary(path), "file": str(path)} for name, path in shipped().items()]
    if as_json:
        print(json.dumps({"recipes": found}, indent=2))
        return
    from rich.markup import escape
    from rich.table import Table

    from tricklab.cli.console import console

    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("recipe", "what it is"):
        table.add_column(title, overflow="fold")
    for item in found:
        table.add_row(f"[cyan]{escape(item['name'])}[/cyan]", escape(item["summary"]))
    out = console()
    out.print(table)
    out.print("\nStart your own from one of them: a file whose first line is  base: NAME")
