"""tricklab test: per-class report of a run on its test set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tricklab.engine import LoadedRun
    from tricklab.tasks.base import Evaluation


TITLES = {
    "oa": "accuracy",
    "aa": "average accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "top5": "top-5 accuracy",
    "ece": "expected calibration error",
}


def command(
    run: Annotated[str, typer.Argument(help="a finished run, or the folder of one run")],
    on: Annotated[str, typer.Option(help="which items: test, val or train")] = "test",
    data: Annotated[str | None, typer.Option(help="folder of the data files, if they have moved")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads (those of the run)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Precision, recall, F1 and support of every class on the test set, beside what a trivial predictor scores.

    Each look at the test set is noted in the run's events: what has been looked at often is no test set any more.

    Examples:

      tricklab test runs/demo-1f3a2c

      tricklab test runs/demo-1f3a2c/run/0 --on val --json
    """
    from tricklab.cli.resume import single_run
    from tricklab.engine import load_run
    from tricklab.errors import UserError
    from tricklab.lab.report import run_figures
    from tricklab.records import dumps

    if on not in ("test", "val", "train"):
        raise UserError(f"unknown set {on!r}", where="--on", fix="test, val or train")
    folder = single_run(Path(run))
    loaded = load_run(folder.path, data=data, threads=threads)
    found = report(loaded, loaded.evaluate(on))
    task: Any = loaded.task
    scene = task.fold if loaded.prepared.settings.task == "hyperspectral" else None
    found["figures"] = [str(path) for path in run_figures(folder.path, scene)]
    if as_json:
        print(dumps(found, indent=2))
    else:
        show(found)


def report(loaded: LoadedRun, evaluation: Evaluation) -> dict[str, Any]:
    """Everything that the command says, as plain data."""
    from tricklab.metrics import binomial_standard_error, overall_accuracy, per_class_report

    split = evaluation.split
    size = len(evaluation.targets)
    accuracy = overall_accuracy(evaluation.confusion)
    leakage = loaded.task.facts().get("data/leakage", {}).get("splits", {}).get(split)
    return {
        "run": str(loaded.run.path),
        "split": split,
        "size": size,
        "items": "pixels" if "oa" in evaluation.values else "images",
        "accuracy": accuracy,
        "standard_error": binomial_standard_error(accuracy, size),
        "values": evaluation.values,
        "trivial": loaded.task.trivial(split),
        "classes": per_class_report(evaluation.confusion, list(loaded.task.classes)),
        "confusion": evaluation.confusion.tolist(),
        "leakage": leakage,
        "looks_at_test": sum(event["kind"] == "test_touched" for event in loaded.run.events()),
    }


def show(found: dict[str, Any]) -> None:
    """Print the report for a person."""
    from rich.table import Table
    from rich.text import Text

    from tricklab.cli.console import console

    out = console()
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for title in ("precision", "recall", "F1", "support", "predicted"):
        table.add_column(title, justify="right")
    for row in found["classes"]:
        shares = [f"{row[key]:.4f}" if row[key] is not None else "-" for key in ("precision", "recall", "f1")]
        table.add_row(Text(row["class"]), *shares, str(row["support"]), str(row["predicted"]))
    out.print(table)
    values, trivial = found["values"], found["trivial"]
    out.print(
        f"\naccuracy {found['accuracy']:.4f} {found['size']}   (overall accuracy, number of {found['split']} "
        f"{found['items']}; standard error {found['standard_error']:.4f} if they were independent)"
    )
    others = [key for key in values if key not in ("oa", "accuracy", "loss")]
    out.print("   ".join(f"{TITLES.get(key, key)} {values[key]:.4f}" for key in others))
    said = ", ".join(f"{TITLES.get(key, key)} {value:.4f}" for key, value in trivial.items())
    out.print(f"always the commonest training class: {said}")
    leakage = found["leakage"]
    if leakage:
        out.print(
            f"leakage: {leakage['centre_share']:.1%} of these windows hold a training centre, "
            f"{leakage['touch_share']:.1%} touch a training window, "
            f"{leakage['covered_share']:.1%} of their area is covered"
        )
    if found["split"] == "test":
        out.print(f"looks at the test set so far: {found['looks_at_test']}")
    for path in found["figures"]:
        out.print(f"figure: {path}", soft_wrap=True, markup=False)
