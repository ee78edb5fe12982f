"""What `tricklab test` says of runs on masks: a table a class, scores of all pixels and of images, worst images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tricklab.engine import LoadedRun
    from tricklab.tasks.base import Evaluation

# OpenMMLab's columns in its order; its F-score is Dice, and its Acc of a class is the recall
_COLUMNS = (("F-score", "dice"), ("precision", "precision"), ("recall", "acc"), ("IoU", "iou"), ("Acc", "acc"))
_LEFT_OUT = {
    "absent": "in no label and no prediction, and so in no mean",
    "no_truth": "predicted but in no label, and so in no mean of recall",
    "never_predicted": "in labels but never predicted, and so in no mean of precision",
}


def report_masks(loaded: LoadedRun, evaluation: Evaluation) -> dict[str, Any]:
    """Everything that the command says of masks, as plain data; scores that are undefined are None."""
    from tricklab.metrics.segmentation import left_out, mask_report, per_image_scores

    counts, names = evaluation.arrays, list(loaded.task.classes)
    each = per_image_scores(counts["hits"], counts["truth"], counts["predicted"])
    task: Any = loaded.task
    return {
        "run": str(loaded.run.path),
        "split": evaluation.split,
        "size": len(evaluation.index),
        "items": "images",
        "pixels": int(evaluation.confusion.sum()),
        "values": _defined(evaluation.values),
        "trivial": _defined(loaded.task.trivial(evaluation.split)),
        "classes": mask_report(evaluation.confusion, names),
        "left_out": left_out(evaluation.confusion, names),
        "scoring": evaluation.scoring,
        "standard_errors": _defined(evaluation.facts["evaluate/standard_errors"]),
        "images": [
            {"image": task.fold.name_of(evaluation.split, index), **_defined({k: each[k][index] for k in each})}
            for index in range(len(evaluation.index))
        ],
        "confusion": evaluation.confusion.tolist(),
        "looks_at_test": sum(event["kind"] == "test_touched" for event in loaded.run.events()),
    }


def figures_of_masks(loaded: LoadedRun, evaluation: Evaluation) -> list[Path]:
    """Draw confusions and IoU of the classes, and the images of the lowest IoU with label, prediction and errors."""
    from tricklab.engine.evaluation import evaluating
    from tricklab.lab.report.mask_run_figures import score_figures, worst_figures
    from tricklab.tasks.mask_network import asked_of_network

    task: Any = loaded.task
    names, split, folder = list(task.classes), evaluation.split, loaded.run.path / "figures"
    unlabelled = task.fold.facts["data/unlabelled"][split]
    trivial = task.trivial(split)["miou"]
    drawn = score_figures(
        evaluation.confusion, names, folder, unlabelled=unlabelled, trivial=trivial, suffix=f"_{split}"
    )
    chosen, device = loaded.prepared.settings.evaluate, next(loaded.model.parameters()).device
    asked = asked_of_network(loaded.model, task.fold.normalisation, chosen, loaded.prepared.postprocess, chosen.method)
    with evaluating(loaded.model):
        return drawn + worst_figures(
            lambda images: asked(images.to(device)), task.fold, split, evaluation.arrays, names, folder, f"_{split}"
        )


def show_masks(found: dict[str, Any]) -> None:
    """Print the report for a person."""
    from rich.table import Table
    from rich.text import Text

    from tricklab.cli.console import console

    out = console()
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for title in (*(title for title, _ in _COLUMNS), "pixels", "predicted"):
        table.add_column(title, justify="right")
    for row in found["classes"]:
        shares = [_number(row[key]) for _, key in _COLUMNS]
        table.add_row(Text(row["class"]), *shares, str(row["support"]), str(row["predicted"]))
    out.print(table)
    values, scoring = found["values"], found["scoring"]
    empty = scoring["images_without_labels"]
    without = f", {empty} of them without any" if empty else ""
    out.print(f"\n{found['size']} images of the {found['split']} set{without}, {found['pixels']} pixels with a label")
    alone = [key for key in values if key.endswith("_per_image")]
    outlines = _told_tolerance(scoring["boundary_tolerance"])
    told = [key for key in values if key not in (*alone, "boundary_f", "loss")]
    out.print(f"all pixels together: {_listed(values, told)}")
    out.print(f"means over images: {_listed(values, alone)}")
    out.print(f"outlines, {outlines}: {_listed(values, ['boundary_f'])}")
    if values.get("loss") is not None:
        out.print(f"loss {_number(values['loss'])}")
    errors = found["standard_errors"]
    out.print(f"standard errors, were other images drawn: {_listed(errors, list(errors))}")
    out.print(f"always the commonest training class: {_listed(found['trivial'], list(found['trivial']))}")
    for kind, names in found["left_out"].items():
        if names:
            share = f"{len(names)} of {len(found['classes'])} classes"
            out.print(f"{share} {_LEFT_OUT[kind]}: {', '.join(names)}", markup=False)
    if found["split"] == "test":
        out.print(f"looks at the test set so far: {found['looks_at_test']}")
    for path in found["figures"]:
        out.print(f"figure: {path}", soft_wrap=True, markup=False)


def _listed(values: Any, names: list[str]) -> str:
    return "   ".join(f"{name} {_number(values[name])}" for name in names)


def _told_tolerance(tolerance: float) -> str:
    pixels = "pixel" if tolerance == 1 else "pixels"
    return f"within {tolerance:g} {pixels}" if tolerance >= 1 else f"within {100 * tolerance:g}% of the diagonal"


def _defined(values: Any) -> dict[str, float | None]:
    return {name: None if value != value else float(value) for name, value in values.items()}


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.4f}"
