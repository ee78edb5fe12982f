"""What `tricklab test` says of runs on masks: a table a class, scores of all pixels and of images, worst images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tricklab.engine import LoadedRun
    from tricklab.tasks.base import Evaluation

IN_THE_PICTURE = 6
_SHARES = {"iou": "IoU", "acc": "Acc", "dice": "Dice", "precision": "precision"}


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
        "images": [
            {"image": task.fold.name_of(evaluation.split, index), **_defined({k: each[k][index] for k in each})}
            for index in range(len(evaluation.index))
        ],
        "confusion": evaluation.confusion.tolist(),
        "looks_at_test": sum(event["kind"] == "test_touched" for event in loaded.run.events()),
    }


def figures_of_masks(loaded: LoadedRun, evaluation: Evaluation) -> list[Path]:
    """Draw the confusions of pixels, and the images of the lowest IoU with label, prediction and errors."""
    from tricklab.lab.report.confusion_figure import confusion_figure
    from tricklab.lab.report.mask_figures import mask_figure

    names, split, folder = list(loaded.task.classes), evaluation.split, loaded.run.path / "figures"
    title = f"The images of the {split} set with the lowest IoU (mean over the classes in the image)"
    return [
        confusion_figure(evaluation.confusion, names, folder / f"confusion_{split}.png"),
        mask_figure(_worst(loaded, evaluation), names, title, folder / f"worst_{split}.png"),
    ]


def show_masks(found: dict[str, Any]) -> None:
    """Print the report for a person."""
    from rich.table import Table
    from rich.text import Text

    from tricklab.cli.console import console

    out = console()
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for title in (*_SHARES.values(), "pixels", "predicted"):
        table.add_column(title, justify="right")
    for row in found["classes"]:
        shares = [_number(row[key]) for key in _SHARES]
        table.add_row(Text(row["class"]), *shares, str(row["support"]), str(row["predicted"]))
    out.print(table)
    out.print(f"\n{found['size']} images of the {found['split']} set, {found['pixels']} pixels with a label")
    out.print("   ".join(f"{key} {_number(value)}" for key, value in found["values"].items()))
    constant = ", ".join(f"{key} {_number(value)}" for key, value in found["trivial"].items())
    out.print(f"always the commonest training class: {constant}")
    absent = found["left_out"]["absent"]
    if absent:
        out.print(f"in no mask and no prediction, and so in no mean: {', '.join(absent)}", markup=False)
    if found["split"] == "test":
        out.print(f"looks at the test set so far: {found['looks_at_test']}")
    for path in found["figures"]:
        out.print(f"figure: {path}", soft_wrap=True, markup=False)


def _worst(loaded: LoadedRun, evaluation: Evaluation) -> list[Any]:
    """The images of the lowest IoU, predicted once more."""
    import numpy as np
    import torch
    from torch.nn import functional

    from tricklab.engine.evaluation import evaluating
    from tricklab.lab.report.mask_figures import ShownMask
    from tricklab.metrics.segmentation import per_image_scores
    from tricklab.tasks.mask_evaluation import predicted_classes
    from tricklab.tasks.mask_network import asked_of_network

    task: Any = loaded.task
    counts, fold, chosen = evaluation.arrays, task.fold, loaded.prepared.settings.evaluate
    iou = per_image_scores(counts["hits"], counts["truth"], counts["predicted"])["iou"]
    split, device = evaluation.split, next(loaded.model.parameters()).device
    ask = asked_of_network(loaded.model, fold.normalisation, chosen, loaded.prepared.postprocess, chosen.method)
    shown = []
    with evaluating(loaded.model), torch.inference_mode():
        for index in np.argsort(iou, kind="stable")[:IN_THE_PICTURE].tolist():
            label = fold.truth(split, index).numpy()
            logits = ask(fold.values(split, index).to(device)).float()
            if logits.shape[-2:] != label.shape:
                logits = functional.interpolate(logits, label.shape, mode="bilinear", align_corners=False)
            pixels, _ = fold.store.original(int(fold.members[split][index]))
            said = predicted_classes(logits)[0].cpu().numpy()
            shown.append(
                ShownMask(fold.name_of(split, index), pixels, label, said, f"IoU {_number(float(iou[index]))}")
            )
    return shown


def _defined(values: Any) -> dict[str, float | None]:
    return {name: None if value != value else float(value) for name, value in values.items()}


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.4f}"
