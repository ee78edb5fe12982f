"""Images beside what speaks, in the network's eyes, for the class that it gives and for the one that it should."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tricklab.lab.report.canvas import GREEN, INK, ORANGE, SOFT, figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CARDS = 3


@dataclass(frozen=True)
class ShownRegion:
    """One image with its maps.

    Args:
        pixels: uint8 (H, W, 3), as the network sees it.
        label: the class that it is said to be of, and its probability.
        prediction: the class that the network gives, and its probability.
        for_prediction: float (H, W), 0 … 1.
        for_label: the same for the label; None where the two are one.
    """

    pixels: np.ndarray
    label: tuple[str, float]
    prediction: tuple[str, float]
    for_prediction: np.ndarray
    for_label: np.ndarray | None


def region_figure(shown: Sequence[ShownRegion], title: str, path: Path) -> Path:
    """Draw each image, the map of its prediction and, of a mistake, that of its label; returns the PNG."""
    wide = any(one.for_label is not None for one in shown)
    panels = 3 if wide else 2
    rows = max(math.ceil(len(shown) / CARDS), 1)
    made = figure(CARDS * panels * 1.3, 1.62 * rows + 0.4)
    made.suptitle(title, x=0.01, ha="left", fontsize=10, color=INK)
    columns = CARDS * panels
    for place, one in enumerate(shown):
        first = place // CARDS * columns + place % CARDS * panels + 1
        _panel(made.add_subplot(rows, columns, first), one.pixels, None, one.label[0], GREEN)
        said = f"{one.prediction[0]} {one.prediction[1]:.2f}"
        right = one.label[0] == one.prediction[0]
        _panel(
            made.add_subplot(rows, columns, first + 1), one.pixels, one.for_prediction, said, GREEN if right else ORANGE
        )
        if one.for_label is not None:
            also = f"{one.label[0]} {one.label[1]:.2f}"
            _panel(made.add_subplot(rows, columns, first + 2), one.pixels, one.for_label, also, GREEN)
    return save(made, path)


def _panel(axes: Axes, pixels: np.ndarray, heat: np.ndarray | None, title: str, colour: str) -> None:
    if heat is None:
        axes.imshow(pixels)
    else:
        grey = pixels.mean(axis=2) / 255
        axes.imshow(0.35 + 0.5 * grey, cmap="gray", vmin=0, vmax=1)
        axes.imshow(heat, cmap="inferno", vmin=0, vmax=1, alpha=0.75 * np.clip(heat, 0, 1) ** 0.7)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(SOFT)
        spine.set_linewidth(0.6)
    text = title.replace("$", r"\$")
    axes.set_title(
        text if len(text) <= 20 else f"{text[:14]}… {text[-4:]}", fontsize=6.5, color=colour, loc="left", pad=2
    )
