"""A gallery of images as one PNG: each with what it is and what the model takes it for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from tricklab.lab.report.canvas import GREEN, INK, ORANGE, SOFT, figure, save
from tricklab.lab.report.shown_images import ShownImage

COLUMNS = 6


def gallery_figure(shown: Sequence[ShownImage], title: str, path: Path) -> Path:
    """Draw a grid of images, label in green above, prediction in orange with its probability; returns the PNG."""
    columns = min(COLUMNS, max(len(shown), 3))
    rows = max(math.ceil(len(shown) / columns), 1)
    made = figure(1.75 * columns, 2.2 * rows + 0.45)
    made.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK)
    for place, one in enumerate(shown, start=1):
        axes = made.add_subplot(rows, columns, place)
        if one.pixels is None:
            axes.text(0.5, 0.5, "cannot be read\nany more", ha="center", va="center", fontsize=7.5, color=SOFT)
            axes.set_xlim(0, 1)
            axes.set_ylim(0, 1)
            axes.set_aspect("equal")
        else:
            axes.imshow(one.pixels)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_color("#9aa4b1")
        axes.set_title(_short(one.label), fontsize=7.5, color=GREEN, loc="left", pad=3)
        said = _short(one.prediction, 22) + (f"  {one.confidence:.2f}" if one.confidence is not None else "")
        axes.text(0, -0.03, said, transform=axes.transAxes, fontsize=7.5, color=ORANGE, va="top")
        axes.text(0, -0.13, _short(Path(one.name).name), transform=axes.transAxes, fontsize=6, color=SOFT, va="top")
    return save(made, path)


def _short(text: str, most: int = 27) -> str:
    # a dollar sign would begin a formula
    text = text.replace("$", r"\$")
    return text if len(text) <= most else f"{text[: most - 1]}…"
