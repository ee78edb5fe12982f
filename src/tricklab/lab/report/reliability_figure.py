"""The reliability diagram: how often predictions of each confidence are right, and how many there are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tricklab.lab.report.canvas import GREY, INK, ORANGE, SOFT, figure, plain_axes, save
from tricklab.metrics.report.reliability import Reliability

LIGHT = "#a9cfe6"


def reliability_figure(found: Reliability, path: Path) -> Path:
    """Draw accuracy against confidence, the gap to the diagonal, and the count of each bin; returns the PNG.

    Lines on the bars are binomial standard errors, Wilson's for one standard deviation.
    """
    edges = np.linspace(0, 1, found.bins + 1)
    middles, width = (edges[:-1] + edges[1:]) / 2, 1 / found.bins
    filled = found.counts > 0
    accuracy, confidence, counts = found.accuracy[filled], found.confidence[filled], found.counts[filled]
    made = figure(5.4, 6.4)
    grid = made.add_gridspec(2, 1, height_ratios=[3.2, 1])
    above = made.add_subplot(grid[0])
    below = made.add_subplot(grid[1], sharex=above)
    plain_axes(above)
    plain_axes(below)
    total = int(found.counts.sum())
    way = "over" if found.overconfidence > 0 else "under"
    above.set_title(
        f"calibration error {found.error:.3f}, {abs(found.overconfidence):.3f} {way}confident on the whole",
        loc="left",
        fontsize=10.5,
        color=INK,
    )
    above.bar(middles[filled], accuracy, width=0.92 * width, color=LIGHT, label="right")
    gaps = np.abs(confidence - accuracy)
    above.bar(
        middles[filled],
        gaps,
        bottom=np.minimum(accuracy, confidence),
        width=0.92 * width,
        facecolor="none",
        edgecolor=ORANGE,
        hatch="////",
        linewidth=0.8,
        label="gap to what it says",
    )
    low, high = _wilson(accuracy, counts)
    above.vlines(middles[filled], low, high, color=INK, linewidth=1.1)
    above.plot([0, 1], [0, 1], color=SOFT, linestyle="--", linewidth=1.2, label="as often right as it says")
    above.set_xlim(0, 1)
    above.set_ylim(0, 1)
    above.set_ylabel("share that is right", fontsize=9, color=SOFT)
    above.legend(frameon=False, fontsize=8.5, loc="upper left")
    above.tick_params(labelbottom=False)
    below.bar(middles, found.counts, width=0.92 * width, color=GREY)
    below.set_ylabel("images", fontsize=9, color=SOFT)
    below.set_xlabel(f"confidence: probability of the predicted class ({total} images)", fontsize=9, color=SOFT)
    return save(made, path)


def _wilson(share: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval of a share at one standard deviation: it stays within [0, 1] also where all are right."""
    centre = (share + 0.5 / count) / (1 + 1 / count)
    half = np.sqrt(share * (1 - share) / count + 0.25 / count**2) / (1 + 1 / count)
    return centre - half, centre + half
