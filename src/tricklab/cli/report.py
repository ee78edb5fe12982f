"""tricklab report: write an experiment's report, or a run's figures, from the folders alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def command(
    experiment: Annotated[Path, typer.Argument(help="the folder of an experiment, or of a run")],
    out: Annotated[Path | None, typer.Option(help="where to write; the experiment's own folder if not given")] = None,
    data: Annotated[Path | None, typer.Option(help="folder of the data files, for a run's map or gallery")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the machine-readable result as one document")] = False,
    open_it: Annotated[bool, typer.Option("--open", help="open the page in a browser")] = False,
) -> None:
    """Write report.html (one file, works offline), report.md, report.csv, report-runs.csv and report.json; where runs
    recorded classes report-classes.csv too.

    Nothing is run. Of a single run the scores of each class are printed and the figures are drawn: curves, confusion
    matrix; of a scene class map and split; of images a reliability diagram and a gallery of the most confident
    mistakes.

    Examples:

      tricklab report runs/se-and-decay --open

      tricklab report runs/se-and-decay --out /tmp/shared --json

      tricklab report runs/se-and-decay/baseline/0 --data DIR
    """
    from tricklab.errors import UserError

    runs = _single_runs(experiment)
    if runs:
        if out is not None or open_it:
            raise UserError(
                "--out and --open are for experiments", where=str(experiment), fix="a run's figures go into its folder"
            )
        _figures(runs, data, as_json)
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
        written = json.loads(files["json"].read_text(encoding="utf-8"))
        print(dumps({**written, "files": {kind: str(path) for kind, path in files.items()}}, indent=1))
    else:
        for path in files.values():
            print(path)
    if open_it:
        import webbrowser

        webbrowser.open(files["html"].resolve().as_uri())


def _single_runs(folder: Path) -> list[Path]:
    """The folder itself if it is a run, or the runs of what `tricklab train` wrote; none for an experiment."""
    if (folder / "status.json").is_file():
        return [folder]
    return [] if (folder / "plan.json").is_file() else sorted(found.parent for found in folder.glob("*/*/status.json"))


def _figures(runs: list[Path], data: Path | None, as_json: bool) -> None:
    from tricklab.cli.class_table import class_table
    from tricklab.cli.console import console
    from tricklab.errors import UserError
    from tricklab.lab.report import fold_of, run_figures

    found: list[dict[str, Any]] = []
    for run in runs:
        fold, reason = None, None
        try:
            fold = fold_of(run, data)
        except UserError as error:
            # the other figures need no data
            reason = str(error)
        figures = [str(path) for path in run_figures(run, fold)]
        found.append({"run": str(run), "classes": _classes(run), "figures": figures, "left_out": reason})
    if as_json:
        print(json.dumps({"runs": found}, indent=1))
        return
    for one in found:
        if one["classes"]:
            console().print(class_table(one["classes"]))
        print(*one["figures"], sep="\n")
        if one["left_out"]:
            print(f"without the data: {one['left_out']}")


def _classes(run: Path) -> list[dict[str, Any]]:
    """The scores of each class that a run recorded; none before it has finished."""
    from tricklab.lab.report.class_effects import class_rows
    from tricklab.records import RunFolder

    folder = RunFolder.open(run)
    return class_rows(folder.result() or {}, str(folder.recipe.get("task") or ""))
