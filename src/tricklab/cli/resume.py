"""tricklab resume: go on with a stopped run or experiment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tricklab.records import RunFolder


def command(
    folder: Annotated[str, typer.Argument(help="a run, the folder of one run, or an experiment")],
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of a run that has not begun yet")] = None,
    blocks: Annotated[int | None, typer.Option(help="go on to a declared later look of an experiment")] = None,
    budget: Annotated[str | None, typer.Option(help="start no run of an experiment that would end later: 2h")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Go on where a run or an experiment was stopped; nothing finished is repeated.

    A run goes on from its last checkpoint and ends with the same bits as one that was never stopped.

    Examples:

      tricklab resume runs/demo-1f3a2c

      tricklab resume runs/demo-1f3a2c/run/0
    """
    from tricklab.errors import UserError

    path = Path(folder)
    if (path / "plan.json").is_file():
        if threads is not None:
            raise UserError("an experiment's threads are fixed in its plan", where="--threads", fix="leave it out")
        _experiment(path, blocks, budget, as_json)
        return
    if blocks is not None or budget is not None:
        raise UserError("only an experiment has blocks and a budget", where=folder, fix="leave the option out")
    from tricklab.cli.train import finish

    finish(single_run(path), threads, as_json)


def single_run(path: Path) -> RunFolder:
    """The run at a path, or the only one below ``<path>/run``.

    Raises:
        UserError: there is none, or several.
    """
    from tricklab.errors import UserError
    from tricklab.records import RunFolder

    if not (path / "status.json").is_file():
        inside = sorted(found.parent for found in path.glob("run/*/status.json"))
        if len(inside) == 1:
            return RunFolder.open(inside[0])
        if inside:
            named = ", ".join(map(str, inside))
            raise UserError(f"there are {len(inside)} runs in it", where=str(path), fix=f"name one: {named}")
    return RunFolder.open(path)


def _experiment(path: Path, blocks: int | None, budget: str | None, as_json: bool) -> None:
    from tricklab.cli.ablate import carry_on
    from tricklab.lab.ablation import budget_seconds, reopened

    carry_on(*reopened(path, blocks), budget_seconds(budget), as_json)
