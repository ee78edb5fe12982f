"""Figures of a run on masks: confusions, IoU of the classes, the worst images with label, prediction and errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tricklab.lab.report.class_figure import class_figure
from tricklab.lab.report.confusion_figure import confusion_figure
from tricklab.lab.report.mask_figures import mask_figure
from tricklab.lab.report.mask_page import mask_page
from tricklab.lab.report.shown_masks import Masks, shown_masks

if TYPE_CHECKING:
    from tricklab.lab.report.shown_masks import Ask

IN_THE_PICTURE, ON_THE_PAGE = 6, 36


def score_figures(
    confusion: np.ndarray,
    classes: list[str],
    folder: Path,
    *,
    unlabelled: int | None,
    trivial: float | None,
    suffix: str = "",
) -> list[Path]:
    """Draw ``confusion.png`` and ``classes.png`` from what a split's pixels were taken for; returns them.

    Args:
        confusion: (K, K) pixels.
        classes: names by class number.
        folder: where the files go.
        unlabelled: pixels of the split without a label; None where it is not known.
        trivial: mean IoU of one class everywhere; None where it is not known.
        suffix: what the files' names get before the dot.
    """
    return [
        confusion_figure(confusion, classes, folder / f"confusion{suffix}.png", ignored=unlabelled or 0),
        class_figure(confusion, classes, folder / f"classes{suffix}.png", trivial),
    ]


def worst_figures(
    ask: Ask,
    masks: Masks,
    split: str,
    counts: Mapping[str, np.ndarray],
    classes: list[str],
    folder: Path,
    suffix: str = "",
) -> list[Path]:
    """Draw ``worst.png`` and ``worst.html`` of the images with the lowest IoU, asked about once more; returns them.

    Args:
        ask: as of ``shown_masks``; ``counts`` too.
    """
    shown = shown_masks(ask, masks, split, counts, ON_THE_PAGE)
    few = shown[:IN_THE_PICTURE]
    title = f"The {len(few)} of {len(counts['hits'])} images of the {split} set with the lowest IoU"
    about = (
        f"{len(shown)} of the {len(counts['hits'])} images of the {split} set, the lowest IoU first: the mean over the "
        "classes that are in the image's label or prediction."
    )
    drawn = [mask_figure(few, classes, title, folder / f"worst{suffix}.png")] if few else []
    return [*drawn, mask_page(shown, classes, f"Lowest IoU, {split} set", about, folder / f"worst{suffix}.html")]
