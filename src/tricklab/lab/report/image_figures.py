"""Figures of a run on images: confusion matrix, reliability, gallery of the most confident mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tricklab.lab.report.confusion_figure import confusion_figure
from tricklab.lab.report.gallery_figure import gallery_figure
from tricklab.lab.report.gallery_page import gallery_page
from tricklab.lab.report.reliability_figure import reliability_figure
from tricklab.lab.report.shown_images import Images, ImageScores, most_confident_mistakes, shown_images
from tricklab.metrics import confusion_matrix
from tricklab.metrics.report.reliability import Reliability

IN_THE_PICTURE, ON_THE_PAGE = 24, 96


def image_figures(
    scores: ImageScores, classes: list[str], folder: Path, images: Images | None = None, suffix: str = ""
) -> list[Path]:
    """Draw what the scores of a split allow and return the files.

    ``confusion.png``; with confidences ``reliability.png``; with the images ``worst.png`` and ``worst.html``.

    Args:
        scores: of one split.
        classes: names by class index.
        folder: where the files go.
        images: the block's images, where they are at hand.
        suffix: what the files' names get before the dot.
    """
    count = len(classes)
    confusion = confusion_matrix(scores.targets, scores.predictions, count)
    written = [confusion_figure(confusion, classes, folder / f"confusion{suffix}.png", "images")]
    if scores.confidence is not None and len(scores.targets):
        found = Reliability()
        found.add(scores.confidence, scores.targets == scores.predictions)
        written.append(reliability_figure(found, folder / f"reliability{suffix}.png"))
    if images is not None:
        written += _galleries(scores, images, folder, suffix)
    return written


def _galleries(scores: ImageScores, images: Images, folder: Path, suffix: str) -> list[Path]:
    wrong = int(np.count_nonzero(scores.targets != scores.predictions))
    rows = most_confident_mistakes(scores, ON_THE_PAGE)
    shown = shown_images(scores, rows, images)
    order = "the most confident first" if scores.confidence is not None else "in the order of the files"
    note = f"{wrong} of {len(scores.targets)} images of the {scores.split} set are taken for another class"
    title = f"{note}, {order}" if wrong else f"No mistake among {len(scores.targets)} images of the {scores.split} set"
    few = shown[:IN_THE_PICTURE]
    coloured = f"{title} (green: label, orange: prediction)" if wrong else title
    picture = gallery_figure(few, coloured, folder / f"worst{suffix}.png")
    page = gallery_page(
        shown,
        "Most confident mistakes" if scores.confidence is not None else "Mistakes",
        f"{note}; {len(shown)} are shown, {order}." if wrong else f"{title}.",
        folder / f"worst{suffix}.html",
    )
    return [picture, page]
