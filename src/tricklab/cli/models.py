"""tricklab models: every model and its source."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer


def command(as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False) -> None:
    """Every model that a recipe can name, with its source.

    Examples:

      tricklab models

      tricklab train demo model=PixelSVM
    """
    from tricklab.registry import entries

    models = entries("model")
    if as_json:
        print(json.dumps({"models": [asdict(entry) for entry in models]}, indent=2))
        return
    from rich.markup import escape
    from rich.table import Table

    from tricklab.cli.console import console

    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("model", "what it is", "source"):
        table.add_column(title, overflow="fold")
    for entry in models:
        table.add_row(f"[cyan]{escape(entry.name)}[/cyan]", escape(entry.summary), escape(entry.source))
    out = console()
    out.print(table)
    out.print("\nName one in a recipe (model: {type: NAME}) or on the command line (model=NAME).")
