"""tricklab compare: how two runs differ."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def command(
    first: Annotated[str, typer.Argument(help="a run, or the folder of one run")],
    second: Annotated[str, typer.Argument(help="another")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """How two runs differ: recipe, data, versions, and what came out.

    Two runs prove nothing about a trick: whether it helps is what `tricklab ablate` says.

    Examples:

      tricklab compare runs/first runs/second

      tricklab compare runs/demo-1f3a2c/baseline/0 runs/demo-1f3a2c/+se/0
    """
    from pathlib import Path

    from tricklab.cli.resume import single_run
    from tricklab.lab.comparison import compare_runs, render

    found = compare_runs(*(single_run(Path(name)).path for name in (first, second)))
    if as_json:
        print(json.dumps(found.to_dict(), indent=2))
    else:
        from tricklab.cli.console import console

        console().print(render(found))
