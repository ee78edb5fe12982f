"""tricklab status: what runs, what is finished, how long it will take."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def command(
    folder: Annotated[str, typer.Argument(help="a folder of experiments, an experiment or a run")] = "runs",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """What runs, what is finished, and how long the rest will take; reads the folders, disturbs nothing.

    Examples:

      tricklab status

      tricklab status runs/demo-1f3a2c --json
    """
    from tricklab.lab.overview import overview, render

    found = overview(folder)
    if as_json:
        print(json.dumps({"folder": folder, "experiments": [one.to_dict() for one in found]}, indent=2))
    else:
        from tricklab.cli.console import console

        console().print(render(found, folder))
