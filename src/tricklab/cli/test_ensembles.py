"""What `tricklab test` says of several runs: each alone, and all of them asked together."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from tricklab.engine.run_ensemble import RunEnsemble
    from tricklab.tasks.base import Evaluation

_SHOWN = {
    "classification": ("accuracy", "balanced_accuracy", "macro_f1", "ece", "loss"),
    "segmentation": ("miou", "aacc", "mdice", "boundary_f", "loss"),
}


def parse_weights(text: str | None, runs: int) -> list[float] | None:
    """Numbers between commas, one for each run.

    Raises:
        UserError: no numbers, another number of them, or one that is not above 0.
    """
    from tricklab.errors import UserError

    if text is None:
        return None
    try:
        found = [float(word) for word in text.split(",")]
    except ValueError:
        found = []
    if len(found) != runs or not all(0 < weight < math.inf for weight in found):
        raise UserError(f"{text!r} are no weights of {runs} runs", where="--weights", fix="one above 0 each: 2,1")
    return found


def report_ensemble(ensemble: RunEnsemble, split: str) -> tuple[dict[str, Any], Evaluation]:
    """Score the runs and their ensemble; what the command says of them as plain data, and the ensemble's evaluation.

    ``gain`` is the ensemble's score of the declared metric less that of the best run, positive where the ensemble is
    better; ``paired`` the mean difference over the images to the same run, with its standard error: right or wrong for
    images, IoU for masks.
    """
    from tricklab.cli.test import report
    from tricklab.cli.test_masks import report_masks

    each, together = ensemble.evaluate(split)
    loaded = ensemble.whole
    metric = loaded.prepared.settings.metric
    name, sign = metric.monitor.split("/", 1)[1], 1 if metric.mode == "max" else -1
    masks = loaded.prepared.settings.task == "segmentation"
    scores = [one.values.get(name, math.nan) for one in each]
    best = max(range(len(each)), key=lambda place: -math.inf if math.isnan(scores[place]) else sign * scores[place])
    gain = sign * (together.values.get(name, math.nan) - scores[best])
    rows = zip(ensemble.runs, ensemble.models, ensemble.shares, each, strict=True)
    members = [
        {
            "run": str(run.path),
            "model": _named(run.recipe["model"]),
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "weight": share,
            "values": _finite(found.values),
        }
        for run, model, share, found in rows
    ]
    about = {
        "average": ensemble.average,
        "metric": name,
        "members": members,
        "values": _finite(together.values),
        "best": str(ensemble.runs[best].path),
        "gain": gain if math.isfinite(gain) else None,
        "paired": _paired(together, each[best], masks),
        "asked_otherwise": [str(run.path) for run in ensemble.asked_otherwise],
    }
    whole = report_masks(loaded, together) if masks else report(loaded, together)
    return {"ensemble": about, **whole, "figures": []}, together


def show_ensemble(found: dict[str, Any], task: str) -> None:
    """Print the table of the members and the ensemble."""
    from rich.table import Table
    from rich.text import Text

    from tricklab.cli.console import console

    out, about = console(), found["ensemble"]
    columns = [about["metric"], *(name for name in _SHOWN[task] if name != about["metric"])]
    table = Table(box=None, pad_edge=False)
    for title in ("run", "model", "parameters", "weight", *columns):
        table.add_column(title, justify="left" if title in ("run", "model") else "right")
    for row in about["members"]:
        values = [_number(row["values"].get(name)) for name in columns]
        table.add_row(Text(row["run"]), Text(row["model"]), f"{row['parameters']:,}", f"{row['weight']:.3g}", *values)
    together = [_number(about["values"].get(name)) for name in columns]
    parameters = sum(row["parameters"] for row in about["members"])
    table.add_row("ensemble", f"mean of {about['average']}", f"{parameters:,}", "", *together)
    out.print(table)
    gain, paired = about["gain"], about["paired"]
    if gain is not None:
        said = (
            f"\nthe ensemble's {about['metric']} is {abs(gain):.4f} {'better' if gain >= 0 else 'worse'} than that of"
        )
        out.print(f"{said} the best run, {about['best']}", markup=False, soft_wrap=True)
    if paired["standard_error"] is not None:
        change = f"{paired['difference']:+.4f} ± {paired['standard_error']:.4f}"
        out.print(
            f"{paired['what']} per image: {change} (standard error of the paired difference; the best run was chosen "
            "by this set, which favours it)"
        )
    for path in about["asked_otherwise"]:
        out.print(f"asked as {about['members'][0]['run']} is, not as its own recipe says: {path}", markup=False)
    out.print("")


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _named(model: dict[str, Any]) -> str:
    inner = model.get("name") or (model.get("backbone") or {}).get("type")
    return str(model["type"]) + (f" {inner}" if inner else "")


def _paired(ours: Evaluation, other: Evaluation, masks: bool) -> dict[str, Any]:
    """Mean and standard error of the differences image by image."""
    import numpy as np

    apart = _each(ours, masks) - _each(other, masks)
    apart = apart[np.isfinite(apart)]
    error = float(apart.std(ddof=1) / math.sqrt(len(apart))) if len(apart) > 1 else None
    mean = float(apart.mean()) if len(apart) else None
    return {"what": "IoU" if masks else "accuracy", "images": len(apart), "difference": mean, "standard_error": error}


def _each(evaluation: Evaluation, masks: bool) -> np.ndarray:
    from tricklab.metrics.segmentation import per_image_scores

    if masks:
        counts = evaluation.arrays
        iou: np.ndarray = per_image_scores(counts["hits"], counts["truth"], counts["predicted"])["iou"]
        return iou
    assert evaluation.predictions is not None
    assert evaluation.targets is not None
    return (evaluation.predictions == evaluation.targets).astype(float)


def scored_ensemble(
    folders: list[Path],
    split: str,
    average: str | None,
    weights: str | None,
    top_k: int | None,
    data: str | None,
    threads: int | None,
) -> tuple[dict[str, Any], str]:
    """Load, score and describe several runs; also the task.

    Raises:
        UserError: as of ``load_ensemble``, or options that do not fit.
    """
    from tricklab.cli.resume import single_run
    from tricklab.cli.test_images import add_images
    from tricklab.engine.run_ensemble import load_ensemble
    from tricklab.errors import UserError

    average = average or "probabilities"
    if average not in ("probabilities", "logits"):
        raise UserError(f"unknown average {average!r}", where="--average", fix="probabilities or logits")
    runs = [single_run(folder).path for folder in folders]
    shares = parse_weights(weights, len(runs))
    ensemble = load_ensemble(runs, average, shares, threads=threads, data=data)  # type: ignore[arg-type]
    task = ensemble.whole.prepared.settings.task
    if top_k is not None and task != "classification":
        raise UserError("this is for runs on images", where="--top-k")
    found, together = report_ensemble(ensemble, split)
    if task == "classification":
        found |= add_images(ensemble.whole, together, found, top_k)
    return found, task
