"""Maps of a scene: labels beside predictions with a legend of class names, and where the splits lie."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tricklab.errors import UserError
from tricklab.lab.report.canvas import class_colours, figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNLABELLED = (0.93, 0.94, 0.95)
RIGHT, WRONG = (0.80, 0.84, 0.88), (0.79, 0.15, 0.08)
SPLITS = (("train", (0.0, 0.45, 0.70)), ("validation", (0.90, 0.62, 0.0)), ("test", (0.66, 0.72, 0.78)))


def class_map_figure(
    labels: NDArray[Any] | None,
    prediction: NDArray[Any] | None,
    classes: list[str],
    path: str | os.PathLike[str],
) -> Path:
    """Labels, predictions and errors side by side, a legend of class names below; returns the PNG.

    Args:
        labels: (H, W) class index, -1 = no label; or None.
        prediction: (H, W) class index, -1 = not predicted; or None.
        classes: names by class index.
        path: where the PNG goes.

    Raises:
        UserError: neither map is given, a map is not two-dimensional, or the two differ in size.
    """
    given = [
        (name, np.asarray(one)) for name, one in (("labels", labels), ("prediction", prediction)) if one is not None
    ]
    if not given:
        raise UserError("neither labels nor a prediction to draw", where=str(path))
    for name, one in given:
        if one.ndim != 2 or one.shape != given[0][1].shape:
            raise UserError(
                f"{name} has shape {one.shape}, not that of one scene", where=str(path), fix="maps are (height, width)"
            )
    highest = max(int(one.max(initial=-1)) for _, one in given)
    names = [*classes, *(f"class {index}" for index in range(len(classes), highest + 1))]
    colours = class_colours(max(len(names), 1))
    partly = len(given) == 2 and bool(((given[0][1] >= 0) & (given[1][1] < 0)).any())
    titles = {"prediction": "prediction of the evaluated pixels" if partly else "prediction"}
    panels = [(titles.get(name, name), _coloured(one, colours)) for name, one in given]
    if len(given) == 2:
        both = (given[0][1] >= 0) & (given[1][1] >= 0)
        wrong = both & (given[0][1] != given[1][1])
        image = np.empty((*both.shape, 3))
        image[...] = UNLABELLED
        image[both] = RIGHT
        image[wrong] = WRONG
        panels.append((f"errors: {int(wrong.sum())} of {int(both.sum())} pixels", image))
    made, axes = _row_of(len(panels), given[0][1].shape, extra=0.22 * math.ceil(len(names) / 4))
    for place, (title, image) in zip(axes, panels, strict=True):
        _show(place, image, title)
    present = set(np.unique(np.concatenate([one.ravel() for _, one in given])).tolist())
    entries = [
        (name, tuple(colour))
        for index, (name, colour) in enumerate(zip(names, colours, strict=True))
        if index in present
    ]
    _legend(made, [*entries, *([("none", UNLABELLED)] if -1 in present else [])])
    return save(made, Path(path))


def split_figure(split: NDArray[Any], path: str | os.PathLike[str]) -> Path:
    """Where training, validation and test pixels lie: ``split`` (H, W) is 0 unused, 1 train, 2 validation, 3 test.

    Raises:
        UserError: another shape, or other values.
    """
    split = np.asarray(split)
    if split.ndim != 2 or not np.isin(split, (0, 1, 2, 3)).all():
        raise UserError(
            "a split map is (height, width) of 0 unused, 1 train, 2 validation, 3 test",
            where=str(path),
            fix=f"this one has shape {split.shape}",
        )
    image = np.empty((*split.shape, 3))
    image[...] = UNLABELLED
    entries = []
    for value, (name, colour) in enumerate(SPLITS, start=1):
        image[split == value] = colour
        count = int((split == value).sum())
        if count:
            entries.append((f"{name}: {count} pixels", colour))
    made, axes = _row_of(1, split.shape, extra=0.5)
    _show(axes[0], image, "training and evaluation pixels")
    _legend(made, entries)
    return save(made, Path(path))


def _coloured(classes: NDArray[Any], colours: NDArray[np.float64]) -> NDArray[np.float64]:
    table = np.vstack([np.array([UNLABELLED]), colours])
    return table[np.maximum(classes.astype(np.int64), -1) + 1]


def _row_of(count: int, shape: tuple[int, ...], extra: float) -> tuple[Figure, list[Axes]]:
    height, width = shape[0], shape[1]
    panel = min(max(3.4, 3.4 * (width / height) ** 0.5), 6.0)
    tall = min(max(panel * height / width, 1.2), 9.0)
    made = figure(max(count * panel, 4.6), tall + 0.45 + extra)
    return made, [made.add_subplot(1, count, index + 1) for index in range(count)]


def _show(axes: Axes, image: NDArray[np.float64], title: str) -> None:
    axes.imshow(image, interpolation="nearest")
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#9aa4b1")


def _legend(made: Figure, entries: list[tuple[str, Any]]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=colour, edgecolor="#9aa4b1", linewidth=0.5, label=name) for name, colour in entries]
    made.legend(
        handles=handles, loc="outside lower center", ncols=min(4, max(len(handles), 1)), frameon=False, fontsize=9
    )
