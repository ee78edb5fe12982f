"""Loss and metric along the line from the last to the averaged weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tricklab.lab.report.canvas import BLUE, GREEN, INK, ORANGE, SOFT, figure, plain_axes


def line_figure(points: Sequence[dict[str, Any]], metric: str, split: str, path: Path) -> Path:
    """Draw the loss above and the metric below against t, the two ends marked; returns the SVG.

    Args:
        points: ``{"t": …, "values": {name: value}}``, rising, with t 0 (last weights) and 1 (average) among them.
        metric: which of the values is drawn below.
        split: train, val or test.
        path: of the SVG.
    """
    from tricklab.records.atomic import replacing

    t = [point["t"] for point in points]
    names = [name for name in ("loss", metric) if all(name in point["values"] for point in points)]
    made = figure(6.6, 2.6 * len(names) + 0.5)
    grid = made.add_gridspec(len(names), 1)
    axes: Any = None
    for place, (name, colour) in enumerate(zip(names, (BLUE, GREEN), strict=False)):
        axes = made.add_subplot(grid[place], sharex=axes)
        plain_axes(axes, f"{split}/{name}")
        values = [float(point["values"][name]) for point in points]
        axes.plot(t, values, color=colour, linewidth=1.8, marker="o", markersize=2.6)
        for end, label, shown in ((0.0, "last", INK), (1.0, "average", ORANGE)):
            value = values[t.index(end)]
            axes.plot([end], [value], color=shown, marker="o", markersize=7, linestyle="", label=f"{label} {value:.4g}")
            axes.axvline(end, color=SOFT, linewidth=0.8, linestyle=":")
        axes.legend(frameon=False, fontsize=8.5)
        axes.tick_params(labelbottom=place == len(names) - 1)
    axes.set_xlabel("t: weights (1 - t) · last + t · average", fontsize=9, color=SOFT)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as target:
        made.savefig(target, format="svg")
    return path
