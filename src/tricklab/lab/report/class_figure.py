"""IoU of every class as bars, with precision and recall as marks: where a mean comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tricklab.lab.report.canvas import BLUE, GREEN, INK, ORANGE, SOFT, figure, plain_axes, save
from tricklab.metrics.segmentation.regions import mask_report, mask_scores

LARGEST = 30.0


def class_figure(confusion: np.ndarray, classes: Sequence[str], path: Path, trivial: float | None = None) -> Path:
    """Draw a bar for each class, in their order, and return the PNG.

    A class that is in neither label nor prediction has no bar, and says so.

    Args:
        confusion: (K, K) pixels, rows = labels, columns = predictions.
        classes: names.
        trivial: mean IoU of a predictor that answers one class everywhere; None leaves its line out.
    """
    rows = mask_report(confusion, classes)
    pixels = max(int(confusion.sum()), 1)
    # beyond some hundred classes rows become narrower
    step = min(0.27, LARGEST / max(len(rows), 1))
    made = figure(7.6, 1.3 + step * len(rows))
    axes = made.add_subplot()
    plain_axes(axes)
    size = min(8.5, 30 * step)
    axes.tick_params(axis="y", labelsize=size, length=0)
    places = np.arange(len(rows))
    axes.barh(places, [row["iou"] or 0.0 for row in rows], height=0.62, color=BLUE, alpha=0.75, label="IoU")
    for key, colour, mark, told in (
        ("precision", ORANGE, "|", "precision"),
        ("acc", GREEN, "x", "recall (class accuracy)"),
    ):
        known = [(row[key], place) for place, row in enumerate(rows) if row[key] is not None]
        x, y = zip(*known, strict=True) if known else ((), ())
        axes.scatter(x, y, marker=mark, s=260 * step, color=colour, linewidths=1.5, label=told, zorder=3, clip_on=False)
    for place, row in enumerate(rows):
        about = f"{row['support'] / pixels:.2%} of the labels"
        if row["iou"] is None:
            about = "in no label and no prediction: in no mean"
        elif not row["predicted"]:
            about += ", never predicted"
        elif not row["support"]:
            about = f"in no label, predicted {row['predicted'] / pixels:.2%}"
        axes.text(1.015, place, about, va="center", fontsize=0.85 * size, color=SOFT, clip_on=False)
    mean = mask_scores(confusion)["miou"]
    if not np.isnan(mean):
        axes.axvline(mean, color=INK, linewidth=1.1, label=f"mean IoU {mean:.3f}")
    if trivial is not None:
        axes.axvline(trivial, color=SOFT, linewidth=1.2, linestyle=":", label=f"one class everywhere {trivial:.3f}")
    axes.set_yticks(places, [name.replace("$", r"\$") for name in classes])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    made.legend(loc="outside upper left", ncols=5, frameon=False, fontsize=8)
    return save(made, path)
