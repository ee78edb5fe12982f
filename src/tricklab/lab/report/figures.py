"""Figures of one run as PNG files, drawn from its folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tricklab.lab.report.confusion_figure import confusion_figure
from tricklab.lab.report.curve_figure import curve_figure
from tricklab.lab.report.map_figures import class_map_figure, split_figure
from tricklab.records import Evidence


def run_figures(
    folder: str | os.PathLike[str],
    *,
    labels: NDArray[np.integer[Any]] | None = None,
    prediction: NDArray[np.integer[Any]] | None = None,
    split: NDArray[np.integer[Any]] | None = None,
) -> list[Path]:
    """Draw what the folder of a run allows into ``figures/`` and return the files.

    ``curves.png`` (loss, evaluation metric with the trivial predictor, learning rate), ``confusion.png``,
    ``class_map.png`` and ``split.png``. The arrays are read from ``predictions/{labels,map,split}.npy`` unless given.

    Args:
        folder: a run folder.
        labels: (H, W) class index per pixel, -1 = no label.
        prediction: (H, W) predicted class index per pixel, -1 = not predicted.
        split: (H, W) 0 = unused, 1 = train, 2 = validation, 3 = test.

    Raises:
        UserError: it is no run folder, or two maps differ in size.
    """
    place = Path(folder)
    evidence = Evidence.from_folder(place)
    figures = place / "figures"
    figures.mkdir(exist_ok=True)
    written = []
    if evidence.rows:
        written.append(curve_figure(evidence, figures / "curves.png"))
    result = evidence.result or {}
    classes = [str(name) for name in result.get("classes") or ()]
    if result.get("confusion"):
        written.append(confusion_figure(np.asarray(result["confusion"]), classes, figures / "confusion.png"))
    labels = _stored(place, "labels") if labels is None else labels
    prediction = _stored(place, "map") if prediction is None else prediction
    split = _stored(place, "split") if split is None else split
    if prediction is not None or labels is not None:
        written.append(class_map_figure(labels, prediction, classes, figures / "class_map.png"))
    if split is not None:
        written.append(split_figure(split, figures / "split.png"))
    return written


def _stored(folder: Path, name: str) -> NDArray[Any] | None:
    place = folder / "predictions" / f"{name}.npy"
    return np.load(place, allow_pickle=False) if place.exists() else None
