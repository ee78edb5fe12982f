"""What `tricklab test` says of runs on images: ranking, top-k, calibration, confused pairs, figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tricklab.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

    from tricklab.engine import LoadedRun
    from tricklab.lab.report.shown_images import ImageScores
    from tricklab.tasks.base import Evaluation

PAIRS = 8


def add_images(loaded: LoadedRun, evaluation: Evaluation, report: dict[str, Any], top_k: int | None) -> dict[str, Any]:
    """What is said of images beyond the per-class report, as plain data.

    Args:
        report: what is said of every run; its rows of ``classes`` get ``auroc`` and ``average_precision``.
        top_k: also the share of images whose class is among the k most probable; None takes 5, where that can be wrong.

    Returns:
        ``confused``, the pairs most often taken for each other; of a model with probabilities also ``top_k``,
        ``calibration`` and ``ranking``, None otherwise.

    Raises:
        UserError: ``top_k`` is not below the number of classes, or the model has no probabilities.
    """
    names = list(loaded.task.classes)
    if top_k is not None and not 1 <= top_k < len(names):
        raise UserError(
            f"the right one of {len(names)} classes is always among the first {top_k}"
            if top_k > 0
            else "no class is among the first 0",
            where="--top-k",
            fix=f"1 to {len(names) - 1}",
        )
    found: dict[str, Any] = {"confused": confused_pairs(evaluation, names)}
    if evaluation.probabilities is None:
        if top_k is not None:
            raise UserError("this model gives no probabilities to rank classes by", where="--top-k")
        return {**found, "top_k": None, "calibration": None, "ranking": None}
    from tricklab.metrics.report.ranking import (
        mean_of_defined,
        one_vs_rest_auroc,
        one_vs_rest_average_precision,
    )
    from tricklab.metrics.report.reliability import Reliability

    predictions, targets = _items(evaluation)
    probabilities = evaluation.probabilities
    reliability = Reliability()
    reliability.add(probabilities.max(axis=1), predictions == targets)
    auroc = one_vs_rest_auroc(probabilities, targets)
    precision = one_vs_rest_average_precision(probabilities, targets)
    for row, area, mean in zip(report["classes"], auroc, precision, strict=True):
        row |= {"auroc": area, "average_precision": mean}
    k = min(top_k or 5, len(names) - 1)
    return {
        **found,
        "top_k": _top_k(loaded, evaluation, k) if top_k is not None or len(names) > 5 else None,
        "calibration": reliability.as_data(),
        "ranking": {
            "macro_auroc": mean_of_defined(auroc),
            "macro_average_precision": mean_of_defined(precision),
        },
    }


def _top_k(loaded: LoadedRun, evaluation: Evaluation, k: int) -> dict[str, Any]:
    from tricklab.metrics.classes import top_k_accuracy
    from tricklab.metrics.report.ranking import commonest_k_accuracy

    assert evaluation.probabilities is not None
    _, targets = _items(evaluation)
    count = len(loaded.task.classes)
    task: Any = loaded.task
    commonest = commonest_k_accuracy(targets, task.class_counts("train"), k)
    warning = None
    if k > 1 and 2 * k >= count:
        warning = f"top-{k} of {count} classes says little: half of the classes or more may be named"
    return {
        "k": k,
        "accuracy": top_k_accuracy(evaluation.probabilities, targets, k),
        "commonest": commonest,
        "warning": warning,
    }


def _items(evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true class of each image."""
    assert evaluation.predictions is not None
    assert evaluation.targets is not None
    return evaluation.predictions, evaluation.targets


def confused_pairs(evaluation: Evaluation, names: list[str]) -> list[dict[str, Any]]:
    """The most frequent mistakes: ``label``, ``prediction``, ``count``, ``share`` of the label's images."""
    import numpy as np

    wrong = evaluation.confusion.copy()
    np.fill_diagonal(wrong, 0)
    support = evaluation.confusion.sum(axis=1)
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    rows, columns = np.unravel_index(order, wrong.shape)
    return [
        {
            "label": names[row],
            "prediction": names[column],
            "count": int(wrong[row, column]),
            "share": float(wrong[row, column] / support[row]),
        }
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if wrong[row, column]
    ]


def figures_of(loaded: LoadedRun, evaluation: Evaluation, grad_cam: int, layer: str | None) -> list[Path]:
    """Draw the figures of an evaluation; files of another split than the run's own carry its name.

    Args:
        grad_cam: images to show the network's regions of.
        layer: whose map is shown; None chooses one.
    """
    import numpy as np

    from tricklab.lab.report.image_figures import image_figures
    from tricklab.lab.report.shown_images import ImageScores

    predictions, targets = _items(evaluation)
    probabilities, rows = evaluation.probabilities, np.arange(len(targets))
    known = probabilities is not None
    scores = ImageScores(
        evaluation.split,
        evaluation.index,
        targets,
        predictions,
        probabilities.max(axis=1) if probabilities is not None else None,
        probabilities[rows, targets] if known and probabilities is not None else None,
    )
    suffix = "" if evaluation.split == loaded.prepared.split else f"-{evaluation.split}"
    task: Any = loaded.task
    written = image_figures(scores, list(task.classes), loaded.run.figures, task.fold, suffix)
    if grad_cam:
        written.append(_regions(loaded, scores, grad_cam, layer, loaded.run.figures / f"grad-cam{suffix}.png"))
    return written


def _regions(loaded: LoadedRun, scores: ImageScores, most: int, layer: str | None, path: Path) -> Path:
    """Draw where the network looks in the most confident mistakes and, for half of the places, in what is right."""
    import numpy as np
    import torch

    from tricklab.inference.grad_cam import choose_layer, grad_cam
    from tricklab.lab.report.region_figure import ShownRegion, region_figure
    from tricklab.lab.report.shown_images import most_confident_mistakes

    model, task = loaded.model, loaded.task
    if not isinstance(model, torch.nn.Module) or scores.confidence is None or scores.of_target is None:
        raise UserError("this model has no layers to look into", where="--grad-cam")
    right = np.flatnonzero(scores.targets == scores.predictions)
    right = right[np.argsort(-scores.confidence[right], kind="stable")][: max(most // 2, 1)]
    wrong = most_confident_mistakes(scores, most - min(len(right), most // 2))
    rows = np.concatenate([wrong, right[: most - len(wrong)]])
    fold: Any = vars(task)["fold"]
    pixels = fold.store.images(fold.members[scores.split][scores.index[rows]])
    device = next(model.parameters()).device
    values = fold.normalisation(pixels).to(device)
    said, label = (torch.from_numpy(classes[rows]).to(device) for classes in (scores.predictions, scores.targets))
    chosen = layer
    if chosen is None and not hasattr(model, "ensemble_members"):
        chosen = choose_layer(model, values)
    parts = [slice(start, start + 16) for start in range(0, len(rows), 16)]
    found = [[grad_cam(model, values[part], classes[part], chosen) for part in parts] for classes in (said, label)]
    for_said, for_label = (torch.cat([one.maps for one in some]).cpu().numpy() for some in found)
    names = task.classes
    shown = [
        ShownRegion(
            pixels[place].permute(1, 2, 0).numpy(),
            (names[int(scores.targets[row])], float(scores.of_target[row])),
            (names[int(scores.predictions[row])], float(scores.confidence[row])),
            for_said[place],
            None if scores.targets[row] == scores.predictions[row] else for_label[place],
        )
        for place, row in enumerate(rows.tolist())
    ]
    height, width = found[0][0].cells
    title = (
        f"Grad-CAM of {found[0][0].layer} ({height} × {width} cells): image and label, what speaks for the prediction, "
        "and of mistakes what speaks for the label"
    )
    return region_figure(shown, title, path)


def show_images(found: dict[str, Any], out: Console) -> None:
    """Print what ``image_report`` found, for a person."""
    ranking, top_k, calibration = found["ranking"], found["top_k"], found["calibration"]
    if ranking is not None and ranking["macro_auroc"] is not None:
        out.print(
            f"without a threshold: macro AUROC {ranking['macro_auroc']:.4f}, "
            f"macro average precision {ranking['macro_average_precision']:.4f} (each class against the rest)"
        )
    if top_k is not None:
        out.print(
            f"top-{top_k['k']} {top_k['accuracy']:.4f}; always the {top_k['k']} commonest training classes: "
            f"{top_k['commonest']:.4f}"
        )
        if top_k["warning"]:
            out.print(f"warning: {top_k['warning']}", style="yellow")
    if calibration is not None:
        over = calibration["overconfidence"]
        out.print(
            f"calibration error {calibration['ece']:.4f}; "
            f"on the whole {abs(over):.4f} {'over' if over > 0 else 'under'}confident"
        )
    if found["confused"]:
        pairs = [
            f"{one['label']} → {one['prediction']} {one['count']} ({one['share']:.0%})" for one in found["confused"]
        ]
        out.print("most often confused: " + ", ".join(pairs[:4]), markup=False)
