"""The worst masks as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tricklab.lab.report.canvas import class_colours
from tricklab.lab.report.gallery_page import embedded_image, write_gallery
from tricklab.lab.report.mask_figures import IGNORED, RIGHT, WRONG, ShownMask, panels

HEIGHT = 180


def mask_page(shown: Sequence[ShownMask], classes: Sequence[str], title: str, note: str, path: Path) -> Path:
    """Write the page: each image beside its label, its prediction and its errors, with a legend; returns it."""
    colours = class_colours(max(len(classes), 1))
    legend = [(name, _hexadecimal(colours[k])) for k, name in enumerate(classes)]
    errors = [("right", RIGHT), ("wrong", WRONG), ("without a label", IGNORED)]
    return write_gallery(
        "masks.html.j2",
        path,
        title=title,
        note=note,
        legend=legend,
        errors=[(name, _hexadecimal(np.array(colour))) for name, colour in errors],
        cards=[(one, embedded_image(_side_by_side(one, colours))) for one in shown],
    )


def _side_by_side(one: ShownMask, colours: np.ndarray) -> np.ndarray:
    """uint8 (height, width, 3): the four pictures with a white line between, at most 180 pixels high."""
    step = max(-(-one.label.shape[0] // HEIGHT), 1)
    pictures = [picture for _, picture in panels(one, colours, step)]
    line = np.ones((pictures[0].shape[0], 4, 3))
    parts = [part for picture in pictures for part in (picture, line)][:-1]
    return np.round(255 * np.concatenate(parts, axis=1)).astype(np.uint8)


def _hexadecimal(colour: np.ndarray) -> str:
    return "#" + "".join(f"{round(255 * float(value)):02x}" for value in colour)
