"""tricklab report: write an experiment's report, or a run's figures, from the folders alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tricklab.lab.report.scene_maps import Fold


def command(
    experiment: Annotated[Path, typer.Argument(help="an experiment's folder, or one run's")],
    out: Annotated[Path | None, typer.Option(help="where to write; the experiment's own folder if not given")] = None,
    data: Annotated[Path | None, typer.Option(help="folder of the data files, for a run's class map")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the machine-readable result as one document")] = False,
    open_it: Annotated[bool, typer.Option("--open", help="open the page in a browser")] = False,
) -> None:
    """Write report.html (one file, works offline), report.md, report.csv, report-runs.csv and report.json.

    Nothing is run. Of a single run the figures are drawn: curves, confusion matrix, class map, split.

    Examples:

      tricklab report runs/se-and-decay --open

      tricklab report runs/se-and-decay --out /tmp/shared --json

      tricklab report runs/se-and-decay/baseline/0
    """
    from tricklab.errors import UserError

    if (experiment / "status.json").is_file():
        if out is not None or open_it:
            raise UserError(
                "--out and --open are for experiments", where=str(experiment), fix="a run's figures go into its folder"
            )
        _figures(experiment, data, as_json)
    elif data is not None:
        raise UserError("--data is for the figures of one run", where=str(experiment))
    else:
        _report(experiment, out, as_json, open_it)


def _report(experiment: Path, out: Path | None, as_json: bool, open_it: bool) -> None:
    from tricklab.lab.report import write
    from tricklab.lab.result import experiment_result
    from tricklab.records import dumps

    outcome = experiment_result(experiment)
    files = write(experiment, out=out, outcome=outcome)
    if as_json:
        print(dumps({**outcome, "files": {kind: str(path) for kind, path in files.items()}}, indent=1))
    else:
        for path in files.values():
            print(path)
    if open_it:
        import webbrowser

        webbrowser.open(files["html"].resolve().as_uri())


def _figures(run: Path, data: Path | None, as_json: bool) -> None:
    from tricklab.lab.report import run_figures

    fold, reason = _fold(run, data)
    drawn = [str(path) for path in run_figures(run, fold)]
    if as_json:
        print(json.dumps({"run": str(run), "figures": drawn, "left_out": reason}, indent=1))
        return
    for path in drawn:
        print(path)
    if reason:
        print(f"no class map: {reason}")


def _fold(run: Path, data: Path | None) -> tuple[Fold | None, str | None]:
    """The data of a run's block; or the reason why they are not to be had."""
    from tricklab.errors import UserError
    from tricklab.recipe import load, settings
    from tricklab.records import RunFolder
    from tricklab.registry import load as load_component
    from tricklab.seeds import Seeds

    folder = RunFolder.open(run)
    tree: dict[str, Any] = folder.recipe
    if tree.get("task") is None:
        return None, "only runs of a recipe have one"
    if data is not None:
        tree["data"]["root"] = str(data)
    try:
        chosen = settings(load(tree))
        task = load_component("task", chosen.task)(settings=chosen, seeds=Seeds(chosen.seed, folder.declared["block"]))
        task.prepare()
    except UserError as error:
        return None, str(error)
    return task.fold, None
