"""Images with masks as pictures: label and prediction laid over the image, and where the two differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tricklab.errors import UserError
from tricklab.lab.report.canvas import class_colours, figure, save
from tricklab.metrics.segmentation.regions import IGNORE

PANELS = ("image", "label", "prediction", "errors (dark)")
IGNORED, RIGHT, WRONG = (0.93, 0.94, 0.95), (0.80, 0.84, 0.88), (0.11, 0.13, 0.16)  # no class has a colour so dark
SHARE = 0.55
LARGEST = 640


@dataclass(frozen=True)
class ShownMask:
    """One image with its label and prediction.

    Args:
        name: what the image is called.
        pixels: (H, W, C), any number of channels and any range; what is shown is stretched to the range it has.
        label: (H, W) classes, 255 where nothing is said.
        prediction: (H, W) classes.
        note: what is written beside the name, such as its IoU.
    """

    name: str
    pixels: np.ndarray
    label: np.ndarray
    prediction: np.ndarray
    note: str = ""


def overlay(pixels: np.ndarray, classes: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Colours of classes laid over an image; ignored pixels stay as they are.

    Args:
        pixels: (H, W, 3) float in 0..1; classes: (H, W), 255 where nothing is said; colours: (K, 3) in 0..1.

    Returns:
        (H, W, 3) float in 0..1.
    """
    found: np.ndarray = np.array(pixels, dtype=np.float64)
    known = classes != IGNORE
    found[known] = (1 - SHARE) * found[known] + SHARE * colours[classes[known].astype(np.int64)]
    return found


def error_map(label: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """(H, W, 3) float: grey where right, nearly black where wrong, nearly white where the label says nothing."""
    found = np.empty((*label.shape, 3))
    found[...] = RIGHT
    found[label != prediction] = WRONG
    found[label == IGNORE] = IGNORED
    return found


def panels(one: ShownMask, colours: np.ndarray, step: int = 1) -> list[tuple[str, np.ndarray]]:
    """Name and picture (height, width, 3), floats in 0..1, of image, label, prediction and errors.

    Args:
        colours: (K, 3) in 0..1.
        step: only every so many rows and columns.
    """
    pixels, label, said = (array[::step, ::step] for array in (_grey_or_colour(one.pixels), one.label, one.prediction))
    pictures = (pixels, overlay(pixels, label, colours), overlay(pixels, said, colours), error_map(label, said))
    return list(zip(PANELS, pictures, strict=True))


def mask_figure(shown: Sequence[ShownMask], classes: Sequence[str], title: str, path: Path) -> Path:
    """Draw a row for each image: the image, its label, its prediction and the errors; returns the PNG.

    Raises:
        UserError: nothing to show, or maps that differ in size.
    """
    from matplotlib.patches import Patch

    if not shown:
        raise UserError("no image to draw", where=str(path))
    for one in shown:
        if not one.pixels.shape[:2] == one.label.shape == one.prediction.shape:
            sizes = f"{one.pixels.shape[:2]}, {one.label.shape} and {one.prediction.shape}"
            raise UserError(f"image, label and prediction of {one.name} differ in size: {sizes}", where=str(path))
    colours = class_colours(max(len(classes), 1))
    heights = [2.6 * min(max(one.label.shape[0] / one.label.shape[1], 0.3), 2.0) + 0.3 for one in shown]
    made = figure(len(PANELS) * 2.6, sum(heights) + 0.6 + 0.2 * -(-len(classes) // 6))
    made.suptitle(title, fontsize=10.5, x=0.01, ha="left")
    grid = made.subplots(len(shown), len(PANELS), squeeze=False, gridspec_kw={"height_ratios": heights})
    seen: set[int] = set()
    for one, row in zip(shown, grid, strict=True):
        seen |= set(np.unique(one.label).tolist()) | set(np.unique(one.prediction).tolist())
        for axes, (panel, picture) in zip(row, panels(one, colours, -(-max(one.label.shape) // LARGEST)), strict=True):
            axes.imshow(picture, interpolation="nearest")
            # a dollar sign would begin a formula
            title = f"{one.name} {one.note}".strip().replace("$", r"\$") if panel == "image" else panel
            axes.set_title(title, fontsize=7.5, loc="left")
            axes.set_xticks([])
            axes.set_yticks([])
    entries = [(name.replace("$", r"\$"), colours[k]) for k, name in enumerate(classes) if k in seen]
    if IGNORE in seen:
        entries.append(("without a label", np.array(IGNORED)))
    handles = [
        Patch(facecolor=tuple(colour), label=name, edgecolor="#9aa4b1", linewidth=0.5) for name, colour in entries
    ]
    made.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    return save(made, path)


def _grey_or_colour(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) in 0..1: the first three channels, or the first one as grey, stretched unless they are bytes."""
    chosen = pixels[..., :3] if pixels.shape[-1] >= 3 else np.repeat(pixels[..., :1], 3, axis=-1)
    if chosen.dtype == np.uint8:
        return chosen / 255.0
    values = chosen.astype(np.float64)
    low, high = np.percentile(values, (1, 99))
    found: np.ndarray = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    return found
